"""The table of pairs that are known without a venue."""

from decimal import Decimal

import pytest

from robson.domain.errors import RuleError
from robson.venue.instruments import BUILTIN_INSTRUMENTS, builtin_instrument


@pytest.mark.parametrize(
    ("symbol", "tick", "step"),
    [("BTCUSDT", "0.01", "0.00001"), ("ETHUSDT", "0.01", "0.0001"), ("SOLUSDT", "0.01", "0.001")],
)
def test_the_pairs_of_the_contract_are_as_promised(symbol: str, tick: str, step: str) -> None:
    instrument = builtin_instrument(symbol)
    assert (instrument.tick_size, instrument.step_size) == (Decimal(tick), Decimal(step))
    assert instrument.minimum_notional == 5
    assert instrument.minimum_quantity == instrument.step_size


def test_every_row_is_a_tradable_pair_named_after_its_assets() -> None:
    assert len(BUILTIN_INSTRUMENTS) >= 20
    assert {instrument.quote for instrument in BUILTIN_INSTRUMENTS.values()} == {"USDT", "USDC", "BTC"}
    for symbol, instrument in BUILTIN_INSTRUMENTS.items():
        assert symbol == instrument.symbol == instrument.base + instrument.quote
        assert instrument.tradable
        assert instrument.largest_order() == instrument.maximum_quantity > 0


@pytest.mark.parametrize(
    ("symbol", "hint"),
    [
        ("BTCUSD", "did you mean BTCUSDT"),
        ("btcusdt", "did you mean BTCUSDT"),
        ("NOPE", "known are BTCUSDT, ETHUSDT"),
        ("X" * 500, "known are BTCUSDT"),
    ],
)
def test_an_unknown_symbol_is_refused_with_the_nearest_names(symbol: str, hint: str) -> None:
    with pytest.raises(RuleError) as refused:
        builtin_instrument(symbol)
    assert refused.value.code == "unknown_symbol"
    assert refused.value.hint.startswith(hint)
    assert len(refused.value.message) < 150
