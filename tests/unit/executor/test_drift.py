"""What one look at a pair concludes: nothing without fills, shares by what is held, the trader's own left alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.domain.account import Leg, Liquidation, PairAccount, PairTerms, Trade
from robson.domain.ids import entry_order_id
from robson.domain.instrument import Instrument
from robson.domain.position import Active, Entry, Position, Signal, Trail
from robson.domain.values import ClientOrderId, ExitReason, OrderSide, PositionId, Side
from robson.executor import sighting
from robson.executor.drift import compare
from robson.executor.sighting import Finding, OrderElsewhere, Sight
from robson.ports import OrderReport, PairRecord

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAIR = Instrument(
    symbol="ABCUSDT",
    base="ABC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    step_size=Decimal("0.001"),
    minimum_quantity=Decimal("0.001"),
    minimum_notional=Decimal(5),
)
PRICE = Decimal(100)
LONG, SHORT, BUY, SELL = Side.LONG, Side.SHORT, OrderSide.BUY, OrderSide.SELL


def position(side: Side = LONG, quantity: str = "10", name: str = "p1", borrowed: str = "500") -> Position:
    amount = Decimal(quantity)
    signal = Signal(
        signal_id="s", entry_price=PRICE, technical_stop=Decimal(95), stop_distance=Decimal(5), quantity=amount
    )
    entry = Entry(
        client_order_id=entry_order_id(PositionId(name), "s"),
        venue_order_id="1",
        fill_price=PRICE,
        quantity=amount,
        fees_by_asset={},
        borrowed={"USDT": Decimal(borrowed)} if side is LONG else {"ABC": amount},
        trade_id=None,
        filled_at=NOON - timedelta(minutes=5),
    )
    trail = Trail(stop=Decimal(95), extreme=PRICE, distance=Decimal(5))
    return Position(
        position_id=PositionId(name),
        symbol="ABCUSDT",
        side=side,
        strategy="signal",
        capital=Decimal(1000),
        risk_percent=Decimal(1),
        params={},
        armed_at=NOON - timedelta(minutes=6),
        state=Active(signal=signal, entry=entry, trail=trail),
    )


def order(side: OrderSide, quantity: str, number: int = 1, price: str = "101", name: str = "by-hand") -> OrderElsewhere:
    amount = Decimal(quantity)
    trade = Trade(
        trade_id=number,
        venue_order_id=f"9{number}",
        price=Decimal(price),
        quantity=amount,
        fee=amount * Decimal(price) / 1000 if side is SELL else Decimal(0),
        fee_asset="USDT",
        at=NOON - timedelta(minutes=1),
    )
    return OrderElsewhere(client_order_id=name, venue_order_id=f"9{number}", order_side=side, trades=(trade,))


def look(
    *positions: Position, base: str = "0", owed: str = "0", orders: tuple[OrderElsewhere, ...] = (), **more: Any
) -> tuple[Finding, ...]:
    leg = Leg(free=Decimal(base), borrowed=Decimal(owed), interest=Decimal(more.pop("interest", "0")))
    record = more.pop("pair", {})
    quote = more.pop("quote_owed", "500")
    sight = Sight(
        instrument=PAIR,
        terms=PairTerms(),
        price=PRICE,
        account=PairAccount(symbol="ABCUSDT", base=leg, quote=Leg(borrowed=Decimal(quote))),
        pair=PairRecord(symbol="ABCUSDT", baseline_quote=Decimal(0), **{"baseline_base": Decimal(0), **record}),
        positions=positions or (position(),),
        now=NOON,
        orders=orders,
        principal_quote=Decimal(more.pop("principal", "500")),
        **more,
    )
    return compare(sight)


def only(*positions: Position, **more: Any) -> Finding:
    (finding,) = look(*positions, **more)
    return finding


def test_a_whole_account_says_nothing() -> None:
    assert look(base="10") == ()
    assert look(position(SHORT), owed="10") == ()
    # Less than one order is no difference, and interest lets a short's debt grow.
    assert look(base="9.951") == ()
    assert look(position(SHORT), owed="10.02", interest="0.5") == ()


def test_a_sale_of_everything_closes_a_long_with_its_own_fills() -> None:
    finding = only(orders=(order(SELL, "4", 1, "102"), order(SELL, "6", 2, "101")))
    assert finding.kind == sighting.CLOSED
    ((position_id, fill),) = finding.fills
    assert (position_id, fill.closes, fill.reason) == ("p1", True, ExitReason.CLOSED_ELSEWHERE)
    assert (fill.quantity, fill.quote) == (Decimal(10), Decimal(4 * 102 + 6 * 101))
    assert fill.fees_by_asset == {"USDT": Decimal("1.014")}
    assert (fill.client_order_id, fill.venue_order_id, fill.trade_id) == ("by-hand", "92", 2)
    assert finding.pair is not None
    assert finding.pair.judged_trade_id == 2


def test_nothing_is_concluded_without_fills() -> None:
    assert (only().kind, only().is_settled) == (sighting.MISSING, False)
    partly = only(orders=(order(SELL, "6"),))
    assert (partly.kind, partly.is_settled) == (sighting.MISSING, False)
    assert "10 ABC were held by our fills, 0 by the account; orders elsewhere explain 6" in partly.message
    # A sale that was bought back again explains nothing either.
    there_and_back = only(orders=(order(SELL, "10"), order(BUY, "10", 2)))
    assert there_and_back.kind == sighting.MISSING


def test_a_part_is_a_reduction() -> None:
    finding = only(base="6", orders=(order(SELL, "4"),))
    assert finding.kind == sighting.REDUCED
    ((_, fill),) = finding.fills
    assert (fill.quantity, fill.quote, fill.closes) == (Decimal(4), Decimal(404), False)


def test_the_traders_own_is_sold_before_ours() -> None:
    own = {"baseline_base": Decimal(3)}
    finding = only(base="10", orders=(order(SELL, "3"),), pair=own)
    assert (finding.kind, finding.fills) == (sighting.DECREASED, ())
    assert finding.pair is not None
    assert finding.pair.baseline_base == 0
    finding = only(base="8", orders=(order(SELL, "5"),), pair=own)
    assert finding.kind == sighting.REDUCED
    ((_, fill),) = finding.fills
    assert (fill.quantity, fill.quote) == (Decimal(2), Decimal(202))
    assert finding.pair is not None
    assert finding.pair.baseline_base == 0


def test_a_short_that_was_bought_back_with_the_fee_in_base() -> None:
    bought = order(BUY, "10.01")
    (trade,) = bought.trades
    bought = msgspec.structs.replace(
        bought, trades=(msgspec.structs.replace(trade, fee=Decimal("0.01001"), fee_asset="ABC"),)
    )
    finding = only(position(SHORT), orders=(bought,))
    assert finding.kind == sighting.CLOSED
    ((_, fill),) = finding.fills
    assert fill.quote / fill.quantity == 101
    assert abs(fill.quantity - fill.fees_by_asset["ABC"] - Decimal("9.99999")) < Decimal("0.0001")


def test_base_that_came_without_a_fill_is_the_traders() -> None:
    finding = only(base="12")
    assert finding.kind == sighting.INCREASED
    assert finding.pair is not None
    assert (finding.pair.baseline_base, finding.pair.handed_quote) == (Decimal(2), 0)
    assert only(position(SHORT), base="4", owed="10").kind == sighting.INCREASED


def test_base_bought_on_credit_is_the_traders_with_the_debt_of_that_purchase_only() -> None:
    finding = only(base="12", orders=(order(BUY, "2"),), quote_owed="900")
    assert finding.kind == sighting.INCREASED
    assert finding.pair is not None
    assert (finding.pair.baseline_base, finding.pair.handed_quote) == (Decimal(2), Decimal(202))


def test_base_sold_on_credit_beside_a_short_is_the_traders_debt() -> None:
    finding = only(position(SHORT), owed="13", orders=(order(SELL, "3"),))
    assert finding.kind == sighting.BORROWED
    assert finding.pair is not None
    assert finding.pair.handed_base == 3
    assert only(position(SHORT), owed="13").kind == sighting.DEBT_UNEXPLAINED


def test_what_several_hold_is_divided_only_when_all_of_it_is_gone() -> None:
    two = (position(quantity="10"), position(quantity="5", name="p2"))
    assert only(*two, base="9", orders=(order(SELL, "6"),)).kind == sighting.SHARED
    finding = only(*two, orders=(order(SELL, "15"),))
    assert finding.kind == sighting.CLOSED
    assert [(name, fill.quantity, fill.quote) for name, fill in finding.fills] == [
        ("p1", Decimal(10), Decimal(1010)),
        ("p2", Decimal(5), Decimal(505)),
    ]


def test_a_liquidation_takes_every_position_by_its_share_and_leaves_the_rest_to_be_sold() -> None:
    record = Liquidation(venue_order_id="91", order_side=SELL, average_price=Decimal(90), executed=Decimal(12), at=NOON)
    two = (position(quantity="10"), position(quantity="5", name="p2"))
    finding = only(*two, base="3", orders=(order(SELL, "12", price="90", name="autoclose-1"),), liquidations=(record,))
    assert finding.kind == sighting.LIQUIDATED
    assert [(fill.quantity, fill.closes, fill.reason) for _, fill in finding.fills] == [
        (Decimal(8), True, ExitReason.LIQUIDATED),
        (Decimal(4), True, ExitReason.LIQUIDATED),
    ]


def test_a_liquidation_without_a_trade_is_evidence_only_when_something_is_gone() -> None:
    record = Liquidation(venue_order_id=None, order_side=None, average_price=PRICE, executed=Decimal(0), at=NOON)
    finding = only(liquidations=(record,))
    assert finding.kind == sighting.LIQUIDATED
    assert finding.fills[0][1].quantity == 0
    assert look(base="10", liquidations=(record,)) == ()


def test_orders_that_change_nothing_are_reported() -> None:
    finding = only(base="10", orders=(order(SELL, "1"), order(BUY, "1", 2)))
    assert (finding.kind, finding.fills) == (sighting.ORDERS, ())
    assert finding.pair is not None
    assert finding.pair.judged_trade_id == 2


def test_an_unknown_order_with_an_id_of_ours_keeps_the_account_from_being_judged() -> None:
    ours = entry_order_id(PositionId("nobody"), "s")
    finding = only(base="12", orders=(order(BUY, "2", name=ours),))
    assert (finding.kind, finding.is_settled) == (sighting.UNKNOWN_ORDER, False)
    # An exit with such an id has sold what is missing, like anybody's.
    assert only(orders=(order(SELL, "10", name=ours),)).kind == sighting.CLOSED


@pytest.mark.parametrize(
    ("name", "kind"),
    [("limit-of-mine", sighting.ORDERS), (entry_order_id(PositionId("nobody"), "s"), sighting.UNKNOWN_ORDER)],
)
def test_a_resting_order_is_reported(name: str, kind: str) -> None:
    resting = OrderReport(
        symbol="ABCUSDT",
        client_order_id=ClientOrderId(name),
        venue_order_id="5",
        status="NEW",
        order_side=SELL,
        quantity=Decimal(1),
        executed=Decimal(0),
        executed_quote=None,
        at=NOON,
    )
    finding = only(base="10", open_orders=(resting,))
    assert (finding.kind, finding.is_settled) == (kind, False)
    assert name in finding.message


def test_a_debt_that_somebody_repaid_is_told_beyond_what_was_less_before() -> None:
    finding = only(base="10", quote_owed="400")
    assert (finding.kind, finding.is_settled) == (sighting.DEBT_REPAID, False)
    assert look(base="10", quote_owed="400", repaid=Decimal(100)) == ()
    assert look(base="10", quote_owed="496") == ()


def test_equal_findings_of_two_looks_are_the_same_one_and_others_are_not() -> None:
    sold = only(orders=(order(SELL, "10"),))
    assert sold.key == only(orders=(order(SELL, "10"),)).key
    assert sold.key != only(orders=(order(SELL, "10", number=2),)).key
    assert only().key == only().key
    assert only().key != only(base="1").key
