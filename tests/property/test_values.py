"""Amounts and records on the wire: every one comes back equal, and none carries an exponent."""

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from robson.domain.codec import decode, encode, to_wire
from robson.domain.errors import RuleError
from robson.domain.events import EVENT_TYPES, Fact, Notice, event_data, event_type, read_event
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.values import EXACT, PLAIN_DECIMAL, Bounds, average_price, parse_amount, plain
from robson.ports.journal import Fill, Intent, PairRecord
from tests.strategies import amounts, anything, signed_amounts
from tests.unit.engine.samples import NOON

ANY = Bounds(low=Decimal(0))
WRITTEN = re.compile(r"-?[0-9]+(\.[0-9]*[1-9])?", re.ASCII)
RECORDS = [Fact, Position, Intent, Fill, PairRecord]

positive = amounts.filter(bool)


def decimals_in(record: Any, wire: Any) -> list[tuple[Decimal, Any]]:
    """Every decimal of a record beside what stands for it on the wire."""
    built = msgspec.to_builtins(record, builtin_types=(Decimal,))
    found: list[tuple[Decimal, Any]] = []

    def walk(left: Any, right: Any) -> None:
        if isinstance(left, Decimal):
            found.append((left, right))
        elif isinstance(left, dict):
            for key in left:
                walk(left[key], right[key])
        elif isinstance(left, list | tuple):
            for one, other in zip(left, right, strict=True):
                walk(one, other)

    walk(built, wire)
    return found


@given(amounts)
def test_what_is_written_is_read_back_exactly(amount: Decimal) -> None:
    assert PLAIN_DECIMAL.fullmatch(plain(amount))
    assert parse_amount("x", plain(amount), ANY) == amount


@given(signed_amounts)
def test_plain_is_canonical(amount: Decimal) -> None:
    text = plain(amount)
    assert WRITTEN.fullmatch(text)
    assert text != "-0"
    assert Decimal(text) == amount
    assert plain(Decimal(text)) == text


@given(st.text(max_size=30) | st.text("0123456789.eE+-_ NaInfity", max_size=30) | st.from_regex(PLAIN_DECIMAL))
@example("1e400")
@example("9" * 400)
def test_a_text_is_a_plain_decimal_or_a_bad_number(text: str) -> None:
    if PLAIN_DECIMAL.fullmatch(text):
        assert parse_amount("x", text, ANY) == Decimal(text)
        return
    with pytest.raises(RuleError) as caught:
        parse_amount("x", text, ANY)
    assert caught.value.code == "bad_number"
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=EVENT_TYPES)
@settings(max_examples=25)
@given(st.data())
def test_every_event_comes_back_from_the_journal(kind: type, data: st.DataObject) -> None:
    event = data.draw(anything(kind))
    assert read_event(event_type(event), encode(event_data(event))) == event


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
@settings(max_examples=40)
@given(st.data())
def test_every_record_comes_back_and_no_decimal_has_an_exponent(kind: type, data: st.DataObject) -> None:
    record = data.draw(anything(kind))
    assert decode(encode(record), kind) == record
    for amount, text in decimals_in(record, to_wire(record)):
        assert isinstance(text, str)
        assert WRITTEN.fullmatch(text)
        assert Decimal(text) == amount


@settings(max_examples=25)
@given(anything(Notice.__annotations__["data"]))
def test_a_notice_carries_any_json(data: dict[str, Any]) -> None:
    notice = Notice(type="drift_found", at=NOON, data=data)
    assert decode(encode(notice), Notice) == notice


@given(quantity=positive, step=positive)
def test_flooring_and_raising_are_exact(quantity: Decimal, step: Decimal) -> None:
    one = Instrument(
        symbol="AAABBB",
        base="AAA",
        quote="BBB",
        tick_size=step,
        step_size=step,
        minimum_quantity=Decimal(0),
        minimum_notional=Decimal(0),
    )
    low, high = one.floor(quantity), one.ceil(quantity)
    assert low <= quantity <= high
    assert EXACT.subtract(quantity, low) < step
    assert EXACT.subtract(high, quantity) < step
    for whole in (low, high):
        assert EXACT.remainder(whole, step) == 0


@given(quantity=st.integers(1, 10**9), maximum=st.integers(1, 10**6), step=st.sampled_from(["0.00001", "0.3", "1000"]))
def test_slices_add_up_and_differ_by_one_step_at_most(quantity: int, maximum: int, step: str) -> None:
    size = Decimal(step)
    quantity = min(quantity, maximum * 500)
    one = Instrument(
        symbol="AAABBB",
        base="AAA",
        quote="BBB",
        tick_size=size,
        step_size=size,
        minimum_quantity=Decimal(0),
        minimum_notional=Decimal(0),
        maximum_quantity=maximum * size,
    )
    slices = one.split(quantity * size)
    assert sum(slices) == quantity * size
    assert max(slices) <= one.maximum_quantity
    assert max(slices) - min(slices) in {0, size}
    assert len(slices) == -(-quantity // maximum)


@given(quantity=positive, price=positive)
def test_the_average_price_of_a_fill_is_its_price(quantity: Decimal, price: Decimal) -> None:
    average = average_price(EXACT.multiply(quantity, price), quantity)
    assert abs(EXACT.subtract(average, price)) <= EXACT.multiply(price, Decimal("1E-15"))
