"""What others do with a position's holding, and what that does to its exit and its money."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.domain.account import Leg, PairAccount
from robson.domain.errors import RuleError
from robson.domain.events import EntryFilled, ExitFilled, ExitOrderPlaced, ExitTriggered, PositionClosed
from robson.domain.position import Active, Closed
from robson.domain.stimuli import ExitRequested, HoldingAdopted, Neighbour, ReleaseRequested
from robson.domain.values import ExitReason, Side
from robson.engine.decide import decide
from tests.unit.engine.samples import (
    ADOPTED,
    BTCUSDT,
    CLOSE,
    EXIT_TERMS,
    FLAT,
    GONE,
    HIT,
    NOON,
    REDUCED,
    armed,
    entry_fill,
    exit_fill,
    only,
    run,
    signal,
    trace,
)

RELEASE = ReleaseRequested(instrument=BTCUSDT, interest=Decimal("0.5"))


def active() -> Any:
    return run(armed(), signal(), entry_fill())


def test_an_exit_after_a_reduction_sells_only_what_is_left() -> None:
    decision = trace(active(), REDUCED, HIT)[-1]
    # 0.06666 bought, 0.00006666 kept as fee, 0.03 sold by hand: 0.03659334 floored.
    assert only(ExitOrderPlaced, decision).quantity == Decimal("0.03659")


def test_a_reduced_short_buys_back_what_is_still_owed_and_the_fee_that_was_kept() -> None:
    short = run(armed(Side.SHORT), signal(95_000, 96_500), entry_fill(quantity="0.06666"))
    bought = msgspec.structs.replace(REDUCED, fees_by_asset={"BTC": Decimal("0.00003")})
    decision = trace(short, bought, ExitRequested(reason=ExitReason.OPERATOR_CLOSE, exit_terms=EXIT_TERMS))[-1]
    # (0.06666 - 0.03 + 0.00003) / 0.999, rounded up.
    assert only(ExitOrderPlaced, decision).quantity == Decimal("0.03673")


def test_the_profit_of_a_reduced_position_counts_the_foreign_fill() -> None:
    reduced = run(active(), REDUCED, CLOSE)
    order = reduced.exit.orders[0].client_order_id  # type: ignore[union-attr]
    closed = trace(reduced, exit_fill(order, price=95_500, quantity="0.03659"), FLAT)[-1]
    event = only(PositionClosed, closed)
    average = (Decimal("0.03") * 95_200 + Decimal("0.03659") * 95_500) / Decimal("0.06659")
    assert abs(event.exit_price - average) < Decimal("1e-8")
    assert event.exit_reason is ExitReason.OPERATOR_CLOSE
    assert event.fees == Decimal("0.00006666") * 95_000 + Decimal("2.856") + Decimal("0.03659") * 95_500 / 1000


def test_closed_by_hand_is_closed_elsewhere_at_the_price_of_the_foreign_fill() -> None:
    gone = trace(active(), GONE)[-1]
    assert only(ExitTriggered, gone).reason is ExitReason.CLOSED_ELSEWHERE
    assert only(ExitFilled, gone).elsewhere is ExitReason.CLOSED_ELSEWHERE
    event = only(PositionClosed, trace(gone.position, FLAT)[-1])
    assert (event.exit_reason, event.exit_price) == (ExitReason.CLOSED_ELSEWHERE, Decimal(95_200))
    assert event.realized_pnl == 200 * Decimal("0.06666")


@pytest.mark.parametrize(
    ("reason", "sells", "expected"),
    [
        (ExitReason.CLOSED_ELSEWHERE, False, ExitReason.CLOSED_ELSEWHERE),
        (ExitReason.CLOSED_ELSEWHERE, True, ExitReason.TRAILING_STOP),
        (ExitReason.LIQUIDATED, True, ExitReason.LIQUIDATED),
    ],
)
def test_what_others_did_while_exiting_names_the_reason_unless_our_own_order_sold(
    reason: ExitReason, sells: bool, expected: ExitReason
) -> None:
    exiting = run(active(), HIT)
    order = exiting.exit.orders[0].client_order_id  # type: ignore[union-attr]
    own = (exit_fill(order, quantity="0.01"),) if sells else ()
    found = msgspec.structs.replace(GONE, reason=reason, closes=False)
    closed = run(exiting, *own, found, FLAT)
    assert isinstance(closed.state, Closed)
    assert closed.state.reason is expected


def test_a_liquidation_without_a_trade_is_no_fill() -> None:
    taken = msgspec.structs.replace(GONE, reason=ExitReason.LIQUIDATED, quantity=Decimal(0), quote=Decimal(0))
    decision = trace(active(), taken)[-1]
    assert [type(fact.event) for fact in decision.facts] == [ExitTriggered]


def test_released_nothing_is_ordered_and_what_is_left_counts_at_the_entry() -> None:
    decision = trace(active(), RELEASE)[-1]
    event = only(PositionClosed, decision)
    assert not decision.actions
    assert (event.exit_reason, event.exit_price, event.realized_pnl) == (ExitReason.RELEASED, 95_000, 0)
    assert event.net_pnl == -event.fees - Decimal("0.5")
    reduced = only(PositionClosed, trace(active(), REDUCED, RELEASE)[-1])
    assert abs(reduced.realized_pnl - Decimal("0.03") * 200) < Decimal("1e-8")


def test_an_adopted_holding_stands_behind_its_stop_with_its_loan() -> None:
    decision = decide(armed(), ADOPTED, NOON)
    filled = only(EntryFilled, decision)
    assert (filled.client_order_id, filled.venue_order_id) == ("", "")
    assert (filled.fill_price, filled.trailing_stop) == (Decimal(95_000), Decimal(93_500))
    state = decision.position.state
    assert isinstance(state, Active)
    assert state.entry.borrowed == {"USDT": Decimal(4_000)}
    assert not decision.actions


def refused(side: Side = Side.LONG, terms: dict[str, Any] | None = None, **changes: object) -> str:
    stimulus: HoldingAdopted = msgspec.structs.replace(
        ADOPTED, terms=msgspec.structs.replace(ADOPTED.terms, **(terms or {})), **changes
    )
    with pytest.raises(RuleError) as caught:
        decide(armed(side), stimulus, NOON)
    return caught.value.code


def test_an_adoption_is_refused_by_the_rules_of_an_entry() -> None:
    assert refused(technical_stop=Decimal(96_000)) == "stop_on_wrong_side"
    assert refused(technical_stop=Decimal(94_990)) == "stop_too_near"
    assert refused(technical_stop=Decimal(80_000)) == "stop_too_far"
    assert refused(price=Decimal(93_500)) == "stop_passed"
    assert refused(Side.SHORT, technical_stop=Decimal(96_000), price=Decimal(96_000)) == "stop_passed"
    assert refused(quantity=Decimal("0.00005")) == "below_minimum"
    assert refused(quantity=Decimal("0.000055")) == "unsellable_at_stop"
    assert refused(terms={"latched": True}) == "panic_latched"
    assert refused(terms={"degraded": "the disk is full"}) == "degraded"
    assert refused(terms={"stale": True}) == "feed_stale"
    other = Neighbour(side=Side.SHORT, in_market=True, stop=None)
    assert refused(terms={"neighbours": (other,)}) == "pair_busy"


def test_the_debt_of_the_account_does_not_bar_an_adoption() -> None:
    owing = PairAccount(
        symbol="BTCUSDT", base=Leg(free=Decimal("0.05")), quote=Leg(borrowed=Decimal(4_000), interest=Decimal(1))
    )
    terms = msgspec.structs.replace(ADOPTED.terms, account=owing, unexplained_debt=Decimal(4_000))
    assert decide(armed(), msgspec.structs.replace(ADOPTED, terms=terms), NOON).position.state_name == "Active"
