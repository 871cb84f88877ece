"""A programme played so that nothing of it is left behind, whatever signal comes and whenever."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from robson.commands.demo.driver import perform
from robson.commands.demo.processes import DemoFailed
from robson.commands.demo.programme import Programme
from robson.commands.demo.screen import Screen, forget
from robson.domain.errors import RobsonError
from robson.store.seal import forget_seal

FAILED = 1
_TOLD_TO_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SIGNALLED = 128
# 107 less the names of the directory and of the socket.
_PLACE_BYTES_MAX = 70


def play(programme: Programme, *, keep: bool) -> int:
    """Play it to the end or until a signal; gives the exit code, after telling what went wrong."""
    try:
        return trio.run(_perform, programme, keep)
    except BaseExceptionGroup as group:
        return _explain(group)


def fail(message: str) -> int:
    """Tell why the demonstration has failed; gives the exit code."""
    print(f"robson demo: {message}", file=sys.stderr)
    return FAILED


@dataclass(slots=True)
class _Told:
    """What the operator's signals have said: the first one ends the play, the second one the patience."""

    playing: trio.CancelScope = field(default_factory=trio.CancelScope)
    hurry: trio.Event = field(default_factory=trio.Event)
    by: int | None = None


async def _perform(programme: Programme, keep: bool) -> int:
    """Everything that could be left behind is made and removed while signals only tell, never interrupt."""
    told = _Told()
    with trio.open_signal_receiver(*_TOLD_TO_STOP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, signals, told)
            with told.playing, _directory(told, keep=keep) as directory:
                screen = Screen(sys.stdout, os.environ)
                await perform(programme, screen, keep=keep, hurry=told.hurry, directory=directory)
            nursery.cancel_scope.cancel()
        if told.by is None:
            return 0
        print("\nrobson demo: interrupted; its processes are stopped, its directory is removed", file=sys.stderr)
        return _SIGNALLED + told.by


async def _listen(signals: AsyncIterator[int], told: _Told) -> None:
    async for number in signals:
        if told.by is None:
            told.by = number
            told.playing.cancel()
        else:
            told.hurry.set()


@contextmanager
def _directory(told: _Told, *, keep: bool) -> Iterator[Path]:
    """A state directory, removed at the end unless it is to be kept and nothing interrupted."""
    directory = Path(tempfile.mkdtemp(prefix="robson-demo-", dir=_place()))
    try:
        yield directory
    finally:
        if told.by is not None or not keep:
            forget_seal(directory)
            shutil.rmtree(directory, ignore_errors=True)


def _place() -> str:
    """The place for temporary files, or one with a shorter path: a socket's path has at most 107 bytes."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= _PLACE_BYTES_MAX else "/tmp"  # noqa: S108  # mkdtemp makes it safe


def _explain(group: BaseExceptionGroup[BaseException]) -> int:
    """Tell what went wrong, if it is one of the expected faults."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case DemoFailed() | RobsonError():
            return fail(str(error))
        case BrokenPipeError():
            forget(sys.stdout)
            return FAILED
        case _:
            raise group
