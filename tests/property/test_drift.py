"""Whatever is done by hand in an account: shares never exceed evidence or holding, and a settled look is silent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from robson.domain.account import Leg, PairAccount, PairTerms, Trade
from robson.domain.position import Position
from robson.domain.values import OrderSide, Side, exit_order_side
from robson.engine.decide import decide
from robson.executor import sighting
from robson.executor.drift import compare
from robson.executor.sighting import OrderElsewhere, Sight, share_of
from robson.ports import PairRecord
from tests.unit.executor.test_drift import NOON, PAIR, PRICE, position

ZERO = Decimal(0)
AMBIGUOUS = {sighting.MISSING, sighting.DEBT_MISSING, sighting.DEBT_UNEXPLAINED, sighting.SHARED}
steps = st.integers(min_value=1, max_value=20_000).map(lambda number: Decimal(number) / 1000)
sides = st.sampled_from(list(Side))
traded = st.lists(st.tuples(st.sampled_from(list(OrderSide)), steps, st.booleans()), max_size=5)


def orders_of(trades: list[tuple[OrderSide, Decimal, bool]]) -> tuple[OrderElsewhere, ...]:
    """Each as an order with one trade; the flag says that the fee was kept from the base bought."""
    return tuple(
        OrderElsewhere(
            client_order_id=f"by-hand-{number}",
            venue_order_id=str(number),
            order_side=side,
            trades=(
                Trade(
                    trade_id=number,
                    venue_order_id=str(number),
                    price=PRICE,
                    quantity=quantity,
                    fee=(quantity / 1000).quantize(Decimal("1e-8")) if in_base and side is OrderSide.BUY else ZERO,
                    fee_asset="ABC",
                    at=NOON - timedelta(minutes=1),
                ),
            ),
        )
        for number, (side, quantity, in_base) in enumerate(trades, 1)
    )


def account_of(net: Decimal) -> PairAccount:
    """What is held is free, what is missing is borrowed: an isolated account nets."""
    leg = Leg(free=max(net, ZERO), borrowed=max(-net, ZERO))
    return PairAccount(symbol="ABCUSDT", base=leg, quote=Leg(borrowed=Decimal(500)))


@given(
    side=sides,
    quantities=st.lists(steps, min_size=1, max_size=3),
    own=st.one_of(st.just(ZERO), steps),
    trades=traded,
    moved=st.one_of(st.just(ZERO), steps, steps.map(lambda amount: -amount)),
)
def test_what_is_settled_is_explained_and_settles_it(
    side: Side,
    quantities: list[Decimal],
    own: Decimal,
    trades: list[tuple[OrderSide, Decimal, bool]],
    moved: Decimal,
) -> None:
    positions = tuple(position(side, str(quantity), f"p{number}", "0") for number, quantity in enumerate(quantities))
    orders = orders_of(trades)
    net = own + side.sign * sum(quantities, ZERO) + moved
    for order in orders:
        net += order.moved("ABC") if order.order_side is OrderSide.BUY else -order.moved("ABC")
    pair = PairRecord(symbol="ABCUSDT", baseline_base=own, baseline_quote=ZERO)
    sight = Sight(
        instrument=PAIR,
        terms=PairTerms(),
        price=PRICE,
        account=account_of(net),
        pair=pair,
        positions=positions,
        now=NOON,
        orders=orders,
        principal_quote=Decimal(500),
    )
    findings = compare(sight)
    assert len(findings) <= 1
    if not findings:
        return
    (finding,) = findings
    evidence = sum((order.moved("ABC") for order in orders if order.order_side is exit_order_side(side)), ZERO)
    after, taken = [], ZERO
    shares = dict(finding.fills)
    for one in positions:
        fill = shares.get(one.position_id)
        assert fill is None or fill.quantity <= sum((order.quantity for order in orders), ZERO)
        felt = decide(one, fill, datetime(2026, 3, 1, 13, tzinfo=UTC)).position if fill is not None else one
        taken += share_of(one, "ABC") - share_of(felt, "ABC")
        after.append(felt)
    assert taken <= evidence + Decimal("1e-6")
    if finding.kind in AMBIGUOUS:
        assert not finding.is_settled
        return
    assert finding.pair is not None
    assert finding.pair.baseline_base >= 0
    left = tuple(one for one in after if one.state_name == "Active")
    if not left:
        return
    settled = msgspec.structs.replace(sight, positions=left, pair=finding.pair, orders=())
    if len(left) == len(positions):
        assert compare(settled) == ()


@given(side=sides, quantities=st.lists(steps, min_size=1, max_size=3), moved=steps, own=steps)
def test_without_orders_no_position_is_ever_touched(
    side: Side, quantities: list[Decimal], moved: Decimal, own: Decimal
) -> None:
    positions: tuple[Position, ...] = tuple(
        position(side, str(quantity), f"p{number}") for number, quantity in enumerate(quantities)
    )
    for sign in (1, -1):
        net = own + side.sign * sum(quantities, ZERO) + sign * moved
        findings = compare(
            Sight(
                instrument=PAIR,
                terms=PairTerms(),
                price=PRICE,
                account=account_of(net),
                pair=PairRecord(symbol="ABCUSDT", baseline_base=own, baseline_quote=ZERO),
                positions=positions,
                now=NOON,
                principal_quote=Decimal(500),
            )
        )
        assert all(not finding.fills for finding in findings)
