"""On what terms the exchange lends and trades: tiers, rates, fees, what may be borrowed, and what the key may do."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from robson.domain.account import PairTerms
from robson.domain.values import ZERO, Value
from robson.venue.binance.reading import Fields, Malformed, rows

_HOURS_PER_DAY = 24
_ALLOWED = ("isMarginTrade", "isBuyAllowed", "isSellAllowed")
_NO_FEE_STATED = PairTerms().taker_fee_rate


class Tier(Value):
    """One row of isolatedMarginTier: up to these debts (in the asset) the multiple and the ratios hold."""

    tier: int
    multiple: Decimal
    initial_risk_ratio: Decimal
    liquidation_risk_ratio: Decimal
    base_limit: Decimal | None
    quote_limit: Decimal | None


class LendingRate(Value):
    """What one asset costs (a fraction of it a day) and how much of it may be owed."""

    asset: str
    daily_rate: Decimal
    limit: Decimal | None


class Borrowable(Value):
    """What may be borrowed of an asset now, and the account's own limit; both in the asset."""

    amount: Decimal
    limit: Decimal | None


class ListedPair(Value):
    """A pair of isolated margin, and what the exchange lets one do on it."""

    symbol: str
    base: str
    quote: str
    tradable: bool


class KeyPermissions(Value):
    """What the API key may do; None where the exchange did not say."""

    reads: bool | None
    trades_margin: bool | None
    trades_spot_and_margin: bool | None
    withdraws: bool | None
    is_bound_to_addresses: bool | None


class LoanRecord(Value):
    """One borrowing or repayment; amounts in the asset, `is_automatic` when an order caused it."""

    transaction_id: str
    asset: str
    principal: Decimal
    interest: Decimal
    status: str
    is_automatic: bool
    at: datetime

    @property
    def is_confirmed(self) -> bool:
        """Whether it took place."""
        return self.status == "CONFIRMED"


def tiers(document: Any) -> list[Tier]:
    """The tiers of a pair, lowest debts first; Malformed when there is none."""
    found = [
        Tier(
            tier=row.integer("tier"),
            multiple=row.decimal("effectiveMultiple"),
            initial_risk_ratio=row.decimal("initialRiskRatio"),
            liquidation_risk_ratio=row.decimal("liquidationRiskRatio"),
            base_limit=row.decimal_or_none("baseAssetMaxBorrowable"),
            quote_limit=row.decimal_or_none("quoteAssetMaxBorrowable"),
        )
        for row in rows(document, "tiers")
    ]
    if not found:
        raise Malformed("tiers were empty")
    return sorted(found, key=lambda tier: tier.tier)


def rates(document: Any, symbol: str) -> list[LendingRate]:
    """The rates of a pair's two assets from isolatedMarginData; empty when the pair is not listed."""
    for row in rows(document, "rates"):
        if row.get("symbol") in {symbol, None}:
            return [
                LendingRate(
                    asset=coin.text("coin"),
                    daily_rate=coin.decimal("dailyInterest"),
                    limit=coin.decimal_or_none("borrowLimit"),
                )
                for coin in row.rows("data")
            ]
    return []


def taker_fee_rate(document: Any) -> Decimal:
    """What a market order costs at most, as a fraction: every part of it, by the dearer side."""
    fields = Fields(document, "commission")
    total = ZERO
    for part in ("standardCommission", "taxCommission", "specialCommission"):
        if fields.get(part) is not None:
            row = fields.below(part)
            sides = [row.decimal_or_none(side) or ZERO for side in ("buyer", "seller")]
            total += (row.decimal_or_none("taker") or ZERO) + max(sides)
    if fields.get("standardCommission") is None:
        raise Malformed("commission had no standardCommission")
    return total


def pair_terms(tier: Tier, lending: list[LendingRate], fee_rate: Decimal | None, base: str, quote: str) -> PairTerms:
    """The terms that hold within a tier; the tighter of two borrow limits."""
    by_asset = {rate.asset: rate for rate in lending}
    return PairTerms(
        multiple=tier.multiple,
        initial_risk_ratio=tier.initial_risk_ratio,
        liquidation_risk_ratio=tier.liquidation_risk_ratio,
        taker_fee_rate=_NO_FEE_STATED if fee_rate is None else fee_rate,
        base_hourly_interest_rate=_hourly(by_asset.get(base)),
        quote_hourly_interest_rate=_hourly(by_asset.get(quote)),
        base_borrow_limit=_tighter(tier.base_limit, by_asset.get(base)),
        quote_borrow_limit=_tighter(tier.quote_limit, by_asset.get(quote)),
    )


def borrowable(document: Any) -> Borrowable:
    """The answer of maxBorrowable."""
    fields = Fields(document, "maxBorrowable")
    return Borrowable(amount=fields.decimal("amount"), limit=fields.decimal_or_none("borrowLimit"))


def listed_pairs(document: Any) -> dict[str, ListedPair]:
    """The pairs of isolated margin, by symbol."""
    return {
        pair.symbol: pair
        for pair in (
            ListedPair(
                symbol=row.text("symbol"),
                base=str(row.get("base") or ""),
                quote=str(row.get("quote") or ""),
                tradable=all(
                    row.flag(name, default=True) for name in ("isMarginTrade", "isBuyAllowed", "isSellAllowed")
                ),
            )
            for row in rows(document, "pairs")
        )
    }


def key_permissions(document: Any) -> KeyPermissions:
    """The answer of apiRestrictions."""
    fields = Fields(document, "apiRestrictions")

    def said(name: str) -> bool | None:
        return None if fields.get(name) is None else fields.flag(name, default=False)

    return KeyPermissions(
        reads=said("enableReading"),
        trades_margin=said("enableMargin"),
        trades_spot_and_margin=said("enableSpotAndMarginTrading"),
        withdraws=said("enableWithdrawals"),
        is_bound_to_addresses=said("ipRestrict"),
    )


def loan_records(document: Any) -> list[LoanRecord]:
    """Rows of borrow-repay, as they came; `amount` there is principal and interest together."""
    found = []
    for row in rows(document, "loans"):
        interest = row.decimal_or_none("interest") or ZERO
        principal = row.decimal_or_none("principal")
        found.append(
            LoanRecord(
                transaction_id=row.text("txId", "tranId"),
                asset=row.text("asset"),
                principal=row.decimal("amount") - interest if principal is None else principal,
                interest=interest,
                status=str(row.get("status") or ""),
                is_automatic=str(row.get("type")) == "AUTO",
                at=row.moment("timestamp", "time"),
            )
        )
    return found


def _hourly(rate: LendingRate | None) -> Decimal:
    return rate.daily_rate / _HOURS_PER_DAY if rate is not None else ZERO


def _tighter(limit: Decimal | None, rate: LendingRate | None) -> Decimal | None:
    stated = [one for one in (limit, rate.limit if rate is not None else None) if one is not None]
    return min(stated, default=None)
