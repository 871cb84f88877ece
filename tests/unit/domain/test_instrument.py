"""Quantities cut to what the venue takes: floored, raised, split, and exact where a division would round."""

from decimal import Decimal

import msgspec
import pytest

from robson.domain.instrument import Instrument
from tests.unit.engine.samples import BTCUSDT


def instrument(**changes: object) -> Instrument:
    return msgspec.structs.replace(
        BTCUSDT, **{name: Decimal(str(number)) if name != "tradable" else number for name, number in changes.items()}
    )


@pytest.mark.parametrize(
    ("quantity", "floor", "ceil"),
    [
        ("0.0666666666", "0.06666", "0.06667"),
        ("0.06666", "0.06666", "0.06666"),
        ("0.000009", "0", "0.00001"),
        ("0", "0", "0"),
        ("-0.000009", "-0.00001", "0"),
        ("99999999999999999999.999999", "99999999999999999999.99999", "100000000000000000000"),
    ],
)
def test_whole_steps(quantity: str, floor: str, ceil: str) -> None:
    assert BTCUSDT.floor(Decimal(quantity)) == Decimal(floor)
    assert BTCUSDT.ceil(Decimal(quantity)) == Decimal(ceil)


def test_flooring_never_rounds_up_at_the_twenty_ninth_digit() -> None:
    whole = instrument(step_size=1)
    quantity = Decimal("12345678901.99999999999999999999")
    assert quantity / 1 == Decimal(12345678902)  # what an ordinary division makes of it
    assert whole.floor(quantity) == Decimal(12345678901)
    assert whole.ceil(Decimal("12345678901.00000000000000000001")) == Decimal(12345678902)


@pytest.mark.parametrize("step", ["0.3", "7", "0.00000001", "1000"])
def test_steps_need_not_be_powers_of_ten(step: str) -> None:
    odd = instrument(step_size=step)
    assert odd.floor(Decimal(10_000)) <= Decimal(10_000) <= odd.ceil(Decimal(10_000))
    assert odd.ceil(Decimal(10_000)) - odd.floor(Decimal(10_000)) <= Decimal(step)
    assert odd.floor(Decimal(step) * 13) == odd.ceil(Decimal(step) * 13) == Decimal(step) * 13


@pytest.mark.parametrize(
    ("price", "changes", "least"),
    [
        (95_000, {}, "0.00006"),  # 5 / 95000 = 0.0000526
        (50_000, {}, "0.0001"),  # exactly ten steps are worth 5
        (3, {"step_size": "0.1"}, "1.7"),
        (10**9, {}, "0.00001"),
        (95_000, {"minimum_notional": 0}, "0.00001"),
        (95_000, {"minimum_notional": 0, "minimum_quantity": 0}, "0.00001"),
        (95_000, {"minimum_quantity": "0.000015"}, "0.00006"),
        (95_000, {"minimum_quantity": "0.001"}, "0.001"),
    ],
)
def test_the_smallest_order_is_sellable_and_one_step_less_is_not(
    price: int, changes: dict[str, object], least: str
) -> None:
    one = instrument(**changes)
    assert one.smallest_sellable(Decimal(price)) == Decimal(least)
    assert one.is_sellable(Decimal(least), Decimal(price))
    assert not one.is_sellable(Decimal(least) - one.step_size, Decimal(price))


@pytest.mark.parametrize(
    ("quantity", "maximum", "slices"),
    [
        ("10", "0", ["10"]),
        ("10", "10", ["10"]),
        ("10.00001", "10", ["5.00001", "5"]),
        ("0.00003", "0.00002", ["0.00002", "0.00001"]),
        ("100", "30", ["25"] * 4),
        ("100.00002", "30", ["25.00001", "25.00001", "25", "25"]),
        ("1", "0.333339", ["0.25"] * 4),  # the maximum itself is floored to a step: three slices would not do
    ],
)
def test_an_order_above_the_maximum_is_split_evenly(quantity: str, maximum: str, slices: list[str]) -> None:
    found = instrument(maximum_quantity=maximum).split(Decimal(quantity))
    assert found == tuple(map(Decimal, slices))


@pytest.mark.parametrize(
    "changes",
    [
        {"step_size": 0},
        {"step_size": "-1"},
        {"step_size": "NaN"},
        {"tick_size": "Infinity"},
        {"minimum_quantity": "-0.1"},
        {"minimum_notional": "NaN"},
        {"maximum_quantity": "0.000001"},
    ],
)
def test_impossible_filters_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(changes))} was "):
        instrument(**changes)
