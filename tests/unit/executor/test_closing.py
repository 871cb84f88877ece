"""What is still to be done for an exit, case by case: one row is one reading of the account."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from robson.domain.account import InterestCharge, Leg, PairAccount, PairTerms
from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitTriggered,
    Fact,
    PositionArmed,
    PositionEvent,
)
from robson.domain.ids import entry_order_id
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.values import (
    ClientOrderId,
    ExitReason,
    OrderSide,
    PositionId,
    Side,
    entry_order_side,
    exit_order_side,
)
from robson.engine.evolve import fold
from robson.executor.closing import (
    Flat,
    Repay,
    Step,
    Stuck,
    Trade,
    bought_back_by,
    carried_debt,
    held_by,
    next_step,
)
from robson.executor.debts import BORROW_CHARGE_SLACK, interest_paid
from robson.ports import PairRecord
from tests.unit.engine.samples import NOON

LONG, SHORT = Side.LONG, Side.SHORT
# At 100 USDT the smallest order is 0.05 ABC.
PRICE = Decimal(100)
PAIR = Instrument(
    symbol="ABCUSDT",
    base="ABC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    step_size=Decimal("0.001"),
    minimum_quantity=Decimal("0.001"),
    minimum_notional=Decimal(5),
)
TERMS = PairTerms()


def number(value: object) -> Decimal:
    return Decimal(str(value))


def amounts(asset_amounts: dict[str, Any]) -> dict[str, Decimal]:
    return {asset: number(amount) for asset, amount in asset_amounts.items()}


def lived(name: str, side: Side, *events: PositionEvent) -> Position:
    """A position of one ABC entered at 100, or about to be, and what happened to it then."""
    position_id = PositionId(name)
    order = entry_order_id(position_id, "s")
    begun: tuple[PositionEvent, ...] = (
        PositionArmed(symbol="ABCUSDT", side=side, strategy="signal", capital=Decimal(100), risk_percent=Decimal(1)),
        EntrySignalReceived(
            signal_id="s",
            entry_price=PRICE,
            technical_stop=PRICE - side.sign,
            stop_distance=Decimal(1),
            quantity=Decimal(1),
        ),
        EntryOrderPlaced(client_order_id=order, order_side=entry_order_side(side), quantity=Decimal(1)),
    )
    return fold(Fact(position_id=position_id, at=NOON, event=event) for event in (*begun, *events))


def filled(
    side: Side, quantity: object = 1, fees: dict[str, Any] | None = None, borrowed: dict[str, Any] | None = None
) -> EntryFilled:
    """The entry at 100: a long borrowed half of what it paid, a short all that it sold."""
    size = number(quantity)
    if side is LONG:
        usual, loan = {"ABC": size / 1000}, {"USDT": size * 50}
    else:
        usual, loan = {"USDT": size / 10}, {"ABC": size}
    return EntryFilled(
        client_order_id=ClientOrderId("entry"),
        venue_order_id="1",
        fill_price=PRICE,
        quantity=size,
        fees_by_asset=usual if fees is None else amounts(fees),
        trailing_stop=PRICE - side.sign,
        borrowed=loan if borrowed is None else amounts(borrowed),
    )


LEAVING = ExitTriggered(reason=ExitReason.OPERATOR_CLOSE)


def left(quantity: object, fees: dict[str, Any] | None = None, price: object = 100) -> ExitFilled:
    """A fill of the exit."""
    return ExitFilled(
        client_order_id=ClientOrderId("exit"),
        venue_order_id="2",
        fill_price=number(price),
        quantity=number(quantity),
        fees_by_asset=amounts(fees or {}),
    )


def exiting(side: Side, *fills: ExitFilled, **entry: Any) -> Position:
    return lived("mine", side, filled(side, **entry), LEAVING, *fills)


def active(side: Side, **entry: Any) -> Position:
    return lived("other", side, filled(side, **entry))


def entering(side: Side) -> Position:
    return lived("other", side)


def leg(free: object = 0, borrowed: object = 0, interest: object = 0, locked: object = 0) -> Leg:
    return Leg(free=number(free), locked=number(locked), borrowed=number(borrowed), interest=number(interest))


class Whole(NamedTuple):
    """A trade of the exit's own side."""

    quantity: Decimal


def trade(quantity: object) -> Whole:
    return Whole(number(quantity))


def sold_again(quantity: object) -> Trade:
    return Trade(order_side=OrderSide.SELL, quantity=number(quantity))


def repay(asset: str, amount: object) -> Repay:
    return Repay(asset=asset, amount=number(amount))


def flat(dust: object) -> Flat:
    return Flat(dust=number(dust))


@dataclass
class Case:
    """One reading of the account and what is to be done; a Stuck is compared by its code."""

    why: str
    position: Position
    base: Leg
    quote: Leg
    step: Step | Whole | str
    others: tuple[Position, ...] = ()
    baseline: object = None
    dust: object = 0
    surplus: object = 0
    carried: object = 0
    terms: PairTerms = TERMS
    price: Decimal = PRICE

    def next_step(self) -> Step:
        pair = None
        if self.baseline is not None:
            pair = PairRecord(
                symbol="ABCUSDT",
                baseline_base=number(self.baseline),
                baseline_quote=Decimal(0),
                dust_base=number(self.dust),
                surplus_base=number(self.surplus),
                carried_base=number(self.carried),
            )
        account = PairAccount(symbol="ABCUSDT", base=self.base, quote=self.quote)
        return next_step(self.position, self.others, account, pair, PAIR, self.terms, self.price)


SOLD = left("0.999", {"USDT": "0.0999"})
LONGS_ALONE = [
    Case("all of it, after the fee", exiting(LONG), leg("0.999"), leg(0, 50), trade("0.999")),
    Case("the rest", exiting(LONG, left("0.6")), leg("0.399"), leg(10), trade("0.399")),
    Case("nothing left", exiting(LONG, SOLD), leg(), leg(49), flat(0)),
    Case("a crumb below a step", exiting(LONG, left("0.9986")), leg("0.0004"), leg(49), flat("0.0004")),
    Case("worth less than the minimum", exiting(LONG, left("0.95")), leg("0.049"), leg(49), flat("0.049")),
    Case("worth the minimum", exiting(LONG, left("0.949")), leg("0.05"), leg(49), trade("0.05")),
    Case(
        "cheaper now: the minimum is more",
        exiting(LONG, left("0.899")),
        leg("0.1"),
        leg(49),
        flat("0.1"),
        price=Decimal(49),
    ),
    Case("never what the trader had", exiting(LONG), leg("2.999"), leg(0, 50), trade("0.999"), baseline=2),
    Case("nor what he moved in", exiting(LONG), leg(9), leg(0, 50), trade("0.999"), baseline=2),
    Case("his stays", exiting(LONG, SOLD), leg(2), leg(49), flat(0), baseline=2),
    Case("nor is what he moved in named as dust", exiting(LONG, SOLD), leg(3), leg(49), flat(0), baseline=2),
    Case("nor beside dust", exiting(LONG, left("0.998")), leg("3.001"), leg(49), flat("0.001"), baseline=2),
    Case("a crumb owed is repaid first", exiting(LONG), leg("0.999", "0.0002"), leg(0, 50), repay("ABC", "0.0002")),
    Case("eight digits of it", exiting(LONG), leg("0.999", "0.000200001"), leg(0, 50), repay("ABC", "0.0002")),
    Case("less than eight digits is no debt", exiting(LONG, SOLD), leg(0), leg(9, "0.000000009"), flat(0)),
    Case("a crumb that nothing can repay stays", exiting(LONG, SOLD), leg(0, "0.0002"), leg(9), flat(0)),
    Case("a debt by hand is not", exiting(LONG), leg("0.999", "0.05"), leg(0, 50), trade("0.999")),
    Case(
        "dust of earlier ones goes along",
        exiting(LONG, left("0.499")),
        leg("0.5007"),
        leg(49),
        trade("0.5"),
        baseline=0,
        dust="0.0007",
    ),
    Case(
        "dust alone is not sold",
        exiting(LONG, SOLD),
        leg("0.0407"),
        leg(49),
        flat("0.0407"),
        baseline=0,
        dust="0.0407",
    ),
    Case("part of it is gone", exiting(LONG), leg("0.4"), leg(0, 50), trade("0.4")),
    Case("and now the rest", exiting(LONG, left("0.4")), leg(), leg(), "holding_missing"),
    Case("all of it is gone", exiting(LONG), leg(), leg(), "holding_missing"),
    Case("it is locked in another order", exiting(LONG), leg(0, locked="0.999"), leg(0, 50), "holding_missing"),
    Case("the trader took his and more", exiting(LONG), leg("1.5"), leg(0, 50), "holding_missing", baseline=2),
    Case("the repayment failed silently", exiting(LONG, SOLD), leg(), leg("99.8", 50, "0.01"), repay("USDT", "50.01")),
    Case("a loss leaves a debt", exiting(LONG, SOLD), leg(), leg(7, 3, "0.5"), repay("USDT", "3.5")),
    Case("as far as it goes", exiting(LONG, SOLD), leg(), leg(2, 3), repay("USDT", 2)),
    Case("nothing to repay it with", exiting(LONG, SOLD), leg(), leg(0, 3), "debt_left"),
    Case("interest alone is a debt", exiting(LONG, SOLD), leg(), leg(1, 0, "0.00000001"), repay("USDT", "0.00000001")),
]

BESIDE_A_LONG = (active(LONG),)
LONGS_SHARED = [
    Case("its own", exiting(LONG), leg("1.998"), leg(0, 100), trade("0.999"), BESIDE_A_LONG),
    Case("not the other's", exiting(LONG, SOLD), leg("0.999"), leg(0, "0.1"), flat(0), BESIDE_A_LONG),
    Case("its dust is named", exiting(LONG, left("0.998")), leg("1"), leg(0, 0), flat("0.001"), BESIDE_A_LONG),
    Case("the other's loan stays", exiting(LONG, SOLD), leg("0.999"), leg(500, 50, 1), flat(0), BESIDE_A_LONG),
    Case("its own does not", exiting(LONG, SOLD), leg("0.999"), leg(500, 60), repay("USDT", 10), BESIDE_A_LONG),
    Case("as far as it goes", exiting(LONG, SOLD), leg("0.999"), leg(4, 60), repay("USDT", 4), BESIDE_A_LONG),
    Case("the last one out pays the rest", exiting(LONG, SOLD), leg("0.999"), leg(0, 60), flat(0), BESIDE_A_LONG),
    Case("nothing is free", exiting(LONG), leg("0.02"), leg(), "holding_missing", BESIDE_A_LONG),
    Case("dust waits for the last one", exiting(LONG), leg(3), leg(), trade("0.999"), BESIDE_A_LONG, 0, "0.5"),
]

BOUGHT = left("1.002", {"ABC": "0.001002"})  # 1.000998 after the fee
DEAR = PairTerms(base_hourly_interest_rate=Decimal("0.1"))  # one hour at once: 0.1 on a loan of 1
SHORTS_ALONE = [
    # (1 + 0.001) / 0.999 = 1.002002
    Case("debt, interest and fee", exiting(SHORT), leg(0, 1, "0.001"), leg(200), trade("1.003")),
    Case("more interest than the rate explains", exiting(SHORT), leg(0, 1, "0.06"), leg(200), trade("1.062")),
    Case("the rest", exiting(SHORT, left("0.6")), leg(0, "0.4"), leg(140), trade("0.401")),
    Case("nothing owed", exiting(SHORT, BOUGHT), leg("0.000988"), leg(99), flat("0.000988")),
    Case("the repayment failed", exiting(SHORT, BOUGHT), leg("1.000998", 1), leg(99), repay("ABC", 1)),
    Case("half of it failed", exiting(SHORT, BOUGHT), leg("0.500998", "0.5"), leg(99), repay("ABC", "0.5")),
    Case("a shortage of a hair", exiting(SHORT, BOUGHT), leg(0, "0.00000001"), leg(99), trade("0.05")),
    Case("what is free counts", exiting(SHORT, BOUGHT), leg("0.0009", "0.001"), leg(99), trade("0.05")),
    Case(
        "cheaper now: the smallest order is larger",
        exiting(SHORT, BOUGHT),
        leg(0, "0.001"),
        leg(99),
        trade("0.1"),
        price=Decimal(50),
    ),
    Case("the trader's stays", exiting(SHORT), leg("0.04", 1), leg(200), trade("1.002"), baseline="0.04"),
    Case("and is named as his", exiting(SHORT, BOUGHT), leg("0.041"), leg(99), flat("0.001"), baseline="0.04"),
    Case(
        "interest that the first repayment paid is still its own",
        exiting(SHORT, left("1.001", {"ABC": "0.001"})),
        leg(0, "0.1"),
        leg(99),
        trade("0.101"),
        terms=DEAR,
    ),
    Case("a debt that no fill explains", exiting(SHORT, BOUGHT), leg(0, "0.1"), leg(99), "debt_unexplained"),
    Case("a loan of the trader's", exiting(SHORT), leg(0, 3), leg(200), "debt_unexplained"),
    Case("bought far too much, yet owing", exiting(SHORT, left(2)), leg(0, "0.01"), leg(99), "debt_unexplained"),
    Case("the debt is gone without a fill", exiting(SHORT), leg(), leg(100), "debt_missing"),
    Case("half of it is gone", exiting(SHORT, left("0.5")), leg(), leg(100), "debt_missing"),
    Case("somebody moved base in", exiting(SHORT), leg(1, 1), leg(100), "debt_missing"),
    Case(
        "dust of earlier ones pays a little",
        exiting(SHORT, left("0.99")),
        leg("0.06", "0.01"),
        leg(9),
        repay("ABC", "0.01"),
        baseline=0,
        dust="0.06",
    ),
    Case(
        "what it bought too much is sold again",
        exiting(SHORT, left("1.1", {"ABC": "0.0011"})),
        leg("0.0989"),
        leg(9),
        sold_again("0.098"),
    ),
    Case(
        "and what its neighbours bought too much",
        exiting(SHORT, BOUGHT),
        leg("0.0609"),
        leg(9),
        sold_again("0.06"),
        baseline=0,
        surplus="0.06",
    ),
    Case(
        "never what somebody moved in",
        exiting(SHORT, BOUGHT),
        leg("5.0609"),
        leg(9),
        sold_again("0.06"),
        baseline=0,
        surplus="0.06",
    ),
    Case(
        "not before the debt is repaid",
        exiting(SHORT, BOUGHT),
        leg("0.0709", "0.01"),
        leg(9),
        repay("ABC", "0.01"),
        baseline=0,
        surplus="0.07",
    ),
    Case("what was moved in is not dust", exiting(SHORT, BOUGHT), leg("5.0009"), leg(9), flat("0.000998")),
    Case(
        "a crumb carried is bought",
        exiting(SHORT),
        leg(0, "1.06"),
        leg(200),
        trade("1.062"),
        baseline=0,
        carried="0.06",
    ),
    Case("a little quote is owed too", exiting(SHORT, BOUGHT), leg("0.0009"), leg(9, 2), repay("USDT", 2)),
]

BESIDE_A_SHORT = (active(SHORT),)
GONE = lived("other", SHORT, filled(SHORT), LEAVING, left("1.001", {"ABC": "0.001001"}))
SHORTS_SHARED = [
    Case("and its interest", exiting(SHORT), leg(0, 2, "0.2"), leg(400), trade("1.102"), BESIDE_A_SHORT, terms=DEAR),
    Case("its own", exiting(SHORT), leg(0, 2), leg(400), trade("1.002"), BESIDE_A_SHORT),
    Case("not the other's", exiting(SHORT, BOUGHT), leg("0.0009", 1), leg(300), flat("0.0009"), BESIDE_A_SHORT),
    Case("its surplus is named", exiting(SHORT, BOUGHT), leg("0.9", 1), leg(9), flat("0.000998"), BESIDE_A_SHORT),
    Case(
        "beside older dust",
        exiting(SHORT, BOUGHT),
        leg("0.041", 1),
        leg(9),
        flat("0.0007"),
        BESIDE_A_SHORT,
        0,
        "0.0403",
    ),
    Case("a crumb waits for the last", exiting(SHORT, left("0.96")), leg(0, "1.04"), leg(9), flat(0), BESIDE_A_SHORT),
    Case("the rest", exiting(SHORT, left("0.5")), leg(0, "1.5"), leg(300), trade("0.501"), BESIDE_A_SHORT),
    Case("its repayment failed", exiting(SHORT, BOUGHT), leg("1.000998", 2), leg(9), repay("ABC", 1), BESIDE_A_SHORT),
    Case("all debt is gone", exiting(SHORT), leg(), leg(300), "debt_missing", BESIDE_A_SHORT),
    Case("beside one that has left", exiting(SHORT), leg(0, 1), leg(300), trade("1.002"), (GONE,)),
    Case("beside one whose fill is not yet known", exiting(SHORT), leg(0, 1), leg(9), trade("1.002"), BESIDE_A_SHORT),
    Case(
        "beside an entry that borrowed already", exiting(SHORT), leg(0, 2), leg(9), trade("1.002"), (entering(SHORT),)
    ),
    Case("beside an entry that did not yet", exiting(SHORT), leg(0, 1), leg(300), trade("1.002"), (entering(SHORT),)),
    Case("that loan is not its own", exiting(SHORT, BOUGHT), leg(0, 1), leg(300), flat(0), (entering(SHORT),)),
]


@pytest.mark.parametrize("case", LONGS_ALONE + SHORTS_ALONE, ids=lambda case: f"{case.position.side}: {case.why}")
def test_alone_on_the_pair(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", LONGS_SHARED + SHORTS_SHARED, ids=lambda case: f"{case.position.side}: {case.why}")
def test_beside_others(case: Case) -> None:
    check(case)


def check(case: Case) -> None:
    found = case.next_step()
    if isinstance(case.step, Whole):
        assert found == Trade(order_side=exit_order_side(case.position.side), quantity=case.step.quantity)
        return
    if isinstance(case.step, str):
        assert isinstance(found, Stuck)
        assert found.code == case.step
        assert "ABC" in found.message or "USDT" in found.message
    else:
        assert found == case.step


def test_what_a_position_holds_and_brought_back() -> None:
    assert held_by(exiting(LONG, left("0.6", {"ABC": "0.001"})), "ABC") == number("0.398")
    assert held_by(active(LONG, fees={"BNB": "0.1"}), "ABC") == 1
    assert bought_back_by(exiting(SHORT, BOUGHT), "ABC") == number("1.000998")
    assert bought_back_by(active(SHORT), "ABC") == 0


def charge(
    amount: object, principal: object, hours: float, *, asset: str = "ABC", on_borrow: bool = False
) -> InterestCharge:
    return InterestCharge(
        asset=asset,
        amount=number(amount),
        principal=number(principal),
        at=NOON + timedelta(hours=hours),
        on_borrow=on_borrow,
    )


@pytest.mark.parametrize(
    ("charges", "paid"),
    [
        ([], "0"),
        ([charge("0.00001", 1, 0, on_borrow=True)], "0.001"),
        ([charge("0.00001", 1, 0, on_borrow=True), charge("0.00001", 1, 1), charge("0.00001", 1, 2)], "0.003"),
        ([charge("0.00003", 3, 1)], "0.001"),  # a third of the pool's principal
        ([charge("0.000005", "0.5", 1)], "0.0005"),  # partly repaid: no more than the whole
        ([charge("0.00001", 1, -1)], "0"),  # before its time
        ([charge("0.00002", 2, 0, on_borrow=True)], "0"),  # another's loan
        ([charge("0.00001", 1, 1, on_borrow=True)], "0"),
        ([charge(5, 100, 1, asset="USDT")], "0"),
    ],
)
def test_interest_is_shared_by_principal(charges: list[InterestCharge], paid: str) -> None:
    assert interest_paid(exiting(SHORT), charges, PAIR, PRICE) == number(paid)


def test_interest_of_a_long_is_in_quote_already() -> None:
    assert interest_paid(exiting(LONG), [charge("0.5", 100, 1, asset="USDT")], PAIR, PRICE) == number("0.25")


def test_clocks_of_loan_and_fill_may_differ_a_little() -> None:
    for seconds, paid in ((-9, "0.001"), (9, "0.001"), (-11, "0"), (11, "0")):
        near = charge("0.00001", 1, seconds / 3600, on_borrow=True)
        assert interest_paid(exiting(SHORT), [near], PAIR, PRICE) == number(paid)
    assert BORROW_CHARGE_SLACK.total_seconds() == 10


def test_of_two_equal_loans_each_pays_for_its_own() -> None:
    neighbours = [charge("0.00001", 1, seconds / 3600, on_borrow=True) for seconds in (-5, 1)]
    assert interest_paid(exiting(SHORT), neighbours, PAIR, PRICE) == number("0.001")


def test_what_a_position_leaves_owed_is_carried_while_others_are_there() -> None:
    def carried(*others: Position, borrowed: object = "60.000000001", known: object = 0) -> Decimal:
        return carried_debt(leg(0, borrowed), "USDT", number(known), exiting(LONG, SOLD), others, PAIR)

    assert carried(borrowed=0) == 0
    assert carried(borrowed="0.3") == number("0.3")
    assert carried(active(LONG)) == 10  # in eight digits: the other's loan is 50
    assert carried(active(LONG), borrowed=40) == 0  # a profit has repaid the other's
    assert carried(active(LONG), active(LONG), borrowed=150) == 50
    # An entry on its way may have borrowed: this one can have left no more than its own loan brought in too little.
    assert carried(entering(LONG), borrowed=500) == 0
    assert carried(entering(LONG), borrowed=500, known=3) == 3


def test_a_position_that_never_entered_paid_no_interest() -> None:
    assert interest_paid(entering(LONG), [charge(1, 1, 1, asset="USDT")], PAIR, PRICE) == 0
