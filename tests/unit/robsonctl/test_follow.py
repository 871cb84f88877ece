"""Events and watch: the last ones, from a place on, and until somebody stops it."""

import itertools
import socket
import sys
import time

import msgspec
import pytest

from robson.protocol.fields import EVENTS_LIMIT_MAX
from robson.protocol.results import EventLine, EventsResult, SubscribeResult
from robsonctl import follow
from robsonctl.connection import Daemon
from robsonctl.exits import Ended, Exit
from tests.unit.robsonctl.conftest import NOON, Robsonctl, ScriptedDaemon, position, status


def event(seq: int, position_id: str | None = None, kind: str = "feed_stale") -> EventLine:
    return EventLine(event=kind, seq=seq, at=NOON, position_id=position_id, data={"age_seconds": 12, "note": None})


def page(*seqs: int, last: int, position_id: str | None = None) -> EventsResult:
    rows = tuple(event(seq, position_id) for seq in seqs)
    return EventsResult(events=rows, next_seq=last + 1, last_seq=last)


def seqs(text: str) -> list[int]:
    return [int(line.split()[0]) for line in text.splitlines()]


def test_the_last_ones_are_found_from_the_end(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(page(last=120))
    daemon.reply(page(119, 120, last=120))
    assert robsonctl("events", "-n", "2") == Exit.OK
    assert seqs(robsonctl.out) == [119, 120]
    assert "feed_stale" in robsonctl.out
    assert robsonctl.out.splitlines()[0].endswith("age_seconds=12")
    end, tail = daemon.asked()
    assert end == {"cmd": "events", "from_seq": 2**63 - 1, "limit": 1}
    assert (tail["from_seq"], tail["limit"]) == (119, 10_000)


def test_the_last_ones_of_a_position_are_kept_from_all_of_them(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(status(position("p-1")))
    daemon.reply(page(last=9))
    daemon.reply(page(1, 4, 9, last=9, position_id="p-1"))
    assert robsonctl("events", "--position", "p-1", "-n", "2") == Exit.OK
    assert seqs(robsonctl.out) == [4, 9]
    assert daemon.asked()[-1] == {"cmd": "events", "limit": 10_000, "position_id": "p-1"}


def test_the_last_ones_do_not_reach_into_the_archive(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(EventsResult(events=(), next_seq=121, last_seq=120, oldest_seq=119))
    daemon.reply(page(119, 120, last=120))
    assert robsonctl("events", "-n", "50") == Exit.OK
    assert daemon.asked()[-1]["from_seq"] == 119


def test_from_a_place_on_pages_are_joined(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "EVENTS_LIMIT_MAX", 2)
    daemon.reply(EventsResult(events=(event(3), event(4)), next_seq=5, last_seq=5))
    daemon.reply(page(5, last=5))
    assert robsonctl("events", "--from", "3", "--json") == Exit.OK
    result = msgspec.json.decode(robsonctl.out, type=EventsResult)
    assert [row.seq for row in result.events] == [3, 4, 5]
    assert (result.next_seq, result.last_seq) == (6, 5)
    assert [asked["from_seq"] for asked in daemon.asked()] == [3, 5]


def test_follow_goes_on_where_the_list_ended_and_only_for_the_position(
    robsonctl: Robsonctl, daemon: ScriptedDaemon
) -> None:
    daemon.reply(status(position("p-1")))
    daemon.reply(page(1, last=7, position_id="p-1"))
    daemon.reply(SubscribeResult(from_seq=8))
    for line in (event(8, "p-1"), event(9, "p-2"), event(10), event(11, "p-1", "position_closed")):
        daemon.say(msgspec.json.encode(line) + b"\n")
    daemon.hang_up()
    assert robsonctl("events", "--from", "0", "--position", "p-1", "--follow", "-o", "jsonl") == Exit.UNREACHABLE
    assert [msgspec.json.decode(line)["seq"] for line in robsonctl.out.splitlines()] == [1, 8, 11]
    assert daemon.asked()[-1] == {"cmd": "subscribe", "from_seq": 8}
    assert "closed the subscription" in robsonctl.err


def test_csv_has_one_head(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(page(1, last=1))
    daemon.reply(SubscribeResult(from_seq=2))
    daemon.say(msgspec.json.encode(event(2)) + b"\n")
    daemon.hang_up()
    robsonctl("events", "--from", "1", "--follow", "-o", "csv")
    assert [line.split(",")[:2] for line in robsonctl.out.splitlines()] == [
        ["event", "seq"],
        ["feed_stale", "1"],
        ["feed_stale", "2"],
    ]


@pytest.fixture
def three_rounds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", nap)
    return naps


def test_watch_repeats_status_until_ctrl_c(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, three_rounds: list[float]
) -> None:
    for number in range(3):
        daemon.reply(status(position(f"p-{number}")))
    assert robsonctl("watch", "0.5") == Exit.INTERRUPTED
    assert three_rounds == [0.5] * 3
    assert [name in robsonctl.out for name in ("p-0", "p-1", "p-2")] == [True] * 3
    assert "\x1b" not in robsonctl.out


def test_on_a_terminal_watch_repaints(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, three_rounds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for _ in range(3):
        daemon.reply(status())
    assert robsonctl("watch", "--color", "never") == Exit.INTERRUPTED
    assert robsonctl.out.count("\x1b[H\x1b[2J") == 3


def test_watch_waits_for_a_daemon_that_is_away(
    robsonctl: Robsonctl, three_rounds: list[float], tmp_path: object
) -> None:
    assert robsonctl("watch", "--socket", f"{tmp_path}/r.sock") == Exit.INTERRUPTED
    # Said once, not each round.
    assert robsonctl.err.count("no daemon answers") == 1
    assert "waiting for it" in robsonctl.err


def test_a_daemon_that_is_back_is_told_of(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, three_rounds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = iter([ConnectionRefusedError("refused"), None, None])

    def connected(self: Daemon) -> socket.socket:
        trouble = next(ways, None)
        if trouble is not None:
            raise Ended(Exit.UNREACHABLE, "no daemon answers", code="unreachable")
        return daemon.near

    monkeypatch.setattr(Daemon, "connected", connected)
    for _ in range(2):
        daemon.reply(status(position()))
    assert robsonctl("watch", "-o", "jsonl") == Exit.INTERRUPTED
    assert robsonctl.err.splitlines() == [
        "robsonctl: no daemon answers (unreachable)",
        "  waiting for it",
        "robsonctl: the daemon answers again",
    ]
    assert len(robsonctl.out.splitlines()) == 2


def test_watch_as_json_lines_is_a_stream(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, three_rounds: list[float]
) -> None:
    for _ in range(3):
        daemon.reply(status(position()))
    assert robsonctl("watch", "--json") == Exit.INTERRUPTED
    assert all(msgspec.json.decode(line)["mode"] == "paper" for line in robsonctl.out.splitlines())
    assert len(list(itertools.islice(robsonctl.out.splitlines(), 9))) == 3


def test_pages_are_as_long_as_the_protocol_lets_them() -> None:
    assert follow.EVENTS_LIMIT_MAX == EVENTS_LIMIT_MAX
