"""The paper venue's settings: defaults, ranges, and what is refused."""

import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.venue.settings import PaperSettings


def test_defaults_are_those_that_are_documented() -> None:
    settings = PaperSettings()
    assert settings.collateral == 100_000
    assert settings.fee_rate == Decimal("0.001")
    assert settings.fee_asset is None
    assert settings.partial_fill_probability == 0
    for name in PaperSettings.__struct_fields__:
        assert re.search(rf"^ +{name} ", PaperSettings.__doc__ or "", re.MULTILINE), name


def test_decimal_strings_are_read_exactly() -> None:
    settings = msgspec.convert({"fee_rate": "0.00075", "fee_asset": "BNB", "fills_max": 1}, PaperSettings)
    assert (settings.fee_rate, settings.fee_asset, settings.fills_max) == (Decimal("0.00075"), "BNB", 1)


@pytest.mark.parametrize(
    ("key", "value", "limit"),
    [
        ("collateral", "0", "above 0"),
        ("collateral", "NaN", "above 0"),
        ("collateral", "Infinity", "at most 1000000000000"),
        ("fee_rate", "0.2", "at most 0.1"),
        ("fee_rate", "-0.001", "at least 0"),
        ("partial_fill_probability", "1.1", "at most 1"),
        ("latency_ms", "60001", "at most 60000"),
        ("fills_max", 0, "at least 1"),
        ("fee_asset", "B N B", "an asset's name"),
        ("spread", "1", "unknown field"),
    ],
)
def test_a_value_out_of_range_or_an_unknown_key_is_named(key: str, value: Any, limit: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert({key: value}, PaperSettings)
    assert key in str(refused.value)
    assert limit in str(refused.value)
