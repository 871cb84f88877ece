"""Panic is never an accident and never a riddle."""

import sys

import pytest

from robson.protocol.results import PanicOutcome, PanicResult
from robsonctl.exits import Exit
from tests.unit.robsonctl.conftest import Robsonctl, ScriptedDaemon, Terminal, position, status

DONE = PanicResult(
    latched=True,
    positions=(
        PanicOutcome(position_id="p-1", outcome="closed"),
        PanicOutcome(position_id="p-2", outcome="disarmed"),
    ),
)


def test_without_a_terminal_and_without_yes_it_ends_at_once(robsonctl: Robsonctl) -> None:
    # Not even a socket is looked for.
    assert robsonctl("panic", "--socket", "/nowhere/r.sock") == Exit.NO_TERMINAL
    assert "panic --yes" in robsonctl.err


def test_yes_asks_nothing(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(DONE)
    assert robsonctl("panic", "--yes", "--key", "k") == Exit.OK
    assert robsonctl.out.splitlines() == [
        "the latch holds: nothing enters before `robsonctl resume`",
        "p-1  closed",
        "p-2  disarmed",
    ]
    assert daemon.asked() == [{"cmd": "panic", "idempotency_key": "k"}]


@pytest.mark.parametrize(("mode", "phrase"), [("paper", "y"), ("live", "CLOSE ALL")])
def test_on_a_terminal_it_shows_what_it_will_do_and_wants_the_phrase(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch, mode: str, phrase: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{phrase}\n"))
    daemon.reply(status(position("p-1"), position("p-2"), mode=mode))
    daemon.reply(DONE)
    assert robsonctl("panic") == Exit.OK
    assert "p-2" in robsonctl.err
    assert "what is open (2) at market" in robsonctl.err
    assert f"type {phrase} to go on: " in robsonctl.err
    assert [asked["cmd"] for asked in daemon.asked()] == ["status", "panic"]


@pytest.mark.parametrize(("mode", "typed"), [("paper", "n\n"), ("paper", ""), ("live", "y\n"), ("live", "close all\n")])
def test_anything_else_typed_does_nothing(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch, mode: str, typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    daemon.reply(status(position(), mode=mode))
    assert robsonctl("panic") == Exit.NOT_CONFIRMED
    assert [asked["cmd"] for asked in daemon.asked()] == ["status"]


@pytest.mark.parametrize("outcome", ["pending", "failed"])
def test_partly_done_is_exit_5(robsonctl: Robsonctl, daemon: ScriptedDaemon, outcome: str) -> None:
    last = PanicOutcome(position_id="p-3", outcome=outcome, detail="the venue is out of reach")  # type: ignore[arg-type]
    daemon.reply(PanicResult(latched=True, positions=(*DONE.positions, last)))
    assert robsonctl("panic", "--yes") == Exit.PARTLY_DONE
    assert f"p-3  {outcome}" in robsonctl.out
    assert "the venue is out of reach" in robsonctl.out


def test_a_latch_that_does_not_hold_is_exit_5(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(PanicResult(latched=False, positions=()))
    assert robsonctl("panic", "--yes") == Exit.PARTLY_DONE
    assert "does NOT hold" in robsonctl.out
