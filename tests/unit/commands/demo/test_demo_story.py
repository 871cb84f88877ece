"""A position's events in words, and the tables at the end."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from robson.commands.demo.story import Story
from robson.commands.demo.summary import events_table, journal_rows, pnl_table
from robson.domain.events import EVENT_TYPES
from robson.protocol.results import EventLine, PositionView
from robson.store.migrations import migrations

Data = dict[str, Any]

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LONG, SHORT = "a" * 32, "b" * 32

SIGNAL: Data = {
    "signal_id": "s",
    "entry_price": "95000",
    "technical_stop": "93500",
    "stop_distance": "1500",
    "quantity": "0.06666",
    "evidence": {"technical_stop": {"method": "swing", "reason": "level 2 of 3"}},
}
FILLED: Data = {
    "client_order_id": "c",
    "venue_order_id": "1",
    "fill_price": "95100.0000263",
    "quantity": "0.06666",
    "fees_by_asset": {"BTC": "0.00006666"},
    "trailing_stop": "93600",
}
CLOSED: Data = {
    "exit_reason": "trailing_stop",
    "entry_price": "95100",
    "exit_price": "96000",
    "quantity": "0.06666",
    "realized_pnl": "59.994",
    "fees": "12.7386",
    "interest": "0",
    "net_pnl": "47.2554",
    "dust": "0.00000334",
}


def line(event: str, data: Data, *, seq: int = 1, position_id: str | None = LONG) -> EventLine:
    return EventLine(event=event, seq=seq, at=AT, position_id=position_id, data=data)


def armed(position_id: str = LONG, side: str = "long", symbol: str = "BTCUSDT") -> EventLine:
    terms = {"symbol": symbol, "side": side, "strategy": "immediate", "capital": "10000", "risk_percent": "1"}
    return line("position_armed", terms, position_id=position_id)


@pytest.fixture
def story() -> Story:
    story = Story()
    story.take(armed())
    return story


def told(story: Story, event: EventLine) -> str:
    return "\n".join(story.take(event)[1])


def test_the_golden_rule_is_spelled_out(story: Story) -> None:
    words = told(story, line("entry_signal_received", SIGNAL))
    assert "signal: entry 95000, technical stop 93500 (level 2 of 3, 1.58 % away)" in words
    assert "Golden Rule: 10000 x 1 % = 100 USDT at risk" in words
    assert "100 / |95000 - 93500| = 0.06666667 BTC, floored to 0.06666" in words


def test_a_cut_is_named_with_its_reason(story: Story) -> None:
    words = told(story, line("entry_signal_received", SIGNAL | {"quantity": "0.05", "cut_by": "leverage"}))
    assert "floored to 0.06666 and CUT to 0.05 by leverage" in words


def test_an_entry_tells_fill_fee_and_first_stop(story: Story) -> None:
    story.take(line("entry_signal_received", SIGNAL))
    words = told(story, line("entry_filled", FILLED))
    assert "bought 0.06666 at 95100, fee 0.00006666 BTC" in words
    assert "the stop follows the best price at 1500: it begins at 93600" in words


def test_stop_updates_are_counted_not_told(story: Story) -> None:
    story.take(line("entry_filled", FILLED))
    for stop in ("94000", "94500"):
        moved = {"previous_stop": "93600", "trailing_stop": stop, "extreme": "96000"}
        assert not told(story, line("trailing_stop_updated", moved))
    hit = {"reason": "trailing_stop", "price": "94400", "trailing_stop": "94500"}
    words = told(story, line("exit_triggered", hit))
    assert "the price 94400 hit the stop 94500 (2 updates, from 93600)" in words


def test_a_short_buys_back_more_than_it_sold_and_the_story_says_why() -> None:
    story = Story()
    story.take(armed(SHORT, "short", "ETHUSDT"))
    filled = FILLED | {"fees_by_asset": {"USDT": "5"}, "borrowed": {"ETH": "0.06666"}}
    assert "sold 0.06666 at 95100, fee 5 USDT, 0.06666 ETH borrowed" in told(
        story, line("entry_filled", filled, position_id=SHORT)
    )
    order = {"client_order_id": "x", "attempt": 1, "fence": "clock", "order_side": "buy", "quantity": "0.0668"}
    assert "buy 0.0668 ETH at market: the 0.06666 it sold, the interest and the fee" in told(
        story, line("exit_order_placed", order, position_id=SHORT)
    )


def test_the_end_tells_gross_costs_and_net(story: Story) -> None:
    words = told(story, line("position_closed", CLOSED))
    assert "closed (trailing stop): gross +59.99, fees 12.74, interest 0.00" in words
    assert "NET +47.26 USDT" in words
    assert not story.open


def test_a_disarmed_position_is_over_without_a_result(story: Story) -> None:
    assert "disarmed" in told(story, line("position_disarmed", {}))
    assert story.tales[LONG].is_over
    assert story.tales[LONG].closed is None


def test_a_notice_about_no_position_is_told_as_it_is(story: Story) -> None:
    tale, words = story.take(line("feed_stale", {"symbol": "BTCUSDT", "age_seconds": "11.2"}, position_id=None))
    assert tale is None
    assert words == ("03:04:05  feed_stale symbol=BTCUSDT age_seconds=11.2",)


def test_lines_after_the_first_stand_under_the_words_not_under_the_time(story: Story) -> None:
    first, second, *_ = story.take(line("entry_signal_received", SIGNAL))[1]
    assert first.startswith("03:04:05  BTCUSDT  long  signal")
    assert second.index("Golden") == first.index("signal")


def test_stop_updates_in_a_row_share_a_line_of_the_table() -> None:
    moved = {"previous_stop": "1", "trailing_stop": "2", "extreme": "3"}
    events = [
        armed(),
        line("trailing_stop_updated", moved, seq=2),
        line("trailing_stop_updated", moved | {"trailing_stop": "7"}, seq=3, position_id=SHORT),
        line("trailing_stop_updated", moved | {"trailing_stop": "5"}, seq=4),
        line("position_closed", CLOSED, seq=5),
        line("trailing_stop_updated", moved, seq=6, position_id=SHORT),
    ]
    rows = [row.split() for row in events_table(events).splitlines()]
    assert [row[0] for row in rows] == ["SEQ", "1", "2-4", "5", "6"]
    assert rows[2][2:] == ["trailing_stop_updated", "x3", "aaaaaaaa", "to", "5,", "bbbbbbbb", "to", "7"]


def test_every_event_type_has_a_row_even_with_fields_that_nobody_picked() -> None:
    kinds = [kind for kind in EVENT_TYPES if kind != "trailing_stop_updated"]
    table = events_table([line(kind, {"code": "c"}, seq=seq) for seq, kind in enumerate(kinds, start=1)])
    assert [row.split()[3] for row in table.splitlines()[1:]] == kinds


def test_the_result_is_shown_in_quote_and_against_the_risk() -> None:
    view = PositionView(
        position_id=LONG,
        symbol="BTCUSDT",
        side="long",
        state="Closed",
        strategy="immediate",
        capital=Decimal(10000),
        risk_percent=Decimal(1),
        realized_pnl=Decimal("59.994"),
        fees=Decimal("12.7386"),
        interest=Decimal(0),
        net_pnl=Decimal("47.2554"),
        armed_at=AT,
    )
    rows = pnl_table([view]).splitlines()
    assert rows[1].split()[-5:] == ["+59.99", "12.74", "0.00", "+47.26", "+0.47"]
    assert rows[2].split() == ["together", "+47.26"]


def test_the_rows_of_a_journal_come_from_its_own_view(tmp_path: Path) -> None:
    path = tmp_path / "robson.db"
    database = Database(path)
    migrations.apply(database)
    database.close()
    rows, events = journal_rows(path)
    assert rows.split() == ["symbol", "side", "exit_reason", "entry_price", "exit_price", "net_pnl"]
    assert events == 0
