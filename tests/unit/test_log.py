"""Logs: for people on a terminal, JSON elsewhere, and in neither the local variables of a failure."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from robson import log


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "pipe"])
def test_a_traceback_shows_no_local_variables(stream: io.StringIO) -> None:
    log.configure("info", stream)

    def fail() -> None:
        password = "".join(["hunt", "er2"])
        raise ValueError(f"{len(password)} characters")

    try:
        fail()
    except ValueError:
        structlog.get_logger("test").exception("it_failed")
    assert "7 characters" in stream.getvalue()
    assert "in fail" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_lines_are_json_where_nobody_reads_along() -> None:
    stream = io.StringIO()
    log.configure("warning", stream)
    structlog.get_logger("test").info("not_shown")
    structlog.get_logger("test").warning("shown", symbol="BTCUSDT")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["symbol"]) == ("shown", "warning", "BTCUSDT")
