"""Two exits on an account that the self fence accepts: whatever their order, sizes and price, one at most is whole."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from robson.domain.account import Leg, PairAccount
from robson.domain.instrument import Instrument
from robson.domain.values import Side
from robson.executor.self_fence import PRICE_MARGIN, funds_one_only
from tests.strategies import thorough

ZERO = Decimal(0)
PAIR = Instrument(
    symbol="ABCUSDT",
    base="ABC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    step_size=Decimal("0.001"),
    minimum_quantity=Decimal("0.001"),
    minimum_notional=Decimal(5),
)
amounts = st.decimals(min_value=0, max_value=20, places=8)
quantities = st.decimals(min_value="0.1", max_value=5, places=3)
prices = st.decimals(min_value=50, max_value=500, places=2)


def executed(wanted: Decimal, affordable: Decimal, share: Decimal, *, whole: bool) -> Decimal:
    """What the venue makes of a market order: refused whole when underfunded, or capped; then filled in part."""
    if wanted > affordable:
        if whole:
            return ZERO
        wanted = PAIR.floor(affordable)
    return PAIR.floor(wanted * share)


@thorough
@given(quantities, amounts, prices, st.decimals(0, 1, places=2), st.decimals(0, 1, places=2), st.booleans())
def test_two_sales_never_sell_more_than_a_crumb_of_what_is_not_the_positions(
    quantity: Decimal, beyond: Decimal, price: Decimal, first: Decimal, second: Decimal, whole: bool
) -> None:
    account = PairAccount(symbol="ABCUSDT", base=Leg(free=quantity + beyond), quote=Leg())
    if not funds_one_only(Side.LONG, quantity, account, PAIR, price):
        return
    sold = executed(quantity, quantity + beyond, first, whole=whole)
    sold += executed(quantity, quantity + beyond - sold, second, whole=whole)
    assert sold - quantity < PAIR.smallest_sellable(price)
    assert sold <= quantity + beyond


@thorough
@given(
    quantities,
    amounts,
    prices,
    st.decimals(min_value="0.7", max_value="1.3", places=3),
    st.decimals(0, 1, places=2),
    st.booleans(),
)
def test_two_purchases_are_both_whole_only_after_the_price_fell_by_the_margin(
    quantity: Decimal, beyond: Decimal, price: Decimal, move: Decimal, first: Decimal, whole: bool
) -> None:
    quote = quantity * price * (1 + beyond / 20)
    account = PairAccount(symbol="ABCUSDT", base=Leg(borrowed=quantity), quote=Leg(free=quote))
    if not funds_one_only(Side.SHORT, quantity, account, PAIR, price):
        return
    now = price * move
    bought = executed(quantity, quote / now, first, whole=whole)
    bought += executed(quantity, quote / now - bought, Decimal(1), whole=whole)
    # Too much is less than one whole exit, unless the price gave way; it is sold again before Closed.
    if bought >= 2 * quantity:
        assert now < price / PRICE_MARGIN


@thorough
@given(quantities, amounts, amounts, prices, st.sampled_from(Side))
def test_more_on_the_account_never_makes_the_fence_hold(
    quantity: Decimal, held: Decimal, more: Decimal, price: Decimal, side: Side
) -> None:
    poor = PairAccount(symbol="ABCUSDT", base=Leg(free=held), quote=Leg(free=held * price))
    rich = msgspec.structs.replace(
        poor, base=Leg(free=held, locked=more), quote=Leg(free=held * price, locked=more * price)
    )
    assert funds_one_only(side, quantity, poor, PAIR, price) or not funds_one_only(side, quantity, rich, PAIR, price)
