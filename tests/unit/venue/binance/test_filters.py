"""exchangeInfo's filters: what a market order must respect, and what it does not know."""

from decimal import Decimal
from typing import Any

import pytest

from robson.venue.binance.filters import PairRules, pair_rules
from robson.venue.binance.reading import Malformed

# The real pair's filters, with its MARKET_LOT_SIZE of zeros and a maximum that changes daily.
REAL: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"},
    {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
    {"filterType": "ICEBERG_PARTS", "limit": 100},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "71.35923154", "stepSize": "0.00000000"},
    {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10, "maxTrailingAboveDelta": 2000},
    {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": "5", "bidMultiplierDown": "0.2", "avgPriceMins": 5},
    {
        "filterType": "NOTIONAL",
        "minNotional": "5.00000000",
        "applyMinToMarket": True,
        "maxNotional": "9000000.00000000",
        "applyMaxToMarket": False,
        "avgPriceMins": 5,
    },
    {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": 20},
    {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
    {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
]


def rules(filters: list[dict[str, Any]] | None = None, **listed: Any) -> PairRules:
    pair = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "isMarginTradingAllowed": True,
        "filters": REAL if filters is None else filters,
    }
    found = pair_rules({"timezone": "UTC", "symbols": [{"symbol": "ETHUSDT"}, pair | listed]}, "BTCUSDT")
    assert found is not None
    return found


def with_filter(name: str, **members: Any) -> list[dict[str, Any]]:
    """The real filters with one replaced or added; without members it is taken away."""
    rest = [row for row in REAL if row["filterType"] != name]
    return [*rest, {"filterType": name, **members}] if members else rest


def test_the_real_pair() -> None:
    found = rules()
    instrument = found.instrument
    assert (instrument.base, instrument.quote, instrument.tradable) == ("BTC", "USDT", True)
    assert (instrument.tick_size, instrument.step_size) == (Decimal("0.01"), Decimal("0.00001"))
    assert (instrument.minimum_quantity, instrument.minimum_notional) == (Decimal("0.00001"), 5)
    assert instrument.maximum_quantity == Decimal("71.35923154")
    assert instrument.largest_order() == Decimal("71.35923")
    assert (found.maximum_notional, found.maximum_position, found.unknown_filters) == (0, 0, ())


def test_a_pair_that_is_not_listed_is_none() -> None:
    assert pair_rules({"symbols": [{"symbol": "ETHUSDT"}]}, "BTCUSDT") is None


@pytest.mark.parametrize("status", ["HALT", "BREAK", "END_OF_DAY", "CANCEL_ONLY", "SOMETHING_NEW", "", None])
def test_only_a_pair_that_is_known_to_trade_is_tradable(status: str | None) -> None:
    assert not rules(status=status).instrument.tradable


def test_a_pair_without_margin_is_not_tradable() -> None:
    assert not rules(isMarginTradingAllowed=False).instrument.tradable
    assert not rules(isMarginTradingAllowed="false").instrument.tradable


def test_unknown_filters_are_named_and_do_no_harm() -> None:
    found = rules([*REAL, {"filterType": "NEW_ONE", "limit": 3}, {"filterType": "ANOTHER"}])
    assert found.unknown_filters == ("ANOTHER", "NEW_ONE")
    assert found.instrument == rules().instrument


@pytest.mark.parametrize(
    ("notional", "minimum", "expected"),
    [
        ({"minNotional": "5", "applyMinToMarket": True}, None, 5),
        ({"minNotional": "5", "applyMinToMarket": False}, None, 0),
        ({"minNotional": 5}, None, 5),
        (None, {"minNotional": "10", "applyToMarket": True}, 10),
        (None, {"minNotional": "10", "applyToMarket": "false"}, 0),
        ({"minNotional": "5", "applyMinToMarket": True}, {"minNotional": "10", "applyToMarket": True}, 10),
        (None, None, 0),
    ],
)
def test_the_minimum_notional_of_either_filter_or_both(
    notional: dict[str, Any] | None, minimum: dict[str, Any] | None, expected: int
) -> None:
    filters = [row for row in REAL if row["filterType"] != "NOTIONAL"]
    if notional is not None:
        filters.append({"filterType": "NOTIONAL", **notional})
    if minimum is not None:
        filters.append({"filterType": "MIN_NOTIONAL", **minimum})
    assert rules(filters).instrument.minimum_notional == expected


def test_a_maximum_notional_bounds_the_quantity_with_room_for_a_rising_price() -> None:
    applied = with_filter("NOTIONAL", minNotional="5", maxNotional="100000", applyMaxToMarket=True)
    assert rules(applied).maximum_notional == 100000
    assert rules(applied).largest_quantity_at(Decimal(60000)) == Decimal("0.83333")
    assert rules().largest_quantity_at(Decimal(60000)) == Decimal("71.35923154")


def test_the_limits_of_both_lot_filters_hold() -> None:
    market = with_filter("MARKET_LOT_SIZE", minQty="0.0002", maxQty="10000", stepSize="0.0001")
    instrument = rules(market).instrument
    assert (instrument.minimum_quantity, instrument.step_size) == (Decimal("0.0002"), Decimal("0.0001"))
    assert instrument.maximum_quantity == 9000
    odd = with_filter("MARKET_LOT_SIZE", minQty="0", maxQty="0", stepSize="0.000015")
    assert rules(odd).instrument.step_size == Decimal("0.00003")
    assert rules(odd).instrument.maximum_quantity == 9000
    assert rules(with_filter("MARKET_LOT_SIZE")).instrument.maximum_quantity == 9000


def test_rules_that_are_switched_off_leave_the_assets_own_precision() -> None:
    off = with_filter("LOT_SIZE", minQty="0", maxQty="0", stepSize="0")
    instrument = rules(
        [row for row in off if row["filterType"] not in {"PRICE_FILTER", "MARKET_LOT_SIZE"}], baseAssetPrecision=4
    ).instrument
    assert (instrument.step_size, instrument.tick_size) == (Decimal("0.0001"), Decimal("0.00000001"))
    assert (instrument.minimum_quantity, instrument.maximum_quantity) == (0, 0)


def test_a_maximum_position_is_kept() -> None:
    assert rules([*REAL, {"filterType": "MAX_POSITION", "maxPosition": "10.5"}]).maximum_position == Decimal("10.5")


@pytest.mark.parametrize(
    "filters",
    [
        with_filter("LOT_SIZE", minQty="x", maxQty="1", stepSize="1"),
        with_filter("MARKET_LOT_SIZE", minQty="0", maxQty="0.000001", stepSize="0"),
        ["nonsense"],
        "nonsense",
    ],
)
def test_filters_that_cannot_be_obeyed_are_malformed(filters: Any) -> None:
    with pytest.raises(Malformed):
        rules(filters)
