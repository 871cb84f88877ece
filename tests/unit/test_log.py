"""Logs: for people on a terminal, JSON elsewhere, and in neither the local variables of a failure."""

import io
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from robson import log
from robson.systemd import journald


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


def test_the_level_changes_for_loggers_that_are_in_use() -> None:
    stream = io.StringIO()
    log.configure("warning", stream)
    logger = structlog.get_logger("test")
    logger.info("before")
    log.set_level("debug")
    logger.debug("after")
    log.set_level("error")
    logger.warning("again_not")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["after"]


def test_a_stream_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        log.configure("info", full)
        structlog.get_logger("test").error("disk_full")
        assert log.dropped_records() == 1
        log.configure("info", io.StringIO())
        os.dup2(os.open(tmp_path / "rest", os.O_CREAT | os.O_WRONLY), full.fileno())


def test_the_journal_gets_fields_and_no_local_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal, (tmp_path / "stderr").open("w") as stream:
        journal.bind(str(place))
        journal.settimeout(10)
        monkeypatch.setattr(log, "JournalSocket", lambda: journald.JournalSocket(place))
        status = os.fstat(stream.fileno())
        log.configure("info", stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        password = "".join(["hunt", "er2"])
        try:
            [0][len(password)]
        except IndexError:
            structlog.get_logger("test").exception("it_failed", position_id="ab")
        record = journal.recv(65536)
    assert (tmp_path / "stderr").read_text() == "", "it would be logged twice"
    assert b"POSITION_ID=ab\n" in record
    assert b"PRIORITY=3\n" in record
    assert b"list index out of range" in record
    assert b"hunter2" not in record
