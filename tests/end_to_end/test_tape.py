"""A recorded tape, played through the daemon on its own clock: ten positions live through it, and the tape ends."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import Daemon, daemon
from tests.recorded import recorded

TAPE = "demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_11min.ws.jsonl.gz"
TICKS = "ticks/binance_spot_BTCUSDT_trades_20240808T2354.csv.gz"
BEGINS = datetime(2024, 8, 8, 23, 54, 10, tzinfo=UTC)
ENDS = datetime(2024, 8, 9, 0, 5, 5, tzinfo=UTC)

# Symbol, side, strategy and parameters of ten positions.
ARMED: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("BTCUSDT", "long", "signal", {}),
    ("BTCUSDT", "long", "immediate", {"stop_percent": "0.1"}),
    ("BTCUSDT", "long", "delay", {"seconds": "30", "stop_percent": "0.15"}),
    ("BTCUSDT", "long", "test", {"seconds": "90", "stop_percent": "0.2"}),
    ("BTCUSDT", "long", "delay", {"seconds": "3600", "stop_percent": "1"}),
    ("ETHUSDT", "short", "signal", {}),
    ("ETHUSDT", "short", "immediate", {"stop_percent": "0.1"}),
    ("ETHUSDT", "short", "delay", {"seconds": "45", "stop_percent": "0.3"}),
    ("ETHUSDT", "short", "delay", {"seconds": "150", "stop_percent": "0.15"}),
    ("ETHUSDT", "short", "delay", {"seconds": "200", "stop_percent": "4"}),
)


def at(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["at"])


def arm_all(robson: Daemon, armed: tuple[tuple[str, str, str, dict[str, str]], ...]) -> list[str]:
    """Arm in one go, so that not even a tape without a pause has begun before the last of them."""
    with robson.connect() as client:
        lines = [
            {"cmd": "arm", "symbol": symbol, "side": side, "strategy": strategy, "params": params, "capital": "3000"}
            for symbol, side, strategy, params in armed
        ]
        client.send(*map(json.dumps, lines))
        replies = [client.reply() for _ in lines]
    assert all(reply["ok"] for reply in replies), replies
    return [reply["result"]["position_id"] for reply in replies]


def close_what_is_open(robson: Daemon) -> None:
    for view in robson.ok("status")["positions"]:
        if view["state"] == "Armed":
            robson.ok("disarm", position_id=view["position_id"])
        else:
            outcome = robson.ok("close", position_id=view["position_id"])
            assert outcome["outcome"] == "closed", outcome


def assert_all_is_well(robson: Daemon, followed: list[dict[str, Any]], sides: dict[str, str]) -> None:
    status = robson.ok("status", all=True)
    assert {view["state"] for view in status["positions"]} == {"Closed"}
    events = robson.events()
    evidence.assert_gapless(events)
    assert followed == events[: len(followed)]
    assert robson.stop() == 0
    stored = evidence.journal_events(robson.state)
    assert [line["seq"] for line in stored] == [line["seq"] for line in events]
    evidence.assert_status_is_the_fold(status, evidence.folded(stored))
    evidence.assert_stops_ratchet(events, sides)
    evidence.assert_each_order_once(robson.state, events)
    evidence.assert_flat(robson.state)


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Daemon]:
    with daemon(tmp_path / "state", "--feed", "replay", "--file", str(recorded(TAPE)), "--speed", "60") as started:
        yield started


def test_ten_positions_live_through_the_tape(played: Daemon) -> None:
    ids = arm_all(played, ARMED)
    sides = {position_id: side for position_id, (_, side, _, _) in zip(ids, ARMED, strict=True)}
    follower = played.subscribe()
    for position_id, symbol, sign in ((ids[0], "BTCUSDT", -1), (ids[5], "ETHUSDT", 1)):
        entry = Decimal(played.price(symbol))
        stop = (entry * (1 + sign * Decimal("0.05"))).quantize(Decimal("0.01"))
        assert played.ok("signal", position_id=position_id, entry_price=str(entry), stop_price=str(stop))["accepted"]
    # Opposite to what is in the market: refused again and again, and its detector rests in the tape's time.
    (opposite,) = arm_all(played, (("BTCUSDT", "short", "immediate", {"stop_percent": "1"}),))
    sides[opposite] = "short"

    follower.event("feed_stale", where=lambda line: at(line) > ENDS)
    follower.event("feed_stale")
    status = played.ok("status")
    assert status["state"] == "degraded"
    assert {symbol: feed["stale"] for symbol, feed in status["feed"].items()} == {"BTCUSDT": True, "ETHUSDT": True}
    states = {view["position_id"]: view["state"] for view in status["positions"]}
    assert states[ids[0]] == states[ids[5]] == states[ids[9]] == "Active"
    assert states[ids[4]] == states[opposite] == "Armed"
    refused = played.arm("BTCUSDT", "long")
    sides[refused] = "long"
    stale = played.ok("signal", position_id=refused, entry_price="61000", stop_price="60000")
    assert (stale["accepted"], stale["reason"]["code"]) == (False, "feed_stale")
    close_what_is_open(played)
    follower.event("position_closed", position_id=ids[9])

    events = played.events()
    of_one = {i: [line for line in events if line["position_id"] == i] for i in sides}
    assert all(at(line) >= BEGINS for line in events)
    assert all(at(of_one[i][0]) < BEGINS + timedelta(seconds=30) for i in ids)
    by_stop = [line for line in events if line["event"] == "exit_triggered" and at(line) < ENDS]
    assert len(by_stop) >= 4
    assert {line["data"]["reason"] for line in by_stop} == {"trailing_stop"}
    for number, seconds in ((2, 30), (3, 90), (7, 45), (8, 150), (9, 200)):
        armed, signalled = (
            next(line for line in of_one[ids[number]] if line["event"] == kind)
            for kind in ("position_armed", "entry_signal_received")
        )
        waited = at(signalled) - at(armed)
        assert timedelta(seconds=seconds) <= waited < timedelta(seconds=seconds + 20), (number, waited)
    rests = [at(after) - at(before) for before, after in evidence.pairs_of(of_one[opposite], "signal_rejected")]
    assert len(rests) >= 5
    for number, rest in enumerate(rests):
        # 5 s doubling, and the seconds that the judgement itself and the next price may take.
        least = timedelta(seconds=5 * 2**number)
        assert least <= rest < least + timedelta(seconds=20), rests
    assert {line["data"]["code"] for line in of_one[opposite] if line["event"] == "signal_rejected"} == {"pair_busy"}
    assert_all_is_well(played, follower.events, sides)


def test_the_same_as_fast_as_it_goes(tmp_path: Path) -> None:
    with daemon(
        tmp_path / "state", "--feed", "replay", "--file", str(recorded(TAPE)), "--speed", "max",
        env={"ROBSON_FEED_STALE_AFTER_SECONDS": "3"},
    ) as robson:  # fmt: skip
        armed = tuple(row for row in ARMED if row[2] != "signal")
        ids = arm_all(robson, armed)
        follower = robson.subscribe()
        follower.event("feed_stale", where=lambda line: at(line) > ENDS)
        assert robson.ok("hello")["state"] == "degraded"
        close_what_is_open(robson)
        follower.event("position_closed", position_id=ids[-1])
        entered = {line["position_id"] for line in follower.events if line["event"] == "entry_filled"}
        assert entered == {i for i, row in zip(ids, armed, strict=True) if row[3].get("seconds") != "3600"}
        sides = {position_id: row[1] for position_id, row in zip(ids, armed, strict=True)}
        assert_all_is_well(robson, follower.events, sides)


def test_a_tape_of_trades_as_csv(tmp_path: Path) -> None:
    with daemon(
        tmp_path / "state", "--feed", "replay", "--file", str(recorded(TICKS)), "--speed", "max",
        env={"ROBSON_FEED_STALE_AFTER_SECONDS": "3"},
    ) as robson:  # fmt: skip
        assert robson.error("arm", symbol="ETHUSDT", side="long", strategy="immediate")["code"] == "unknown_symbol"
        armed = tuple(
            ("BTCUSDT", "long", "delay", {"seconds": str(after), "stop_percent": percent})
            for after, percent in ((0, "0.1"), (0, "0.5"), (100, "0.2"), (300, "0.1"), (400, "3"))
        )
        ids = arm_all(robson, armed)
        follower = robson.subscribe()
        follower.event("feed_stale", where=lambda line: at(line) > ENDS)
        assert robson.position(ids[4])["state"] == "Active"
        exits = [line["data"] for line in follower.events if line["event"] == "exit_triggered"]
        assert len(exits) >= 3
        for line in exits:
            # A long's stop is hit at or below it, by a trade of the tape.
            assert Decimal(line["price"]) <= Decimal(line["trailing_stop"])
            assert 3735683259 <= line["trade_id"] <= 3735703162
        close_what_is_open(robson)
        follower.event("position_closed", position_id=ids[4])
        assert_all_is_well(robson, follower.events, dict.fromkeys(ids, "long"))
