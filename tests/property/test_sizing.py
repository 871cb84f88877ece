"""Sizing on any account: never more than the Golden Rule and every limit allow, and no liquidation before a stop."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from robson.domain.account import PairAccount, PairTerms
from robson.domain.errors import RuleError
from robson.domain.instrument import Instrument
from robson.domain.values import EXACT, Side, Value, exit_order_side
from robson.engine.decide import decide
from robson.engine.sizing import LEVERAGE_MAX, RESALE_FACTOR, Refusal, Size, _liquidation_limit, size, stop_distance
from tests.strategies import amounts, thorough
from tests.unit.engine.samples import BTCUSDT, NOON, account, armed, signal

LONG, SHORT = Side.LONG, Side.SHORT
sides = st.sampled_from(Side)
positive = amounts.filter(bool)
fees = st.sampled_from([Decimal(0), Decimal("0.00075"), Decimal("0.001"), Decimal("0.002")])


class Case(Value):
    """One sizing, with everything it depends on."""

    side: Side
    capital: Decimal
    risk_percent: Decimal
    entry: Decimal
    stop: Decimal
    instrument: Instrument
    terms: PairTerms
    account: PairAccount
    other_stops: tuple[Decimal, ...] = ()

    def size(self) -> Size:
        return size(
            self.side,
            self.capital,
            self.risk_percent,
            self.entry,
            self.stop,
            instrument=self.instrument,
            terms=self.terms,
            account=self.account,
            other_stops=self.other_stops,
        )

    @property
    def farthest(self) -> Decimal:
        return (min if self.side is LONG else max)((self.stop, *self.other_stops))


def bought(account: PairAccount, quantity: Decimal, price: Decimal, fee: Decimal) -> PairAccount:
    """A market buy that borrows what it lacks."""
    cost = quantity * price
    loan = max(cost - account.quote.free, Decimal(0))
    base, quote = account.base, account.quote
    return PairAccount(
        symbol=account.symbol,
        base=msgspec.structs.replace(base, free=base.free + quantity * (1 - fee)),
        quote=msgspec.structs.replace(quote, free=quote.free + loan - cost, borrowed=quote.borrowed + loan),
    )


def sold(account: PairAccount, quantity: Decimal, price: Decimal, fee: Decimal) -> PairAccount:
    """A market sale that borrows what it lacks."""
    loan = max(quantity - account.base.free, Decimal(0))
    base, quote = account.base, account.quote
    return PairAccount(
        symbol=account.symbol,
        base=msgspec.structs.replace(base, free=base.free + loan - quantity, borrowed=base.borrowed + loan),
        quote=msgspec.structs.replace(quote, free=quote.free + quantity * price * (1 - fee)),
    )


def entered(case: Case, quantity: Decimal) -> PairAccount:
    """The account after the entry executed at its price."""
    trade = bought if case.side is LONG else sold
    return trade(case.account, quantity, case.entry, case.terms.taker_fee_rate)


def survives(account: PairAccount, price: Decimal, ratio: Decimal) -> bool:
    """Whether the account is above liquidation at a price."""
    level = account.margin_level(price)
    return level is None or level > ratio


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A signal on an account that may already carry two positions of the same side, within a factor of two."""
    side = draw(sides)
    sign = side.sign
    entry = Decimal(draw(st.integers(100, 10_000_000))) / 100
    basis_points = draw(st.sampled_from([10, 11, 50, 100, 300, 800, 1_000, 1_000]) | st.integers(10, 1_000))
    stop = entry * (10_000 - sign * basis_points) / 10_000
    fee = draw(fees)
    terms = PairTerms(
        multiple=Decimal(draw(st.sampled_from([3, 10, 10, 20]))),
        taker_fee_rate=fee,
    )
    collateral = Decimal(draw(st.sampled_from([100, 1_000, 10_000]) | st.integers(0, 100_000)))
    on = account(collateral)
    others = []
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = entry * (100 + draw(st.integers(-3, 3))) / 100
        share = Decimal(draw(st.integers(0, 25))) / 10  # exposure per collateral
        trade = bought if side is LONG else sold
        on = trade(on, collateral * share / at, at, fee)
        others.append(entry * (1_000 - sign * draw(st.integers(-20, 120))) / 1_000)
    moved_in = collateral * draw(st.sampled_from([0, 0, 0, 1, 5])) / 10
    on = msgspec.structs.replace(on, quote=msgspec.structs.replace(on.quote, free=on.quote.free + moved_in))
    if draw(st.integers(0, 3)) == 0:
        room = collateral * draw(st.integers(0, 60)) / 10
        terms = msgspec.structs.replace(
            terms,
            base_borrow_limit=on.base.borrowed + room / entry,
            quote_borrow_limit=on.quote.borrowed + room,
        )
    step = Decimal(1).scaleb(draw(st.integers(-2, 1)) - entry.adjusted())  # worth 0.01 to 100
    instrument = msgspec.structs.replace(
        BTCUSDT,
        step_size=step,
        minimum_quantity=step,
        maximum_quantity=step * draw(st.sampled_from([0, 0, 0, 1_000, 100_000])),
    )
    return Case(
        side=side,
        capital=collateral * draw(st.sampled_from([2, 5, 10, 50])) / 10 + 1,
        risk_percent=Decimal(draw(st.sampled_from([100, 500]) | st.integers(1, 500))) / 100,
        entry=entry,
        stop=stop,
        instrument=instrument,
        terms=terms,
        account=on,
        other_stops=tuple(others),
    )


def sized(case: Case) -> Size | None:
    """The size, or None when it is refused, which on a valid signal has two reasons only."""
    try:
        return case.size()
    except Refusal as error:
        refusal = error
    event(refusal.code)
    assert refusal.code in {"below_minimum", "unsellable_at_stop"}
    assert refusal.stage in {"rule", "margin"}
    assert refusal.hint
    return None


@thorough
@given(cases())
def test_a_size_is_within_every_limit(case: Case) -> None:
    found = sized(case)
    if found is None:
        return
    event(f"cut by {found.cut_by}")
    quantity, terms, instrument = Fraction(found.quantity), case.terms, case.instrument
    notional = quantity * Fraction(case.entry)
    risk = Fraction(case.capital) * Fraction(case.risk_percent) / 100
    assert quantity * Fraction(found.stop_distance) <= risk
    assert quantity % Fraction(instrument.step_size) == 0
    assert found.leverage == min(LEVERAGE_MAX, terms.multiple)
    assert notional <= Fraction(found.leverage) * Fraction(case.capital)
    if instrument.maximum_quantity:
        assert found.quantity <= instrument.maximum_quantity
    after = entered(case, found.quantity)
    new_debt = after.debt_value(case.entry) - case.account.debt_value(case.entry)
    if new_debt > 0:
        equity = case.account.equity(case.entry)
        assert after.debt_value(case.entry) <= (found.leverage - 1) * equity
        level = after.margin_level(case.entry)
        assert level is not None
        assert level > min(terms.initial_risk_ratio, Decimal("1.1"))
    for leg, limit in ((after.base, terms.base_borrow_limit), (after.quote, terms.quote_borrow_limit)):
        before = case.account.base if leg is after.base else case.account.quote
        assert limit is None or leg.borrowed <= max(limit, before.borrowed)


@thorough
@given(cases())
def test_no_stop_on_the_pair_lies_beyond_the_liquidation_price(case: Case) -> None:
    found = sized(case)
    if found is None:
        return
    after, ratio = entered(case, found.quantity), case.terms.liquidation_risk_ratio
    for stop in (case.stop, *case.other_stops):
        assert survives(after, stop, ratio)
    if found.liquidation_price > 0:
        assert (found.liquidation_price - case.farthest) * case.side.sign < 0
        # The price that is shown is the one at which the account's level is the venue's ratio.
        level = after.margin_level(found.liquidation_price)
        assert level is not None
        assert abs(level - ratio) < Decimal("1E-12")


@thorough
@given(cases())
def test_the_liquidation_limit_is_what_a_search_on_the_account_finds(case: Case) -> None:
    """Bisection over quantities: the largest one whose account is still above the ratio at the farthest stop."""
    ratio = case.terms.liquidation_risk_ratio
    most = _liquidation_limit(case.side, case.entry, case.farthest, case.terms, case.account)
    if not survives(entered(case, Decimal(0)), case.farthest, ratio):
        assert most <= 0
        return
    low, high = Decimal(0), Decimal(1)
    while survives(entered(case, high), case.farthest, ratio):
        high *= 2
        assume(high < Decimal("1E+15"))
    for _ in range(70):
        middle = (low + high) / 2
        if survives(entered(case, middle), case.farthest, ratio):
            low = middle
        else:
            high = middle
    assert abs(most - low) <= max(low * Decimal("1E-9"), Decimal("1E-12"))


@thorough
@given(cases())
def test_a_size_is_floored_or_refused_never_raised(case: Case) -> None:
    least = case.instrument.minimum_notional
    found = sized(case)
    if found is None:
        return
    assert found.quantity <= found.raw_quantity
    assert found.quantity * case.entry >= least
    lowest = min(case.entry, case.stop)
    assert found.quantity * (1 - case.terms.taker_fee_rate) * lowest >= least * RESALE_FACTOR
    if found.cut_by is None:
        assert found.quantity == case.instrument.floor(found.raw_quantity)
    else:
        assert found.quantity < case.instrument.floor(found.raw_quantity)


@given(side=sides, entry=positive, stop=positive, capital=positive, risk=positive, fee=fees)
@example(LONG, Decimal("1E-20"), Decimal("1E-20"), Decimal("1E+12"), Decimal(5), Decimal(0))
@example(LONG, Decimal("1E-17"), Decimal("9.9E-18"), Decimal("1E+12"), Decimal(5), Decimal(0))
def test_any_numbers_are_sized_or_refused(
    side: Side, entry: Decimal, stop: Decimal, capital: Decimal, risk: Decimal, fee: Decimal
) -> None:
    """Whatever twenty digits can express: an answer or a RuleError, and the Golden Rule to the last digit."""
    if not abs(Fraction(entry) - Fraction(stop)) * 20 < Fraction(entry):
        # Most pairs are far apart: bring the stop within five percent, on the right side.
        stop = EXACT.multiply(entry, Decimal(100 - 3 * side.sign) / 100)
    case = Case(
        side=side,
        capital=capital,
        risk_percent=min(risk, Decimal(5)),
        entry=entry,
        stop=stop,
        instrument=BTCUSDT,
        terms=PairTerms(taker_fee_rate=fee),
        account=account(10**20),
    )
    try:
        found = case.size()
    except RuleError as refusal:
        event(refusal.code)
        return
    event("sized")
    risked = Fraction(found.quantity) * abs(Fraction(entry) - Fraction(stop))
    assert risked <= Fraction(capital) * Fraction(case.risk_percent) / 100


@given(side=sides, entry=positive, permille=st.integers(-20_000, 20_000))
@example(LONG, Decimal(100_000), 100)
@example(LONG, Decimal(100_000), 99)
@example(SHORT, Decimal(100_000), 10_000)
@example(SHORT, Decimal(100_000), 10_001)
def test_a_distance_is_accepted_exactly_between_a_tenth_and_ten_percent(
    side: Side, entry: Decimal, permille: int
) -> None:
    """`permille` of a percent; the judgement is made once more in whole numbers."""
    stop = EXACT.subtract(entry, EXACT.multiply(entry, Decimal(side.sign * permille).scaleb(-5)))
    expected = "ok"
    if permille <= 0:
        expected = "stop_on_wrong_side"
    elif permille < 100:
        expected = "stop_too_near"
    elif permille > 10_000:
        expected = "stop_too_far"
    assume(stop > 0)
    try:
        assert Fraction(stop_distance(side, entry, stop)) == abs(Fraction(entry) - Fraction(stop))
    except Refusal as refusal:
        assert refusal.code == expected  # noqa: PT017  the refusal is one of the answers
    else:
        assert expected == "ok"


@pytest.mark.parametrize("side", Side)
@given(data=st.data())
def test_the_order_is_what_was_sized(side: Side, data: st.DataObject) -> None:
    stop = 95_000 - side.sign * data.draw(st.integers(95, 9_500))
    capital = data.draw(st.integers(100, 100_000))
    found = Case(
        side=side,
        capital=Decimal(capital),
        risk_percent=Decimal(1),
        entry=Decimal(95_000),
        stop=Decimal(stop),
        instrument=BTCUSDT,
        terms=PairTerms(),
        account=account(),
    )
    decision = decide(armed(side, capital=capital), signal(95_000, stop), NOON)
    expected = sized(found)
    quantities: Sequence[Decimal] = [order.quantity for order in decision.actions]
    assert quantities == ([expected.quantity] if expected else [])
    assert all(order.order_side is not exit_order_side(side) for order in decision.actions)
