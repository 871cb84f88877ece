"""Lines in, lines out, and an exit code that a script can believe."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robson.protocol.replies import ErrorBody, address, failure, success
from robsonctl.exits import Exit
from robsonctl.pipe import Pipe
from tests.unit.robsonctl.conftest import Robsonctl, ScriptedDaemon

OK = address(1, success({}))
REFUSED = address(2, failure(ErrorBody(code="wrong_state", message="it was Closed")))
EVENT = b'{"event":"feed_stale","seq":1,"at":"2026-11-22T12:00:00Z","position_id":null,"data":{}}\n'


@pytest.fixture
def piped(tmp_path: Path, robsonctl: Robsonctl, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], int]:
    def run(octets: bytes) -> int:
        (tmp_path / "in").write_bytes(octets)
        with (tmp_path / "in").open() as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            return robsonctl()

    return run


def sent(daemon: ScriptedDaemon) -> bytes:
    daemon.near.close()
    received = b""
    while chunk := daemon.far.recv(65_536):
        received += chunk
    return received


def test_lines_go_through_untouched(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, piped: Callable[[bytes], int]
) -> None:
    daemon.say(OK)
    daemon.hang_up()
    line = b'{"cmd": "ping",  "id":1}\n\n  \n'
    assert piped(line) == Exit.OK
    assert robsonctl.out == OK.decode()
    assert sent(daemon) == line


def test_one_refusal_is_exit_1_and_events_are_no_replies(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, piped: Callable[[bytes], int]
) -> None:
    daemon.say(OK + EVENT + REFUSED + EVENT)
    daemon.hang_up()
    assert piped(b'{"cmd":"subscribe"}\n{"cmd":"close"}') == Exit.REFUSED
    assert robsonctl.out.encode() == OK + EVENT + REFUSED + EVENT


def test_a_missing_reply_is_exit_75(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, piped: Callable[[bytes], int]
) -> None:
    daemon.say(OK)
    daemon.hang_up()
    assert piped(b'{"cmd":"panic"}\n{"cmd":"resume"}\n') == Exit.OUTCOME_UNKNOWN
    assert "1 of 2 requests were not answered" in robsonctl.err


def test_nothing_asked_is_nothing_done(daemon: ScriptedDaemon, piped: Callable[[bytes], int]) -> None:
    daemon.hang_up()
    assert piped(b"") == Exit.OK
    assert sent(daemon) == b""


def test_without_a_daemon_it_is_exit_69(
    robsonctl: Robsonctl, piped: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROBSON_SOCKET", "/nowhere/r.sock")
    assert piped(b'{"cmd":"ping"}\n') == Exit.UNREACHABLE


@given(st.lists(st.sampled_from([b"{}", b" \r", b"", b"{}\r{}"])), st.data())
def test_each_line_that_is_not_blank_is_a_request_whatever_the_chunks(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"\n".join(lines)
    pipe = Pipe(socket.socket(socket.AF_UNIX), 0)
    pipe._socket.close()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        pipe._count(stream[:size])
        stream = stream[size:]
    assert pipe._asked == sum(bool(line.strip()) for line in lines)
