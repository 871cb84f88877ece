"""Logs: for people on a terminal, fields in systemd's journal, JSON lines everywhere else; on standard error.

Nobody waits for a log: what cannot be written is dropped and counted.
"""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import structlog

from robson.systemd.journald import JournalSocket, is_journal

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# The names of methods, where they differ from their level's.
_METHODS = {**LEVELS, "warn": logging.WARNING, "exception": logging.ERROR, "critical": logging.CRITICAL}


class _Setting:
    """What may change while the loggers that were made before live on."""

    level = logging.INFO
    sink: "_Lines | _Journal | None" = None


class _Lines:
    """Writes lines to a stream; one that is full, closed or gone takes none, and nobody fails for that."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.dropped = 0

    def msg(self, line: str) -> None:
        """Write one line."""
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self.dropped += 1

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


class _Journal:
    """Sends records to the journal."""

    def __init__(self, journal: JournalSocket) -> None:
        self._journal = journal

    @property
    def dropped(self) -> int:
        return self._journal.dropped

    def msg(self, **record: Any) -> None:
        """Send one record."""
        self._journal.send(record)

    debug = info = warning = warn = error = exception = critical = fatal = log = msg


def configure(level: str, stream: TextIO = sys.stderr, environment: Mapping[str, str] = os.environ) -> None:
    """Set up structlog once, at start."""
    set_level(level)
    on_terminal = stream.isatty()
    in_journal = not on_terminal and _is_journal(stream, environment)
    sink: _Lines | _Journal = _Journal(JournalSocket()) if in_journal else _Lines(stream)
    processors: list[structlog.typing.Processor] = [
        _drop_below_level,
        structlog.processors.add_log_level,
        structlog.processors.StackInfoRenderer(),
    ]
    if not in_journal:
        processors.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
    if on_terminal:
        # The renderer's own choice would be tracebacks with all local variables, and whatever secret is in them.
        processors.append(
            structlog.dev.ConsoleRenderer(
                colors="NO_COLOR" not in environment, exception_formatter=structlog.dev.plain_traceback
            )
        )
    else:
        processors.append(structlog.processors.format_exc_info)
        processors.append(_as_fields if in_journal else structlog.processors.JSONRenderer())
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=lambda *_names: sink,
        cache_logger_on_first_use=True,
    )
    _Setting.sink = sink


def set_level(level: str) -> None:
    """How much is logged from now on."""
    _Setting.level = LEVELS[level]


def dropped_records() -> int:
    """How many records nobody took, since logging was set up."""
    return _Setting.sink.dropped if _Setting.sink is not None else 0


def _drop_below_level(_logger: Any, method: str, record: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # Not by the wrapper's class: loggers that are cached would keep their level.
    if _METHODS.get(method, logging.CRITICAL) < _Setting.level:
        raise structlog.DropEvent
    return record


def _as_fields(_logger: Any, _method: str, record: structlog.typing.EventDict) -> Mapping[str, Any]:
    return record


def _is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    try:
        return is_journal(stream.fileno(), environment)
    except (OSError, ValueError):
        return False
