"""Looks at disk, keys, exchange and machine, says whether all is ready to trade, and changes nothing."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from robson import config, log, places
from robson.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from robson.commands.doctor.check import Report

EXIT_NOT_READY = 1
EXIT_CONFIGURATION = 78

_SIGNS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `robson doctor`; the places are those of `robson run`."""
    parser.add_argument("--config", metavar="FILE", help="robson.toml")
    parser.add_argument("--state-dir", metavar="DIR", help="where the journal lives")
    parser.add_argument("--socket", metavar="PATH", help="the control socket")
    parser.add_argument("--credentials-dir", metavar="DIR", help="where the exchange's keys are, one file each")
    parser.add_argument("--mode", metavar="MODE", help="paper or live (the configuration's)")
    parser.add_argument("--feed", metavar="SOURCE", help="binance, synthetic or replay (the configuration's)")
    parser.add_argument(
        "--symbol", metavar="S", action="append", default=[], help="a pair to look at (those of the open positions)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a line a check")


def run(arguments: argparse.Namespace) -> int:
    """Print every check; 0 when ready, 1 when one failed, 78 when the configuration cannot be read."""
    from robson.commands.doctor.check import report_of, wrong

    # What goes wrong is in the checks; the log would say it twice.
    log.configure("error")
    origin = arguments.config or os.environ.get("ROBSON_CONFIG")
    try:
        report = _examined(arguments, origin)
    except ConfigurationError as error:
        _print(report_of([wrong("configuration", str(error), "mend the file, the variable or the option")]), arguments)
        return EXIT_CONFIGURATION
    _print(report, arguments)
    return 0 if report.ready else EXIT_NOT_READY


def _examined(arguments: argparse.Namespace, origin: str | None) -> "Report":
    from robson.commands.doctor.examination import Patient, examine
    from robson.venue.binance.credentials import credentials_directory
    from robson.venue.binance.opening import check_encrypted, check_rest_url
    from robson.venue.binance.private_memory import keep_private

    flags = {"mode": arguments.mode, "feed.source": arguments.feed}
    settings = config.load(Path(origin) if origin else None, os.environ, flags)
    check_rest_url(settings.binance.rest_url)
    if settings.mode == "live":
        check_encrypted(settings.binance)
        keep_private()
    state = places.state_directory(arguments.state_dir, os.environ, here=Path.cwd())
    patient = Patient(
        settings=settings,
        origin=origin or "the defaults and the environment",
        state=state,
        socket=places.socket_path(arguments.socket, os.environ, settings, state),
        credentials=credentials_directory(arguments.credentials_dir, os.environ),
        symbols=tuple(dict.fromkeys(symbol.upper() for symbol in arguments.symbol)),
    )
    return trio.run(partial(examine, patient))


def _print(report: "Report", arguments: argparse.Namespace) -> None:
    from robson.domain.codec import encode

    if arguments.json:
        sys.stdout.write(encode(report).decode() + "\n")
        return
    width = max(len(check.name) for check in report.checks)
    for check in report.checks:
        print(f"{_SIGNS[check.outcome]}  {check.name:{width}}  {check.detail}")
        if check.hint:
            print(f"      {'':{width}}  -> {check.hint}")
    failed = sum(check.outcome == "fail" for check in report.checks)
    print("ready" if report.ready else f"not ready: {failed} {'check' if failed == 1 else 'checks'} failed")
