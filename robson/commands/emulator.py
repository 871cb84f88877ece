"""Run the emulator: a venue on loopback that speaks Binance's protocols over Robson's isolated-margin ledger."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

import trio

from robson import config, log, places
from robson.clock import RunClock, parse_speed
from robson.domain.errors import ConfigurationError, StorageError
from robson.emulator import credentials, process
from robson.feed.opening import OpenedFeed, open_replay, open_synthetic
from robson.store.moments import latest_moment
from robson.venue.instruments import builtin_instrument
from robson.venues import paper_settings, seed_number

EXIT_STORAGE = 74
EXIT_CONFIGURATION = 78
DEFAULT_ADDRESS = "127.0.0.1:9000"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `robson emulator`; its section `[paper]` is that of the paper venue."""
    parser.add_argument(
        "--listen", metavar="HOST:PORT", default=DEFAULT_ADDRESS, help=f"a loopback address (default {DEFAULT_ADDRESS})"
    )
    parser.add_argument("--config", metavar="FILE", help="robson.toml, for its sections [feed] and [paper]")
    parser.add_argument("--state-dir", metavar="DIR", help="where its account lives (default: emulator/ in Robson's)")
    parser.add_argument("--credentials-dir", metavar="DIR", help="the keys to accept; made there when there are none")
    parser.add_argument("--feed", metavar="SOURCE", help="synthetic (default), replay or binance (live public prices)")
    parser.add_argument("--file", metavar="FILE", help="what replay plays")
    parser.add_argument("--symbol", metavar="SYMBOL", help="the pair of a replay file whose name does not tell it")
    parser.add_argument("--speed", metavar="N", help='tape seconds per second, or "max"')
    parser.add_argument("--seed", metavar="TEXT", help="which synthetic market, and which luck")
    parser.add_argument("--control", action="store_true", help="open /control/, where faults are switched")
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; 78 when the settings cannot be obeyed, 74 when the account file cannot be used."""
    code = 0
    try:
        _serve(arguments)
    except* ConfigurationError as group:
        code = _refuse(group, EXIT_CONFIGURATION)
    except* StorageError as group:
        code = _refuse(group, EXIT_STORAGE)
    return code


def _serve(arguments: argparse.Namespace) -> None:
    settings = _settings(arguments)
    log.configure(settings.log.level)
    host, port = process.parse_address(arguments.listen)
    state = _state(arguments)
    directory = _credentials_directory(arguments, state)
    keys = credentials.load(directory)
    opened = _open_feed(settings.feed, settings.binance, state)
    listening = process.Listening(host, port, arguments.control, _patience(opened, settings.feed.speed))
    serve = partial(
        process.run,
        opened,
        paper_settings(settings),
        keys,
        listening,
        state=state,
        seed=seed_number(settings.feed.seed),
        announce=partial(_announce, host, directory),
    )
    trio.run(serve, clock=opened.trio_clock)


def _settings(arguments: argparse.Namespace) -> config.Settings:
    flags = {
        "feed.source": arguments.feed,
        "feed.file": arguments.file,
        "feed.symbol": arguments.symbol,
        "feed.speed": arguments.speed,
        "feed.seed": arguments.seed,
        "log.level": arguments.log_level,
    }
    return config.load(Path(arguments.config) if arguments.config else None, os.environ, flags)


def _state(arguments: argparse.Namespace) -> Path:
    """Beside the daemon's own files, never among them: both have a lock."""
    if arguments.state_dir:
        state = Path(arguments.state_dir)
    else:
        state = places.state_directory(None, os.environ, here=Path.cwd()) / "emulator"
    try:
        places.create_state_directory(state)
    except OSError as error:
        raise StorageError(f"the state directory {state} could not be created: {error.strerror}") from error
    return state


def _credentials_directory(arguments: argparse.Namespace, state: Path) -> Path:
    chosen = arguments.credentials_dir or os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(chosen) if chosen else state / "credentials"


def _open_feed(feed: config.Feed, places: config.Binance, state: Path) -> OpenedFeed:
    match feed.source:
        case "replay":
            if not feed.file:
                raise ConfigurationError("feed.source was replay without feed.file: name what to play (--file)")
            return open_replay([Path(feed.file)], speed=feed.speed, symbol=feed.symbol.upper() or None)
        case "synthetic" | None:
            return open_synthetic(builtin_instrument, seed=feed.seed, speed=feed.speed, not_before=latest_moment(state))
        case "binance":
            # The libraries of a network cost a tenth of a second, which an emulator without one need not pay.
            from robson.feed.binance.opening import open_prices
            from robson.venue.binance.opening import make_client

            clock = RunClock()
            client = make_client(places, None, clock)
            return OpenedFeed(open_prices(feed, places, client), clock, None, client)


def _patience(opened: OpenedFeed, speed: str) -> float:
    """Limits on slow clients are meant in real seconds, and the clock may run faster."""
    return 1.0 if opened.trio_clock is None else max(1.0, parse_speed(speed))


def _announce(host: str, credentials_directory: Path, port: int) -> None:
    """Say where it listens and where the keys are, never the keys."""
    shown = f"[{host}]" if ":" in host else host
    print(f"listening on http://{shown}:{port} (REST), ws://{shown}:{port} (streams), ws://{shown}:{port}/ws-api/v3")
    print(f"credentials in {credentials_directory}", flush=True)


def _refuse(group: BaseExceptionGroup[BaseException], code: int) -> int:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    print(f"robson: {error}", file=sys.stderr)
    return code
