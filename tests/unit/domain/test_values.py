"""Numbers as they are read from people and written for venues."""

from decimal import Decimal

import pytest

from robson.domain.errors import RuleError
from robson.domain.values import (
    CAPITAL,
    RISK_PERCENT,
    SIGNAL_ID,
    SYMBOL,
    Bounds,
    OrderSide,
    Side,
    add_amounts,
    average_price,
    brief,
    entry_order_side,
    exit_order_side,
    parse_amount,
    plain,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10000", "10000"),
        ("0.5", "0.5"),
        ("0.00000001", "1E-8"),
        ("0001", "1"),
        ("1.0", "1"),
        ("9" * 20, "9" * 20),
        ("0." + "0" * 19 + "1", "1E-20"),
        ("9" * 20 + "." + "9" * 20, "9" * 20 + "." + "9" * 20),
    ],
)
def test_a_plain_decimal_is_read_exactly(text: str, number: str) -> None:
    assert parse_amount("capital", text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "-", "+", "abc", "0x10", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "∞", "½"),
        *("1e5", "1E5", "1e400", "1e-8", "1e+1", "+1", "-1", "-0", "--1", "1.", ".5", "1..2", "1.2.3", "1,000", "1,5"),
        *("1_000", "1 000", " 1", "1 ", "1\n", "\t1", "1\x00", "1\u00a0", "0b1", "1d", "$1", "1%"),
        "9" * 21,
        "0" * 21,
        "1." + "0" * 21,
        "\u0661\u0662",  # Arabic-Indic digits: Decimal itself would take them
        "\uff11\uff12",  # full width
        "\u00b2",
        "\u096b",
    ],
)
def test_anything_else_is_not_a_number(text: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_amount("capital", text)
    assert caught.value.code == "bad_number"
    assert caught.value.message.startswith("capital was ")
    assert "such as" in caught.value.hint


def test_a_long_text_is_shown_cut() -> None:
    with pytest.raises(RuleError) as caught:
        parse_amount("capital", "9" * 60_000)
    assert len(caught.value.message) < 120
    assert "..." in caught.value.message


@pytest.mark.parametrize(
    ("bounds", "text", "limit"),
    [
        (CAPITAL, "0", "above 0"),
        (CAPITAL, "0.00000000", "above 0"),
        (CAPITAL, "1000000000000.01", "at most 1000000000000"),
        (RISK_PERCENT, "0", "above 0"),
        (RISK_PERCENT, "5.00000000000000000001", "at most 5"),
        (Bounds(low=Decimal(2)), "1.99", "at least 2"),
    ],
)
def test_a_number_outside_its_limits_is_refused_with_both(bounds: Bounds, text: str, limit: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_amount("risk_percent", text, bounds)
    assert caught.value.code == "out_of_range"
    assert f"risk_percent was {plain(Decimal(text))}" in caught.value.message
    assert limit in caught.value.message


@pytest.mark.parametrize(
    ("bounds", "text"), [(CAPITAL, "1000000000000"), (RISK_PERCENT, "5"), (Bounds(low=Decimal(2)), "2")]
)
def test_the_ends_of_a_range_belong_to_it(bounds: Bounds, text: str) -> None:
    assert parse_amount("x", text, bounds) == Decimal(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1E-8", "0.00000001"),
        ("1E+3", "1000"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0E-20", "0"),
        ("0E+5", "0"),
        ("1.500", "1.5"),
        ("100", "100"),
        ("-2.50", "-2.5"),
        ("12345678901234567890.12345678901234567890", "12345678901234567890.1234567890123456789"),
        ("1E-20", "0.00000000000000000001"),
    ],
)
def test_numbers_are_written_in_plain_digits(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


@pytest.mark.parametrize(
    ("told", "text"),
    [
        *(("95009.14842600513", "95009.148"), ("-2.2675935180305260697", "-2.2675935"), ("3596.1946", "3596.1946")),
        *(("0.0235759916940184", "0.023575992"), ("123456789.129", "123456789.13"), ("100.00000000", "100")),
        *((Decimal("0.00000831"), "0.00000831"), ("0123456789abcdef", "0123456789abcdef"), (1234567890, "1234567890")),
        *(("2026-01-01T00:10:00.5", "2026-01-01T00:10:00.5"), ("1e99999999", "1e99999999"), (True, "True")),
    ],
)
def test_at_a_glance_a_number_has_eight_digits(told: object, text: str) -> None:
    assert brief(told) == text


def test_an_average_price_has_sixteen_digits() -> None:
    assert average_price(Decimal(20), Decimal(3)) == Decimal("6.666666666666667")
    assert average_price(Decimal("0.06666") * Decimal("95100.01"), Decimal("0.06666")) == Decimal("95100.01")


def test_amounts_are_added_by_asset_and_zeros_dropped() -> None:
    left, right = {"BTC": Decimal(1), "USDT": Decimal(2)}, {"BTC": Decimal(-1), "BNB": Decimal(3)}
    assert add_amounts(left, right) == {"USDT": 2, "BNB": 3}
    assert left == {"BTC": 1, "USDT": 2}


def test_the_sides() -> None:
    assert (entry_order_side(Side.LONG), exit_order_side(Side.LONG)) == (OrderSide.BUY, OrderSide.SELL)
    assert (entry_order_side(Side.SHORT), exit_order_side(Side.SHORT)) == (OrderSide.SELL, OrderSide.BUY)
    assert (Side.LONG.sign, Side.SHORT.sign) == (1, -1)


@pytest.mark.parametrize(
    "name", ["btcusdt", "BTC", "BTC-USDT", "BTCUSDT\n", "ＢＴＣＵＳＤＴ", "A" * 21, "", "BTC USDT"]
)
def test_what_is_not_a_symbol(name: str) -> None:
    assert SYMBOL.fullmatch(name) is None


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "é", "a\n", "a/b"])
def test_what_is_not_a_signal_id(name: str) -> None:
    assert SIGNAL_ID.fullmatch(name) is None
