"""A symbol with its filters, as exchangeInfo describes it."""

from decimal import Decimal

from robson.domain.instrument import Instrument
from robson.domain.values import ZERO
from robson.emulator.reports import SELF_TRADE_PREVENTION
from robson.emulator.wire import JsonObject, amount

_LARGEST_PRICE = Decimal(1_000_000)


def describe(instrument: Instrument) -> JsonObject:
    """A symbol of exchangeInfo."""
    return {
        "symbol": instrument.symbol,
        "status": "TRADING" if instrument.tradable else "BREAK",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": False,
        "isMarginTradingAllowed": True,
        "filters": _filters(instrument),
        "permissions": [],
        "permissionSets": [["MARGIN"]],
        "defaultSelfTradePreventionMode": SELF_TRADE_PREVENTION,
        "allowedSelfTradePreventionModes": [SELF_TRADE_PREVENTION],
    }


def _filters(instrument: Instrument) -> list[JsonObject]:
    step, tick = instrument.step_size, instrument.tick_size
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": amount(tick),
            "maxPrice": amount(_LARGEST_PRICE),
            "tickSize": amount(tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": amount(instrument.minimum_quantity),
            "maxQty": amount(instrument.maximum_quantity * 100),
            "stepSize": amount(step),
        },
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        # A step of zero is a rule that is switched off, as on the real pairs.
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": amount(ZERO),
            "maxQty": amount(instrument.maximum_quantity),
            "stepSize": amount(ZERO),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": amount(instrument.minimum_notional),
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
    ]
