"""The Golden Rule on worked examples, every limit that may cut it, and every refusal with its numbers."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.domain.account import Credit, Leg, PairAccount, PairTerms
from robson.domain.instrument import Instrument
from robson.domain.values import EXACT, Side
from robson.engine.sizing import HEADROOM, Refusal, Size, _liquidation_limit, size, stop_distance
from tests.unit.engine.samples import BTCUSDT, account

LONG, SHORT = Side.LONG, Side.SHORT
NO_FEE = PairTerms(taker_fee_rate=Decimal(0))


def number(value: object) -> Decimal:
    return Decimal(str(value))


def sized(
    entry: object,
    stop: object,
    *,
    side: Side = LONG,
    capital: object = 10_000,
    risk: object = 1,
    on: PairAccount | None = None,
    instrument: Instrument = BTCUSDT,
    terms: PairTerms | None = None,
    others: tuple[object, ...] = (),
    credit: Credit | None = None,
    last: object | None = None,
) -> Size:
    return size(
        side,
        number(capital),
        number(risk),
        number(entry),
        number(stop),
        instrument=instrument,
        terms=terms or PairTerms(),
        account=on or account(),
        credit=credit or Credit(),
        last_price=None if last is None else number(last),
        other_stops=map(number, others),
    )


def refused(*args: Any, **settings: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        sized(*args, **settings)
    return caught.value


@pytest.mark.parametrize(
    ("side", "capital", "entry", "stop", "quantity", "at_stake"),
    [
        (LONG, 10_000, 95_000, 93_500, "0.06666", "99.99"),
        (LONG, 10_000, 90_000, 87_000, "0.03333", "99.99"),
        (LONG, 1_000, 95_000, 93_000, "0.005", "10"),
        (LONG, 100, 80_000, 78_400, "0.00062", "0.992"),
        (SHORT, 10_000, 95_000, 96_500, "0.06666", "99.99"),
        (SHORT, 30, "92837.01", "93058.19701", "0.00135", "0.2986024635"),
    ],
)
def test_worked_examples(side: Side, capital: int, entry: object, stop: object, quantity: str, at_stake: str) -> None:
    found = sized(entry, stop, side=side, capital=capital)
    assert found.quantity == number(quantity)
    assert found.risk_amount == number(capital) / 100
    assert found.quantity * found.stop_distance == number(at_stake) <= found.risk_amount
    assert found.cut_by is None


def test_the_plan_of_the_documents() -> None:
    found = sized(95_000, 93_500)
    assert str(found.raw_quantity).startswith("0.0666666666666666666666666666")
    assert found.quantity == number("0.06666")
    assert found.stop_distance == 1_500
    assert round(found.stop_distance_percent, 4) == number("1.5789")
    assert found.notional == number("6332.7")
    assert found.leverage == 10
    assert found.margin_required == number("633.27")
    assert found.fees_estimate == number("0.06666") * (95_000 + 93_500) / 1000
    assert found.worst_case_loss == number("99.99") + found.fees_estimate
    assert found.liquidation_price == 0  # bought with own funds: nothing is owed


@pytest.mark.parametrize(
    ("side", "near", "far", "too_near", "too_far"),
    [(LONG, "99900", "90000", "99900.1", "89999"), (SHORT, "100100", "110000", "100099.9", "110001")],
)
def test_a_distance_of_a_tenth_to_ten_percent_is_allowed(
    side: Side, near: str, far: str, too_near: str, too_far: str
) -> None:
    for stop in (near, far):
        assert stop_distance(side, number(100_000), number(stop)) > 0
    refusal = refused(100_000, too_near, side=side)
    assert (refusal.stage, refusal.code) == ("rule", "stop_too_near")
    assert "99.9 (0.0999 % of the entry 100000)" in refusal.message
    assert "0.1 % to 10 %" in refusal.hint
    refusal = refused(100_000, too_far, side=side)
    assert (refusal.stage, refusal.code) == ("rule", "stop_too_far")
    assert "10001 (10.0010 % of the entry 100000)" in refusal.message


@pytest.mark.parametrize("side", Side)
def test_the_ends_of_the_distance_are_exact(side: Side) -> None:
    """Twenty digits on each side of the point: neither end is reached by rounding."""
    entry, crumb = number("12345678901234567000"), number("1E-20")
    for share, inwards, code in (("0.001", 1, "stop_too_near"), ("0.1", -1, "stop_too_far")):
        distance = entry * number(share)
        end = entry - side.sign * distance
        assert stop_distance(side, entry, end) == distance
        with pytest.raises(Refusal) as caught:
            stop_distance(side, entry, EXACT.add(end, side.sign * inwards * crumb))
        assert caught.value.code == code


@pytest.mark.parametrize(
    ("side", "stop", "where"), [(LONG, 95_000, "below"), (LONG, 96_000, "below"), (SHORT, 95_000, "above")]
)
def test_a_stop_on_the_wrong_side_is_refused(side: Side, stop: int, where: str) -> None:
    refusal = refused(95_000, stop, side=side)
    assert refusal.code == "stop_on_wrong_side"
    assert f"{stop} with an entry at 95000" in refusal.message
    assert where in refusal.hint


# --- what cuts a size ----------------------------------------------------------------------------------------------


def test_one_percent_at_a_tenth_of_a_percent_would_take_all_of_the_leverage() -> None:
    found = sized(100_000, 99_900)
    assert found.raw_quantity == 1  # ten times the capital
    assert found.quantity == number("0.99")
    assert found.cut_by == "leverage"


def test_the_tier_of_the_pair_caps_the_leverage() -> None:
    terms = PairTerms(multiple=Decimal(3), initial_risk_ratio=Decimal("1.5"))
    found = sized(100_000, 99_000, risk=5, terms=terms)
    assert found.leverage == 3
    assert (found.quantity, found.cut_by) == (number("0.297"), "leverage")
    assert found.margin_required == found.notional / 3


def test_more_than_ten_is_never_used() -> None:
    assert sized(95_000, 93_500, terms=PairTerms(multiple=Decimal(20))).leverage == 10


@pytest.mark.parametrize(("side", "exposure"), [(LONG, 10), (SHORT, 9)])
def test_the_margin_of_the_account_is_the_limit(side: Side, exposure: int) -> None:
    """A short owes all that it sold: its debt may be nine times the collateral, so is its exposure."""
    stop = 100_000 - side.sign * 1_000
    found = sized(100_000, stop, side=side, on=account(500))
    assert found.cut_by == "margin"
    assert found.quantity == BTCUSDT.floor(HEADROOM * exposure * 500 / 100_000)


def test_a_stricter_initial_risk_ratio_is_obeyed() -> None:
    found = sized(100_000, 99_000, on=account(500), terms=PairTerms(initial_risk_ratio=Decimal("1.25")))
    assert (found.quantity, found.cut_by) == (BTCUSDT.floor(HEADROOM * 5 * 500 / 100_000), "margin")


def test_what_is_owed_already_takes_from_the_margin() -> None:
    """Collateral 1000 and a long of 0.05 at 100000 that borrowed 4000: equity 1000, debts 4000, 5000 more at most."""
    on = PairAccount(symbol="BTCUSDT", base=Leg(free=number("0.05")), quote=Leg(borrowed=Decimal(4_000)))
    found = sized(100_000, 99_000, on=on, terms=NO_FEE)
    assert (found.quantity, found.cut_by) == (BTCUSDT.floor(HEADROOM * 5_000 / 100_000), "margin")


@pytest.mark.parametrize(
    ("side", "limits", "quantity"),
    [
        (LONG, {"quote_borrow_limit": 2_000}, HEADROOM * (1_000 + 2_000) / 100_000),
        (SHORT, {"base_borrow_limit": "0.02"}, HEADROOM * Decimal("0.02")),
    ],
)
def test_the_limit_on_borrowing_an_asset(side: Side, limits: dict[str, object], quantity: Decimal) -> None:
    terms = PairTerms(**{name: number(limit) for name, limit in limits.items()})
    found = sized(100_000, 100_000 - side.sign * 1_000, side=side, on=account(1_000), terms=terms)
    assert (found.quantity, found.cut_by) == (BTCUSDT.floor(quantity), "borrow_limit")


def test_the_maximum_of_one_order() -> None:
    small = msgspec.structs.replace(BTCUSDT, maximum_quantity=number("0.050007"))
    found = sized(95_000, 93_500, instrument=small)
    assert (found.quantity, found.cut_by) == (number("0.05"), "maximum_quantity")


def test_a_limit_within_the_same_step_cuts_nothing() -> None:
    almost = msgspec.structs.replace(BTCUSDT, maximum_quantity=number("0.06666"))
    assert sized(95_000, 93_500, instrument=almost).cut_by is None


# Exposure per collateral at which an account is liquidated at its stop, before fees (Binance reference, 8.5).
CAPS = [
    ("0.1", "20.6", "19.6"),
    ("1", "17.5", "16.5"),
    ("3", "13.1", "12.3"),
    ("5.5", "10.0", "9.3"),
    ("8", "8.1", "7.5"),
    ("10", "7.0", "6.5"),
]


@pytest.mark.parametrize(("percent", "long", "short"), CAPS)
def test_the_table_of_liquidation_caps(percent: str, long: str, short: str) -> None:
    entry = Decimal(100_000)
    for side, cap in ((LONG, long), (SHORT, short)):
        stop = entry * (1 - side.sign * number(percent) / 100)
        most = _liquidation_limit(side, entry, stop, NO_FEE, account(1_000))
        assert round(most * entry / 1_000, 1) == number(cap)


@pytest.mark.parametrize(("side", "exposure"), [(LONG, "7"), (SHORT, "6.4516129")])
def test_a_wide_stop_on_a_small_account_is_cut_by_liquidation(side: Side, exposure: str) -> None:
    stop = 100_000 - side.sign * 10_000
    found = sized(100_000, stop, side=side, risk=5, capital=100_000, on=account(1_000), terms=NO_FEE)
    assert found.cut_by == "liquidation"
    assert found.quantity == BTCUSDT.floor(HEADROOM * number(exposure) * 1_000 / 100_000)
    assert (found.liquidation_price - stop) * side.sign < 0


def test_the_farthest_stop_on_the_pair_counts() -> None:
    """An older long whose stop is far below: the account must survive until then, whatever the new stop is."""
    on = PairAccount(symbol="BTCUSDT", base=Leg(free=number("0.02")), quote=Leg(borrowed=Decimal(1_000)))
    alone = sized(100_000, 99_000, on=on, terms=NO_FEE)
    beside = sized(100_000, 99_000, on=on, terms=NO_FEE, others=(90_500, 99_500))
    assert alone.cut_by == "margin"
    assert beside.cut_by == "liquidation"
    assert beside.quantity < alone.quantity
    assert beside.liquidation_price < 90_500 <= alone.liquidation_price


def test_liquidation_counts_also_where_nothing_is_borrowed_for_the_entry() -> None:
    """0.1 BTC owe 12100, 4000 are free: at 90000 only 295 remain above the ratio, and a BTC more loses 10000."""
    on = PairAccount(
        symbol="BTCUSDT", base=Leg(free=number("0.1")), quote=Leg(free=Decimal(4_000), borrowed=number(12_100))
    )
    assert _liquidation_limit(LONG, Decimal(100_000), Decimal(90_000), NO_FEE, on) == number("0.0295")


def test_an_account_that_would_be_liquidated_anyway_takes_no_more() -> None:
    on = PairAccount(symbol="BTCUSDT", base=Leg(free=number("0.1")), quote=Leg(borrowed=Decimal(9_000)))
    refusal = refused(100_000, 99_000, on=on, others=(90_000,))
    assert (refusal.stage, refusal.code) == ("margin", "below_minimum")
    assert "cut by liquidation" in refusal.message


# --- what is too small ---------------------------------------------------------------------------------------------


def test_below_the_minimum_is_refused_not_rounded_up() -> None:
    refusal = refused(95_000, 93_500, capital=5)
    assert (refusal.stage, refusal.code) == ("rule", "below_minimum")
    assert "0.00003 BTC (0.00003333 BTC by the Golden Rule), worth 2.85 USDT" in refusal.message
    assert "at least 0.00001 BTC and 5 USDT" in refusal.hint


def test_less_than_one_step_is_refused() -> None:
    assert refused(95_000, 93_500, capital="0.1").code == "below_minimum"


def test_no_funds_is_a_matter_of_margin() -> None:
    refusal = refused(95_000, 93_500, on=account(0))
    assert (refusal.stage, refusal.code) == ("margin", "below_minimum")
    assert "cut by margin" in refusal.message


def test_what_could_not_be_sold_again_is_refused() -> None:
    """0.00006 at 95000 is worth 5.70 and may be bought; one step goes in fees, and 0.00005 at 93500 cannot be sold."""
    refusal = refused(95_000, 93_500, capital=9)
    assert (refusal.stage, refusal.code) == ("rule", "unsellable_at_stop")
    assert "worth 4.675 USDT at 93500 after fees" in refusal.message
    assert "at least 5.5 USDT" in refusal.hint


def test_ten_percent_above_the_minimum_at_the_stop_is_enough() -> None:
    cheap = msgspec.structs.replace(BTCUSDT, step_size=number("0.00000001"), minimum_quantity=Decimal(0))
    least = number("0.0000550001")  # x 100000 = 5.50001 at the stop, without a fee
    assert sized(101_000, 100_000, capital=least * 100_000, instrument=cheap, terms=NO_FEE).quantity > 0
    refusal = refused(101_000, 100_000, capital=number("5.499"), instrument=cheap, terms=NO_FEE)
    assert refusal.code == "unsellable_at_stop"


@pytest.mark.parametrize(("side", "lent", "quantity"), [(LONG, "1000", "0.02084"), (SHORT, "0.03", "0.0297")])
def test_what_the_venue_would_lend_now_cuts_the_size(side: Side, lent: str, quantity: str) -> None:
    on = account(quote="1000")
    stop = 94_000 if side is LONG else 96_000
    uncut = sized(95_000, stop, side=side, on=on, credit=Credit(borrowable=Decimal(1_000_000)))
    assert uncut == sized(95_000, stop, side=side, on=on)
    cut = sized(95_000, stop, side=side, on=on, credit=Credit(borrowable=Decimal(lent)))
    assert (cut.quantity, cut.cut_by) == (Decimal(quantity), "borrow_limit")
    assert cut.quantity < uncut.quantity


def test_a_loan_that_is_less_by_the_first_interest_alone_cuts_nothing() -> None:
    on, computed = account(quote="1000"), Decimal(9_000)
    nearly = Credit(borrowable=computed * Decimal("0.995"))
    assert sized(95_000, 94_000, on=on, credit=nearly) == sized(95_000, 94_000, on=on)


def test_nothing_to_borrow_and_nothing_owned_is_refused_at_the_margin() -> None:
    refusal = refused(95_000, 96_000, side=SHORT, on=account(quote="1000"), credit=Credit(borrowable=Decimal(0)))
    assert (refusal.stage, refusal.code) == ("margin", "below_minimum")


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_an_index_that_is_nearer_to_the_liquidation_cuts_the_size(side: Side) -> None:
    """The index price decides on liquidation, the last price on the stop: what is between them is room lost."""
    sign = -1 if side is LONG else 1
    stop, on = 95_000 * (1 + sign * 0.08), account(quote="1000")
    at_last = Credit(index_price=Decimal(95_000))
    behind = Credit(index_price=Decimal(95_000) * (1 + sign * Decimal("0.01")))
    ahead = Credit(index_price=Decimal(95_000) * (1 - sign * Decimal("0.01")))
    plain_size = sized(95_000, stop, side=side, on=on, risk=5, capital=20_000)
    for credit, last, expected in (
        (at_last, 95_000, 0),
        (behind, 95_000, -1),
        (ahead, 95_000, 0),
        (behind, None, 0),
        (Credit(index_price=Decimal("95000.5")), 95_000, 0),
    ):
        got = sized(95_000, stop, side=side, on=on, risk=5, capital=20_000, credit=credit, last=last)
        assert (got.quantity < plain_size.quantity) is (expected < 0), (credit, last)
        if expected:
            assert got.cut_by == "liquidation"
