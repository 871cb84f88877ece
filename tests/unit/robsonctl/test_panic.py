"""Panic is never an accident and never a riddle."""

import argparse
import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.commands.panic import add_arguments
from robson.protocol.panic_results import PanicPreviewResult, PanicStep
from robson.protocol.results import HelloResult, PanicOutcome, PanicResult
from robsonctl.exits import Exit
from tests.end_to_end.daemon import ROOT
from tests.unit.robsonctl.conftest import Robsonctl, ScriptedDaemon, Terminal

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


def step(position_id: str = "p-1", **changes: Any) -> PanicStep:
    view = PanicStep(
        position_id=position_id,
        symbol="BTCUSDT",
        side="long",
        state="Active",
        will="close",
        quantity=Decimal("0.05"),
        price=Decimal(95_000),
        notional=Decimal("4750.00"),
        slippage_bps=Decimal("1.50"),
        slippage=Decimal("0.71"),
        slippage_source="order_book",
    )
    return msgspec.structs.replace(view, **changes)


def preview(*steps: PanicStep, mode: str = "paper", **changes: Any) -> PanicPreviewResult:
    result = PanicPreviewResult(
        mode=mode,  # type: ignore[arg-type]
        panic_latched=False,
        positions=steps,
        notional=sum((one.notional or Decimal(0) for one in steps), Decimal(0)),
        slippage=sum((one.slippage or Decimal(0) for one in steps), Decimal(0)),
        without_estimate=0,
    )
    return msgspec.structs.replace(result, **changes)


ARMED = step(
    "p-2",
    symbol="ETHUSDT",
    side="short",
    state="Armed",
    will="disarm",
    quantity=None,
    price=None,
    notional=None,
    slippage=None,
    slippage_bps=None,
    slippage_source=None,
)
UNKNOWN = step(
    "p-3",
    slippage=None,
    slippage_bps=None,
    slippage_source=None,
    slippage_unknown="no answer within 2 s",
    state="Error",
)


@pytest.mark.parametrize(("mode", "phrase"), [("paper", "y"), ("live", "CLOSE ALL")])
def test_on_a_terminal_it_shows_what_it_will_do_and_wants_the_phrase(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch, mode: str, phrase: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{phrase}\n"))
    daemon.reply(preview(step(), ARMED, mode=mode))
    daemon.reply(DONE)
    assert robsonctl("panic") == Exit.OK
    head, columns, held, armed, total, slippage, _, asked = robsonctl.err.splitlines()
    assert head.strip() == ("LIVE" if mode == "live" else "paper")
    assert " ".join(columns.split()) == "POSITION SYMBOL SIDE STATE QUANTITY NOTIONAL SLIPPAGE BPS WHAT HAPPENS"
    assert " ".join(held.split()) == "p-1 BTCUSDT long Active 0.05 4750.00 0.71 1.5 close at market"
    assert " ".join(armed.split()) == "p-2 ETHUSDT short Armed disarm"
    assert total == "in all: 2 positions, 4750.00 in the market"
    assert slippage == "estimated slippage: 0.71 (by the order book as it stands)"
    assert asked == f"type {phrase} to go on: "
    assert [asked["cmd"] for asked in daemon.asked()] == ["panic_preview", "panic"]


@pytest.mark.parametrize(
    ("mode", "typed"), [("paper", "n\n"), ("paper", ""), ("live", "y\n"), ("live", "close all\n"), ("live", "")]
)
def test_anything_else_typed_does_nothing(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch, mode: str, typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    daemon.reply(preview(step(), mode=mode))
    assert robsonctl("panic") == Exit.NOT_CONFIRMED
    assert [asked["cmd"] for asked in daemon.asked()] == ["panic_preview"]


def test_a_missing_estimate_is_told_with_its_reason_and_an_order_in_doubt_as_well(
    robsonctl: Robsonctl, daemon: ScriptedDaemon
) -> None:
    daemon.reply(preview(UNKNOWN, step(slippage_is_least=True, order_in_doubt=True), without_estimate=1))
    assert robsonctl("panic", "--preview") == Exit.OK
    assert "no estimate of BTCUSDT: no answer within 2 s" in robsonctl.out
    assert ">=0.71" in robsonctl.out
    assert "in doubt" in robsonctl.out
    assert [asked["cmd"] for asked in daemon.asked()] == ["panic_preview"]


def test_without_positions_it_says_that_it_only_latches(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(preview())
    assert robsonctl("panic", "--preview") == Exit.OK
    assert "panic only latches" in robsonctl.out


def test_the_preview_is_there_for_scripts(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.reply(preview(step()))
    assert robsonctl("panic", "--preview", "--json") == Exit.OK
    assert json.loads(robsonctl.out)["positions"][0]["slippage_bps"] == "1.5"


@pytest.mark.parametrize(("said", "phrase"), [("paper", "y"), (None, "CLOSE ALL")])
def test_a_preview_that_is_refused_is_not_in_the_way(
    robsonctl: Robsonctl,
    daemon: ScriptedDaemon,
    monkeypatch: pytest.MonkeyPatch,
    said: Any,
    phrase: str,
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{phrase}\n"))
    daemon.refuse("unknown_command", "cmd was panic_preview")
    if said:
        daemon.reply(HelloResult(protocol=1, version="0", mode=said, state="live"))
    else:
        daemon.refuse("internal_error")
    daemon.reply(DONE)
    assert robsonctl("panic") == Exit.OK
    assert "could not be shown: cmd was panic_preview" in robsonctl.err
    assert [asked["cmd"] for asked in daemon.asked()] == ["panic_preview", "hello", "panic"]


def test_with_the_daemon_gone_it_names_the_way_without_one(robsonctl: Robsonctl) -> None:
    assert robsonctl("panic", "--yes", "--socket", "/nowhere/r.sock") == Exit.UNREACHABLE
    assert "robsonctl panic --direct" in robsonctl.err


def test_without_a_standard_input_nothing_is_asked(robsonctl: Robsonctl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert robsonctl("panic", "--socket", "/nowhere/r.sock") == Exit.NO_TERMINAL


class Spawned:
    """What was started in the place of `robson panic`."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.command: list[str] = []
        self.interruptions = 1

    def __call__(self, command: list[str], *, env: dict[str, str]) -> "Spawned":
        self.command, self.env = command, env
        return self

    def wait(self) -> int:
        if self.interruptions:
            self.interruptions -= 1
            raise KeyboardInterrupt
        return self.code


@pytest.mark.parametrize(("ended", "code"), [(0, 0), (5, 5), (78, 78), (-9, 137)])
def test_direct_runs_robson_next_to_itself_and_ends_as_it_does(
    robsonctl: Robsonctl, monkeypatch: pytest.MonkeyPatch, ended: int, code: int
) -> None:
    spawned = Spawned(ended)
    monkeypatch.setattr(subprocess, "Popen", spawned)
    options = (
        "--state-dir",
        "a b",
        "--config",
        "-x.toml",
        "--credentials-dir",
        "c",
        "--mode",
        "live",
        "--timeout",
        "9",
    )
    shown = ("--socket", "/nowhere/r.sock", "panic", "--direct", "--yes", "-o", "json")
    assert robsonctl(*shown, *options[:2], f"--config={options[3]}", *options[4:]) == code
    assert spawned.command[:5] == [sys.executable, "-P", "-m", "robson", "panic"]
    passed = robson_options(spawned.command[4:])
    assert passed == {
        "state_dir": "a b",
        "config": "-x.toml",
        "credentials_dir": "c",
        "mode": "live",
        "timeout": 9.0,
        "output": "json",
        "yes": True,
    }
    assert spawned.env["PYTHONPATH"].split(":")[0] == str(ROOT)


def test_direct_keeps_to_the_options_that_were_given(robsonctl: Robsonctl, monkeypatch: pytest.MonkeyPatch) -> None:
    spawned = Spawned(0)
    monkeypatch.setattr(subprocess, "Popen", spawned)
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    assert robsonctl("--socket", "/nowhere/r.sock", "panic", "--direct") == 0
    assert spawned.command[5:] == ["--output=table"]


def test_direct_is_refused_while_a_daemon_answers(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned = Spawned(0)
    monkeypatch.setattr(subprocess, "Popen", spawned)
    daemon.reply(HelloResult(protocol=1, version="0", mode="live", state="recovering"))
    assert robsonctl("panic", "--direct", "--yes") == Exit.REFUSED
    assert "daemon_alive" in robsonctl.err
    assert not spawned.command


def test_direct_wants_a_terminal_or_yes_as_well(robsonctl: Robsonctl, monkeypatch: pytest.MonkeyPatch) -> None:
    spawned = Spawned(0)
    monkeypatch.setattr(subprocess, "Popen", spawned)
    assert robsonctl("panic", "--direct", "--socket", "/nowhere/r.sock") == Exit.NO_TERMINAL
    assert not spawned.command


def robson_options(command: list[str]) -> dict[str, Any]:
    """What `robson` understands of a command line that it was started with, without what was not said."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return {name: value for name, value in vars(parser.parse_args(command[1:])).items() if value is not None}


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
