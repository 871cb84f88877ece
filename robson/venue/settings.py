"""The paper venue's settings: section `[paper]` of the configuration, with the defaults of a liquid pair."""

from decimal import Decimal

from robson.domain.values import CAPITAL, ZERO, Bounds, Value, plain

_BASIS_POINTS = Bounds(low=ZERO, high=Decimal(1000))
_MILLISECONDS = Bounds(low=ZERO, high=Decimal(60_000))
_FRACTION = Bounds(low=ZERO, high=Decimal(1))

_BOUNDS = {
    "collateral": CAPITAL,
    "spread_bps": _BASIS_POINTS,
    "slippage_bps": _BASIS_POINTS,
    "latency_ms": _MILLISECONDS,
    "latency_jitter_ms": _MILLISECONDS,
    "fee_rate": Bounds(low=ZERO, high=Decimal("0.1")),
    "fee_asset_price": CAPITAL,
    "base_hourly_interest_rate": Bounds(low=ZERO, high=Decimal("0.01")),
    "quote_hourly_interest_rate": Bounds(low=ZERO, high=Decimal("0.01")),
    "borrow_excess_bps": _BASIS_POINTS,
    "fills_max": Bounds(low=Decimal(1), high=Decimal(20)),
    "partial_fill_probability": _FRACTION,
}


class PaperSettings(Value, forbid_unknown_fields=True):
    """How the paper venue behaves; written as decimal strings, each checked against its range (ValueError).

    collateral                  quote granted to each pair's account the first time it is touched
    spread_bps                  distance between bid and ask, in basis points of the last price
    slippage_bps                the most that a fill lies beyond bid or ask, in basis points; drawn for each order
    latency_ms                  a request's way to the venue and back, milliseconds
    latency_jitter_ms           the most that is added to it, drawn evenly for each request
    fee_rate                    the taker's fee, a fraction of what a trade brings in
    fee_asset                   a third asset that fees are paid in, such as BNB; none: the asset received
    fee_asset_price             its price in quote while the feed has none
    base_hourly_interest_rate   interest on borrowed base for each hour, a fraction
    quote_hourly_interest_rate  interest on borrowed quote for each hour, a fraction
    borrow_excess_bps           what an entry is lent beyond its shortfall, in basis points
    fills_max                   the most trades that one order is executed in
    fills_underfunded_buys      a purchase beyond the free quote is executed as far as that goes, not refused
    partial_fill_probability    how often an order finds too little liquidity and ends EXPIRED in part
    """

    collateral: Decimal = Decimal(100_000)
    spread_bps: Decimal = Decimal(1)
    slippage_bps: Decimal = Decimal(1)
    latency_ms: Decimal = Decimal(80)
    latency_jitter_ms: Decimal = Decimal(40)
    fee_rate: Decimal = Decimal("0.001")
    fee_asset: str | None = None
    fee_asset_price: Decimal = Decimal(600)
    base_hourly_interest_rate: Decimal = Decimal("0.00000571")
    quote_hourly_interest_rate: Decimal = Decimal("0.00000571")
    borrow_excess_bps: Decimal = ZERO
    fills_max: int = 3
    partial_fill_probability: Decimal = ZERO
    fills_underfunded_buys: bool = False

    def __post_init__(self) -> None:
        for name, bounds in _BOUNDS.items():
            number = Decimal(getattr(self, name))
            if not number.is_finite() or number not in bounds:
                shown = plain(number) if number.is_finite() else str(number)
                raise ValueError(f"{name} was {shown}, which must be {bounds}")
        if self.fee_asset is not None and not (self.fee_asset.isascii() and self.fee_asset.isalnum()):
            raise ValueError(f"fee_asset was {self.fee_asset!r}, must be an asset's name such as BNB")
