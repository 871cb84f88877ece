"""A self-test run so that no process and no file of it is left behind, whatever signal comes and whenever."""

import argparse
import os
import secrets
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from robson.commands.selftest.campaign import Campaign
from robson.commands.selftest.child import SelftestFailed
from robson.commands.selftest.counterpart import PaperCounterpart
from robson.commands.selftest.habits import PAPER
from robson.commands.selftest.report import Report
from robson.commands.selftest.subject import Places, Subject
from robson.domain.codec import encode
from robson.domain.errors import RobsonError
from robson.store.seal import forget_seal

FAILED = 1
_TOLD_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128
# 107 less the names of the directory and of the socket.
_PLACE_BYTES_MAX = 70
_VIOLATIONS_SHOWN = 20
# Real time, and a venue that does not answer: everything may take longer by this factor.
_LIVE_PATIENCE = 4.0


def perform(arguments: argparse.Namespace) -> int:
    """Run it, print its figures, and give the exit code."""
    seed = arguments.seed or secrets.token_hex(4)
    place = Path(arguments.state_dir) if arguments.state_dir else None
    if place is not None and not place.is_dir():
        return _fail(f"the directory {place} does not exist")
    try:
        return trio.run(partial(_perform, place, seed, arguments))
    except BaseExceptionGroup as group:
        return _explain(group)
    except (SelftestFailed, RobsonError, OSError, sqlite3.Error) as error:
        return _fail(str(error))


@dataclass(slots=True)
class _Told:
    """What the operator's signals have said."""

    running: trio.CancelScope = field(default_factory=trio.CancelScope)
    by: int | None = None


async def _perform(place: Path | None, seed: str, arguments: argparse.Namespace) -> int:
    told = _Told()
    with trio.open_signal_receiver(*_TOLD_TO_STOP) as signals, ExitStack() as held:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, signals, told)
            # Whatever goes wrong has to be looked at.
            keeping = _Keeping(always=True)
            places = held.enter_context(_places(place, keeping))
            report: Report | None = None
            with told.running:
                _say(f"robson selftest {' '.join(_words(arguments))} --seed {seed}, on {places.state}")
                campaign = _campaign(places, seed, arguments)
                began = trio.current_time()
                report = await campaign.run()
                report.seconds = trio.current_time() - began
            nursery.cancel_scope.cancel()
        if report is None:
            keeping.always = False
            _say("interrupted; its processes are stopped, its files are removed")
            return _SIGNALLED + (told.by or signal.SIGINT)
        keeping.always = arguments.keep or not report.passed
        _print(report, as_json=arguments.json)
        return 0 if report.passed else FAILED


def _words(arguments: argparse.Namespace) -> Iterator[str]:
    """What to say to have the same again, but for the seed."""
    if arguments.live:
        yield from ("--live", "--lives", str(arguments.lives), "--venue-kills", str(arguments.venue_kills))
    yield from ("--kills", str(arguments.kills))


def _campaign(places: Places, seed: str, arguments: argparse.Namespace) -> Campaign:
    if not arguments.live:
        paper = PaperCounterpart(places.state, seed)
        return Campaign(Subject(places, paper), paper.account, PAPER, seed, arguments.kills, _progress)
    # The client's library takes a while to import, and only this needs it.
    from robson.commands.selftest.emulated import EmulatedCounterpart
    from robson.commands.selftest.rehearsal import Rehearsal

    emulator = EmulatedCounterpart(places.doors, seed)
    return Rehearsal(
        Subject(places, emulator, _LIVE_PATIENCE),
        emulator,
        seed,
        lives=arguments.lives,
        kills=arguments.kills,
        venue_kills=arguments.venue_kills,
        progress=_progress,
    )


async def _listen(signals: AsyncIterator[int], told: _Told) -> None:
    async for number in signals:
        told.by = told.by or number
        told.running.cancel()


@dataclass(slots=True)
class _Keeping:
    """Whether the files stay."""

    always: bool


@contextmanager
def _places(place: Path | None, keeping: _Keeping) -> Iterator[Places]:
    """New directories for state, socket and log; an existing journal is never touched."""
    usual = tempfile.gettempdir()
    # A socket's path has at most 107 bytes.
    short = usual if len(os.fsencode(usual)) <= _PLACE_BYTES_MAX else "/tmp"  # noqa: S108  # mkdtemp makes it safe
    doors = Path(tempfile.mkdtemp(prefix="robson-selftest-", dir=short))
    state = Path(tempfile.mkdtemp(prefix="robson-selftest-", dir=place)) if place is not None else doors / "state"
    try:
        yield Places(state=state, socket=doors / "robson.sock", log=doors / "daemon.log")
    finally:
        if keeping.always:
            _say(f"the files are kept in {state}, the daemon's log in {doors}")
        else:
            forget_seal(state)
            shutil.rmtree(state, ignore_errors=True)
            shutil.rmtree(doors, ignore_errors=True)


def _progress(report: Report) -> None:
    if sys.stderr.isatty():
        print(f"\r{report.kills} kills, {len(report.words())} violations ", end="", file=sys.stderr, flush=True)


def _print(report: Report, *, as_json: bool) -> None:
    words = report.words()
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for line in words[:_VIOLATIONS_SHOWN]:
        _say(line)
    if len(words) > _VIOLATIONS_SHOWN:
        _say(f"and {len(words) - _VIOLATIONS_SHOWN} more")
    values = report.values()
    if as_json:
        print(encode({**values, "violations": words}).decode())
        return
    for name, value in values.items():
        print(name, "-" if value is None else value)


def _say(words: str) -> None:
    print(f"robson selftest: {words}", file=sys.stderr, flush=True)


def _fail(message: str) -> int:
    _say(message)
    return FAILED


def _explain(group: BaseExceptionGroup[BaseException]) -> int:
    """Tell what went wrong, if it is one of the expected faults."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, (SelftestFailed, RobsonError, OSError, sqlite3.Error)):
        return _fail(str(error))
    raise group
