"""What a pair's record keeps of a position that leaves beside others: the same base is never kept under two names."""

from decimal import Decimal

import pytest

from robson.daemon.leaving import _pair_after
from robson.domain.account import Leg, PairAccount
from robson.domain.values import Side
from robson.ports import PairRecord
from tests.unit.executor.test_closing import PAIR, active, exiting, left


def test_base_that_is_still_free_is_dust_and_no_surplus() -> None:
    short, neighbour = exiting(Side.SHORT, left("1.05")), active(Side.SHORT, borrowed={"ABC": 1})
    pair = PairRecord(symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000))
    free, bought_too_much = Decimal("0.03"), Decimal("0.05")
    account = PairAccount(
        symbol="ABCUSDT", base=Leg(free=free, borrowed=Decimal("0.98")), quote=Leg(free=Decimal(1100))
    )
    after = _pair_after(short, [neighbour], account, pair, PAIR, free, bought_too_much)
    assert after.dust_base == free
    # The rest has repaid the neighbour's debt.
    assert after.surplus_base == bought_too_much - free
    owed = Decimal(1)
    net = account.base.total - account.base.debt
    assert net == after.dust_base + after.surplus_base - after.carried_base - owed


def test_dust_that_a_neighbour_sold_is_remembered_as_its_debt_paid() -> None:
    """A short's entry sells what is free before it borrows: who leaves then must not forget the base."""
    short = exiting(Side.SHORT, left("1"))
    # Of the 1 that it sold 0.03 were dust.
    neighbour = active(Side.SHORT, borrowed={"ABC": "0.97"})
    pair = PairRecord(
        symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000), dust_base=Decimal("0.03")
    )
    account = PairAccount(symbol="ABCUSDT", base=Leg(borrowed=Decimal("0.97")), quote=Leg(free=Decimal(1100)))
    after = _pair_after(short, [neighbour], account, pair, PAIR, Decimal(0), Decimal(0))
    assert (after.dust_base, after.surplus_base, after.carried_base) == (0, Decimal("0.03"), 0)


def test_a_loan_that_a_neighbour_took_over_is_not_carried() -> None:
    """It sold what this one had bought back, before that was repaid: the loan that stays is the neighbour's."""
    short, neighbour = exiting(Side.SHORT, left("1")), active(Side.SHORT, borrowed={})
    pair = PairRecord(symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000))
    account = PairAccount(symbol="ABCUSDT", base=Leg(borrowed=Decimal(1)), quote=Leg(free=Decimal(1100)))
    after = _pair_after(short, [neighbour], account, pair, PAIR, Decimal(0), Decimal(0))
    assert (after.dust_base, after.surplus_base, after.carried_base) == (0, 0, 0)


def test_dust_that_a_neighbours_entry_has_sold_is_owed_that_much_less() -> None:
    dust, bought_too_much = Decimal("0.03"), Decimal("0.05")
    sold = Decimal(1)
    short, neighbour = exiting(Side.SHORT, left("1.05")), active(Side.SHORT, borrowed={"ABC": sold - dust})
    pair = PairRecord(
        symbol="ABCUSDT",
        baseline_base=Decimal(0),
        baseline_quote=Decimal(1000),
        dust_base=dust,
        surplus_base=Decimal(0),
    )
    owed = sold - dust - bought_too_much
    account = PairAccount(symbol="ABCUSDT", base=Leg(free=Decimal(0), borrowed=owed), quote=Leg(free=Decimal(1100)))
    after = _pair_after(short, [neighbour], account, pair, PAIR, Decimal(0), bought_too_much)
    assert (after.dust_base, after.surplus_base) == (0, dust + bought_too_much)
    net = account.base.total - account.base.debt
    assert net == after.dust_base + after.surplus_base - after.carried_base - sold


def test_free_base_that_is_named_as_dust_leaves_a_surplus_by_so_much() -> None:
    earlier, free = Decimal("0.976"), Decimal("4.857")
    bought_too_much, interest = Decimal(4), Decimal("0.119")
    short, neighbour = exiting(Side.SHORT, left(str(1 + bought_too_much))), active(Side.SHORT, borrowed={})
    pair = PairRecord(symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000), surplus_base=earlier)
    account = PairAccount(symbol="ABCUSDT", base=Leg(free=free), quote=Leg(free=Decimal(1100)))
    after = _pair_after(short, [neighbour], account, pair, PAIR, bought_too_much, bought_too_much - interest)
    assert after.dust_base == bought_too_much
    assert after.dust_base + after.surplus_base == free


def test_a_short_that_bought_less_than_it_sold_has_used_up_what_others_bought_too_much() -> None:
    earlier, bought_too_little = Decimal("0.05"), Decimal("-0.03")
    short, neighbour = exiting(Side.SHORT, left("0.97")), active(Side.SHORT, borrowed={"ABC": 1})
    pair = PairRecord(symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000), surplus_base=earlier)
    owed = 1 - earlier - bought_too_little
    account = PairAccount(symbol="ABCUSDT", base=Leg(borrowed=owed), quote=Leg(free=Decimal(1100)))
    after = _pair_after(short, [neighbour], account, pair, PAIR, Decimal(0), bought_too_little)
    assert (after.dust_base, after.surplus_base, after.carried_base) == (0, earlier + bought_too_little, 0)


def test_what_a_short_leaves_owed_is_carried_whatever_surplus_there_is() -> None:
    earlier, missing = Decimal("0.05"), Decimal("-0.03")
    short, neighbour = exiting(Side.SHORT, left("0.97")), active(Side.SHORT, borrowed={"ABC": 1})
    pair = PairRecord(symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000), surplus_base=earlier)
    account = PairAccount(symbol="ABCUSDT", base=Leg(borrowed=1 - missing), quote=Leg(free=Decimal(1100)))
    after = _pair_after(short, [neighbour], account, pair, PAIR, Decimal(0), missing)
    assert after.carried_base > 0
    net = account.base.total - account.base.debt
    assert net == after.dust_base + after.surplus_base - after.carried_base - 1


def test_what_a_short_took_beyond_every_surplus_was_dust_or_is_owed() -> None:
    dust, bought_too_little = Decimal("0.66"), Decimal("-0.84")
    short, neighbour = exiting(Side.SHORT, left("0.16")), exiting(Side.SHORT, left("1"))
    pair = PairRecord(symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000), dust_base=dust)
    # The neighbour has bought all of its own back, and that lies free: its repayment has failed.
    owed = 1 - dust - bought_too_little
    account = PairAccount(symbol="ABCUSDT", base=Leg(free=Decimal(1), borrowed=owed), quote=Leg(free=Decimal(1100)))
    after = _pair_after(short, [neighbour], account, pair, PAIR, Decimal(0), bought_too_little)
    assert (after.dust_base, after.surplus_base, after.carried_base) == (0, 0, -bought_too_little - dust)
    net = account.base.total - account.base.debt
    assert net == after.dust_base + after.surplus_base - after.carried_base


@pytest.mark.parametrize(("sold", "kept"), [("1.03", "0.02"), ("1", "0.05"), ("0.99", "0.06"), ("1.05", "0")])
def test_a_long_that_sold_earlier_dust_along_leaves_so_much_less_to_a_neighbour_who_has_come_since(
    sold: str, kept: str
) -> None:
    """Alone it takes the dust along; the neighbour enters before it is proved flat."""
    long, neighbour = exiting(Side.LONG, left(sold), fees={}), active(Side.LONG, fees={})
    pair = PairRecord(
        symbol="ABCUSDT", baseline_base=Decimal(0), baseline_quote=Decimal(1000), dust_base=Decimal("0.05")
    )
    account = PairAccount(symbol="ABCUSDT", base=Leg(free=1 + Decimal(kept)), quote=Leg(free=Decimal(1000)))
    dust = max(1 - Decimal(sold), Decimal(0))
    after = _pair_after(long, [neighbour], account, pair, PAIR, dust, Decimal(0))
    assert after.dust_base == Decimal(kept)
    # Dust and neighbour are all that is there.
    assert account.base.total == after.dust_base + 1
