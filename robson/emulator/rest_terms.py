"""On what terms is lent under /sapi/v1/margin: tiers, interest rates, minima, the index price."""

from decimal import Decimal

from robson.domain.account import PairTerms
from robson.domain.values import ZERO
from robson.emulator.endpoint import Call, Endpoint, signed
from robson.emulator.exchange import quote_borrow_limit
from robson.emulator.refusals import invalid_symbol
from robson.emulator.wire import JsonObject, amount, short
from robson.venue.answers import known_instrument

_HOURS_A_DAY = 24


async def tiers(call: Call) -> object:
    """The one tier that the ledger enforces."""
    instrument = known_instrument(known_symbol(call))
    if call.parameters.integer("tier", 1) != 1:
        return []
    terms = PairTerms()
    return [
        {
            "symbol": instrument.symbol,
            "tier": 1,
            "effectiveMultiple": short(terms.multiple),
            "initialRiskRatio": short(terms.initial_risk_ratio),
            "liquidationRiskRatio": short(terms.liquidation_risk_ratio),
            "baseAssetMaxBorrowable": short(instrument.maximum_quantity),
            "quoteAssetMaxBorrowable": short(quote_borrow_limit(instrument)),
        }
    ]


async def isolated_terms(call: Call) -> object:
    """Interest and borrow limits of one pair or of all."""
    symbols = [known_symbol(call)] if "symbol" in call.parameters else list(call.exchange.market.symbols)
    return [_terms_row(call, symbol) for symbol in symbols]


def _terms_row(call: Call, symbol: str) -> JsonObject:
    rules = call.exchange.rules(known_instrument(symbol))
    instrument = rules.instrument
    return {
        "vipLevel": 0,
        "symbol": symbol,
        "leverage": short(rules.terms.multiple),
        "data": [
            {
                "coin": asset,
                "dailyInterest": short(rules.hourly_rate(asset) * _HOURS_A_DAY),
                "borrowLimit": short(rules.borrow_limit(asset) or ZERO),
            }
            for asset in (instrument.base, instrument.quote)
        ],
    }


async def cross_terms(call: Call) -> object:
    """Interest by asset, as the cross account's page has it."""
    settings = call.exchange.settings
    hourly = dict.fromkeys(_assets(call), settings.base_hourly_interest_rate)
    wanted = call.parameters.text("coin", "")
    return [
        {
            "vipLevel": 0,
            "coin": asset,
            "transferIn": True,
            "borrowable": True,
            "dailyInterest": short(rate * _HOURS_A_DAY),
            "yearlyInterest": short(rate * _HOURS_A_DAY * 365),
            "borrowLimit": short(Decimal(1_000_000)),
            "marginablePairs": [s for s in call.exchange.market.symbols if asset in s],
        }
        for asset, rate in hourly.items()
        if wanted in {"", asset}
    ]


async def hourly_rates(call: Call) -> object:
    """The next hour's interest of the assets."""
    settings = call.exchange.settings
    rates = dict.fromkeys(_assets(call), settings.base_hourly_interest_rate)
    rates.update({known_instrument(s).quote: settings.quote_hourly_interest_rate for s in call.exchange.market.symbols})
    wanted = call.parameters.text("assets").split(",")
    return [{"asset": asset, "nextHourlyInterestRate": amount(rates[asset])} for asset in wanted if asset in rates]


async def all_assets(call: Call) -> object:
    """Assets with the least that is lent and repaid of each."""
    least: dict[str, tuple[Decimal, Decimal]] = {}
    for symbol in call.exchange.market.symbols:
        rules = call.exchange.rules(known_instrument(symbol))
        for asset in (rules.instrument.base, rules.instrument.quote):
            least.setdefault(asset, (rules.minimum_borrow.get(asset, ZERO), rules.minimum_repay.get(asset, ZERO)))
    wanted = call.parameters.text("asset", "")
    return [
        {
            "assetFullName": asset,
            "assetName": asset,
            "isBorrowable": True,
            "isMortgageable": True,
            "userMinBorrow": short(borrowed),
            "userMinRepay": short(repaid),
        }
        for asset, (borrowed, repaid) in least.items()
        if wanted in {"", asset}
    ]


async def price_index(call: Call) -> object:
    """The index price, which decides on liquidations: here it is the last price."""
    tape = await call.exchange.market.open(call.parameters.symbol())
    assert tape.last is not None
    return {"calcTime": tape.last.at_ms, "price": amount(tape.last.price), "symbol": tape.instrument.symbol}


async def trade_coefficient(call: Call) -> object:
    """The liquidation coefficients of an account that is healthy."""
    return {"normalBar": "1.50000000", "marginCallBar": "1.30000000", "forceLiquidationBar": "1.10000000"}


def known_symbol(call: Call) -> str:
    """The symbol that is asked about; Refused -1121 when the feed does not have it."""
    symbol = call.parameters.symbol()
    if symbol not in call.exchange.market.symbols:
        raise invalid_symbol()
    return symbol


def _assets(call: Call) -> list[str]:
    instruments = [known_instrument(symbol) for symbol in call.exchange.market.symbols]
    return sorted({asset for instrument in instruments for asset in (instrument.base, instrument.quote)})


_MARGIN = "/sapi/v1/margin"
ENDPOINTS: tuple[Endpoint, ...] = (
    signed("GET", f"{_MARGIN}/isolatedMarginTier", tiers, ip=1),
    signed("GET", f"{_MARGIN}/isolatedMarginData", isolated_terms, ip=lambda p: 1 if "symbol" in p else 10),
    signed("GET", f"{_MARGIN}/crossMarginData", cross_terms, ip=lambda p: 1 if "coin" in p else 5),
    signed("GET", f"{_MARGIN}/next-hourly-interest-rate", hourly_rates, ip=100),
    signed("GET", f"{_MARGIN}/allAssets", all_assets, ip=1, key_only=True),
    signed("GET", f"{_MARGIN}/priceIndex", price_index, ip=10, key_only=True),
    signed("GET", f"{_MARGIN}/tradeCoeff", trade_coefficient, ip=10),
)
