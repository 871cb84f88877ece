"""What the files say after the fact: the journal folded by the engine, the paper account, and rules that must hold."""

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from robson.domain.account import PairAccount
from robson.domain.codec import decode
from robson.domain.events import EVENT_TYPES, Fact, read_event
from robson.domain.position import Closed, Position
from robson.domain.values import PositionId
from robson.engine.evolve import fold
from robson.venue.ledger.pair import Pair

Line = dict[str, Any]


def rows(path: Path, query: str, *values: Any) -> list[Any]:
    """What a query finds in a database that may be in use."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def journal_events(state: Path) -> list[Line]:
    """The journal's sequence, read from its file as the socket would send it."""
    found = rows(state / "robson.db", "SELECT seq, at, position_id, type, data FROM events ORDER BY seq")
    return [
        {"event": kind, "seq": seq, "at": at, "position_id": position_id, "data": json.loads(data)}
        for seq, at, position_id, kind, data in found
    ]


def folded(events: Iterable[Line]) -> dict[str, Position]:
    """Every position of a sequence, made by the engine from its events alone."""
    facts: dict[str, list[Fact]] = {}
    for line in events:
        if line["event"] in EVENT_TYPES:
            fact = Fact(
                position_id=PositionId(line["position_id"]),
                at=datetime.fromisoformat(line["at"]),
                event=read_event(line["event"], json.dumps(line["data"])),
            )
            facts.setdefault(line["position_id"], []).append(fact)
    return {position_id: fold(life) for position_id, life in facts.items()}


def assert_status_is_the_fold(status: Line, positions: dict[str, Position], *, stops: bool = True) -> None:
    """Every position of `status` is what its events make of it; `stops`: those of Active ones, too (they may lead)."""
    shown = {view["position_id"]: view for view in status["positions"]}
    assert shown.keys() == positions.keys()
    for position_id, position in positions.items():
        view = shown[position_id]
        assert (view["symbol"], view["side"], view["state"]) == (position.symbol, position.side, position.state_name)
        assert (view["strategy"], Decimal(view["capital"])) == (position.strategy, position.capital)
        assert datetime.fromisoformat(view["armed_at"]) == position.armed_at
        if position.entry is not None:
            assert Decimal(view["quantity"]) == position.entry.quantity
            assert Decimal(view["entry_price"]) == position.entry.fill_price
            assert amounts(view["fees_by_asset"]) == position.fees_by_asset
        if position.trail is not None and stops:
            assert Decimal(view["trailing_stop"]) == position.trail.stop
            assert Decimal(view["extreme"]) == position.trail.extreme
        if isinstance(position.state, Closed):
            assert view["exit_reason"] == position.state.reason
            if position.state.result is not None:
                result = position.state.result
                assert Decimal(view["exit_price"]) == result.exit_price
                assert Decimal(view["realized_pnl"]) == result.realized_pnl
                assert (Decimal(view["fees"]), Decimal(view["interest"])) == (result.fees, result.interest)
                assert Decimal(view["net_pnl"]) == result.realized_pnl - result.fees - result.interest


def amounts(texts: dict[str, str]) -> dict[str, Decimal]:
    """Decimal strings as numbers."""
    return {asset: Decimal(text) for asset, text in texts.items()}


def assert_gapless(events: Sequence[Line]) -> None:
    """The sequence ascends from 1 without gaps."""
    assert [line["seq"] for line in events] == list(range(1, len(events) + 1))


def assert_stops_ratchet(events: Sequence[Line], sides: dict[str, str]) -> None:
    """No stop ever retreats, and each update begins where the one before ended."""
    stops: dict[str, Decimal] = {}
    for line in events:
        data, position_id = line["data"], line["position_id"]
        if line["event"] == "entry_filled":
            stops[position_id] = Decimal(data["trailing_stop"])
        elif line["event"] == "trailing_stop_updated":
            before, after = stops[position_id], Decimal(data["trailing_stop"])
            assert Decimal(data["previous_stop"]) == before, line
            assert after > before if sides[position_id] == "long" else after < before, line
            stops[position_id] = after
        elif line["event"] == "exit_triggered" and data["trailing_stop"] is not None:
            before, after = stops[position_id], Decimal(data["trailing_stop"])
            assert after >= before if sides[position_id] == "long" else after <= before, line


def assert_each_order_once(state: Path, events: Sequence[Line]) -> None:
    """Every order at the venue was placed once, was announced once, and has a name of its own."""
    at_venue = Counter(
        client_order_id for (client_order_id,) in rows(state / "paper-account.db", "SELECT client_order_id FROM orders")
    )
    placed = Counter(
        line["data"]["client_order_id"]
        for line in events
        if line["event"] in {"entry_order_placed", "exit_order_placed"}
    )
    assert set(at_venue.values()) <= {1}, at_venue
    assert set(placed.values()) <= {1}, placed
    # One that was announced and never sent is a signal_rejected; one at the venue that nobody announced is a loss.
    assert at_venue.keys() <= placed.keys()
    entries = Counter(line["position_id"] for line in events if line["event"] == "entry_filled")
    assert set(entries.values()) <= {1}, entries
    closed = Counter(line["position_id"] for line in events if line["event"] == "position_closed")
    assert set(closed.values()) <= {1}, closed


def accounts(state: Path) -> dict[str, PairAccount]:
    """The paper venue's accounts as its own file has them."""
    found = rows(state / "paper-account.db", "SELECT record FROM pairs")
    pairs = [decode(record, Pair).account for (record,) in found]
    return {account.symbol: account for account in pairs}


def assert_flat(state: Path, collateral: Decimal = Decimal(100_000)) -> None:
    """Nothing is owed and nothing is held but dust that a closed position has named; the money adds up."""
    named = rows(state / "robson.db", "SELECT symbol, dust_base FROM pairs")
    dust = {symbol: Decimal(text) for symbol, text in named}
    results = rows(state / "robson.db", "SELECT symbol, net_pnl FROM positions WHERE net_pnl IS NOT NULL")
    for symbol, account in accounts(state).items():
        assert account.base.debt == account.quote.debt == 0, account
        assert account.base.locked == account.quote.locked == 0, account
        assert account.base.total == dust.get(symbol, Decimal(0)), (account, dust)
        net = sum((Decimal(pnl) for of, pnl in results if of == symbol), Decimal(0))
        # Dust was paid for and is no position's any more; its worth and the pennies of rounded interest remain.
        assert abs(account.quote.total - collateral - net) < Decimal("2.5"), (account, net)


def pairs_of(events: Iterable[Line], kind: str) -> list[tuple[Line, Line]]:
    """Neighbouring events of one type."""
    return list(itertools.pairwise(line for line in events if line["event"] == kind))
