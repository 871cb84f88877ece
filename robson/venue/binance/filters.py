"""A pair's rules from exchangeInfo: its filters as far as they touch market orders, the rest by name."""

from collections.abc import Iterable
from decimal import Decimal
from math import lcm
from typing import Any

from robson.domain.instrument import Instrument
from robson.domain.values import EXACT, ZERO, Value
from robson.venue.binance.reading import Fields, Malformed, rows

# They limit a price that market orders do not have, or orders that rest.
WITHOUT_EFFECT = frozenset(
    {
        "PERCENT_PRICE",
        "PERCENT_PRICE_BY_SIDE",
        "ICEBERG_PARTS",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
        "MAX_NUM_ICEBERG_ORDERS",
        "MAX_NUM_ORDER_LISTS",
        "MAX_NUM_ORDER_AMENDS",
        "TRAILING_DELTA",
        "EXCHANGE_MAX_NUM_ORDERS",
        "EXCHANGE_MAX_NUM_ALGO_ORDERS",
        "EXCHANGE_MAX_NUM_ICEBERG_ORDERS",
        "EXCHANGE_MAX_NUM_ORDER_LISTS",
    }
)
_DEFAULT_DIGITS = 8


class PairRules(Value):
    """A pair as the exchange lists it.

    `instrument` holds what every order must respect; `maximum_notional` (quote) and `maximum_position` (base, buys
    only) are zero where there is no such limit. `status` is the exchange's own word; only TRADING can be traded.
    `unknown_filters` names those that this version does not know: it does without them.
    """

    instrument: Instrument
    status: str
    allows_margin: bool
    maximum_notional: Decimal = ZERO
    maximum_position: Decimal = ZERO
    unknown_filters: tuple[str, ...] = ()

    def largest_quantity_at(self, price: Decimal) -> Decimal:
        """The largest base quantity of one market order at `price` (quote per base); zero without a limit.

        Half of what the maximum notional allows: the filters are read once, and the price may rise until an exit.
        """
        largest = self.instrument.maximum_quantity
        if self.maximum_notional > 0 and price > 0:
            by_notional = self.instrument.floor(self.maximum_notional / (2 * price))
            if by_notional > 0:
                return min(largest, by_notional) if largest > 0 else by_notional
        return largest


def pair_rules(document: Any, symbol: str) -> PairRules | None:
    """The rules of one pair; None when the exchange does not list it. Malformed when they cannot be read."""
    for listed in Fields(document, "exchangeInfo").rows("symbols"):
        if listed.get("symbol") == symbol:
            return _pair_rules(listed, symbol)
    return None


def _pair_rules(listed: Fields, symbol: str) -> PairRules:
    filters: dict[str, Fields] = {}
    for row in rows(listed.get("filters") or [], f"{symbol}.filters"):
        filters[str(row.get("filterType"))] = row
    lot, market_lot = filters.get("LOT_SIZE"), filters.get("MARKET_LOT_SIZE")
    # A step or a bound of zero is a rule that is switched off (the real BTCUSDT has such a MARKET_LOT_SIZE).
    step = _common_step(_positive(lot, "stepSize"), _positive(market_lot, "stepSize"))
    tick = _positive(filters.get("PRICE_FILTER"), "tickSize")
    status = str(listed.get("status") or "")
    allows_margin = listed.flag("isMarginTradingAllowed", default=True)
    try:
        instrument = Instrument(
            symbol=symbol,
            base=listed.text("baseAsset"),
            quote=listed.text("quoteAsset"),
            tick_size=tick or _unit(listed, "quotePrecision", "quoteAssetPrecision"),
            step_size=step or _unit(listed, "baseAssetPrecision"),
            minimum_quantity=max(_positive(lot, "minQty"), _positive(market_lot, "minQty")),
            minimum_notional=max(_minimum_notionals(filters), default=ZERO),
            maximum_quantity=min(_limits(_positive(lot, "maxQty"), _positive(market_lot, "maxQty")), default=ZERO),
            tradable=status == "TRADING" and allows_margin,
        )
    except ValueError as error:
        raise Malformed(f"{symbol}: {error}") from None
    return PairRules(
        instrument=instrument,
        status=status,
        allows_margin=allows_margin,
        maximum_notional=_maximum_notional(filters.get("NOTIONAL")),
        maximum_position=_positive(filters.get("MAX_POSITION"), "maxPosition"),
        unknown_filters=tuple(sorted(set(filters) - WITHOUT_EFFECT - _READ)),
    )


_READ = frozenset({"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "NOTIONAL", "MIN_NOTIONAL", "MAX_POSITION"})


def _minimum_notionals(filters: dict[str, Fields]) -> Iterable[Decimal]:
    """The minima that hold for market orders: either filter or both may be there."""
    for name, applies in (("NOTIONAL", "applyMinToMarket"), ("MIN_NOTIONAL", "applyToMarket")):
        row = filters.get(name)
        if row is not None and row.flag(applies, default=True):
            yield _positive(row, "minNotional")


def _maximum_notional(row: Fields | None) -> Decimal:
    return _positive(row, "maxNotional") if row is not None and row.flag("applyMaxToMarket", default=False) else ZERO


def _positive(row: Fields | None, name: str) -> Decimal:
    number = row.decimal_or_none(name) if row is not None else None
    return number if number is not None and number > 0 else ZERO


def _limits(*limits: Decimal) -> Iterable[Decimal]:
    return (limit for limit in limits if limit > 0)


def _unit(listed: Fields, *names: str) -> Decimal:
    digits = listed.decimal_or_none(*names)
    return Decimal(1).scaleb(-int(digits if digits is not None else _DEFAULT_DIGITS))


def _common_step(one: Decimal, other: Decimal) -> Decimal:
    """The smallest step that is a whole number of both; a step of zero asks for nothing."""
    small, large = sorted((one, other))
    if small == 0 or EXACT.remainder(large, small) == 0:
        return large
    unit = Decimal(1).scaleb(min(int(one.as_tuple().exponent), int(other.as_tuple().exponent)))
    first, second = int(one / unit), int(other / unit)
    return lcm(first, second) * unit
