"""What a pair's account owes for one position."""

from decimal import Decimal

from robson.domain.values import Side
from robson.executor.debts import outstanding_principal, principal_of
from tests.unit.executor.test_closing import PAIR, active, entering, exiting, left


def test_a_short_owes_what_it_sold_whoever_borrowed_it() -> None:
    lent = active(Side.SHORT, borrowed={})
    assert principal_of(lent, PAIR, "ABC") == outstanding_principal(lent, PAIR, "ABC") == 1
    assert outstanding_principal(exiting(Side.SHORT, left("0.4"), borrowed={}), PAIR, "ABC") == Decimal("0.6")
    assert principal_of(lent, PAIR, "USDT") == 0


def test_a_long_owes_what_it_borrowed() -> None:
    assert principal_of(active(Side.LONG, borrowed={"USDT": 50}), PAIR, "USDT") == 50
    assert principal_of(active(Side.LONG, borrowed={}), PAIR, "USDT") == 0
    assert principal_of(active(Side.LONG, borrowed={}), PAIR, "ABC") == 0


def test_nothing_is_owed_before_the_entry() -> None:
    assert (
        principal_of(entering(Side.SHORT), PAIR, "ABC") == outstanding_principal(entering(Side.SHORT), PAIR, "ABC") == 0
    )
