"""Tiers, rates, fees, loans and permissions as the exchange documents them."""

from decimal import Decimal
from typing import Any

import pytest

from robson.venue.binance import lending
from robson.venue.binance.reading import Malformed

TIER_1 = {
    "symbol": "BTCUSDT",
    "tier": 1,
    "effectiveMultiple": "10",
    "initialRiskRatio": "1.111",
    "liquidationRiskRatio": "1.05",
    "baseAssetMaxBorrowable": "9",
    "quoteAssetMaxBorrowable": "70000",
}
TIER_2 = TIER_1 | {"tier": "2", "effectiveMultiple": 5, "baseAssetMaxBorrowable": "20"}
RATES = [
    {
        "vipLevel": 0,
        "symbol": "BTCUSDT",
        "leverage": "10",
        "data": [
            {"coin": "BTC", "dailyInterest": "0.00026400", "borrowLimit": "270"},
            {"coin": "USDT", "dailyInterest": "0.00024", "borrowLimit": "50000"},
        ],
    }
]
COMMISSION: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "standardCommission": {"maker": "0.0007", "taker": "0.0008", "buyer": "0.0001", "seller": "0.0002"},
    "taxCommission": {"maker": "0", "taker": "0.00003", "buyer": "0", "seller": "0"},
    "specialCommission": {"maker": "0", "taker": "0.000004", "buyer": "0", "seller": "0"},
    "discount": {"enabledForAccount": True, "enabledForSymbol": True, "discountAsset": "BNB", "discount": "0.75"},
}


def test_tiers_come_lowest_debts_first() -> None:
    first, second = lending.tiers([TIER_2, TIER_1])
    assert (first.tier, first.multiple, first.initial_risk_ratio) == (1, 10, Decimal("1.111"))
    assert (first.liquidation_risk_ratio, first.base_limit, first.quote_limit) == (Decimal("1.05"), 9, 70000)
    assert (second.tier, second.multiple, second.base_limit) == (2, 5, 20)


@pytest.mark.parametrize("document", [[], {"rows": []}, {}, [{"tier": 1}], None])
def test_no_tier_is_malformed(document: object) -> None:
    with pytest.raises(Malformed):
        lending.tiers(document)


def test_terms_take_the_tighter_limit_and_hourly_rates() -> None:
    terms = lending.pair_terms(
        lending.tiers([TIER_1])[0], lending.rates(RATES, "BTCUSDT"), Decimal("0.00075"), "BTC", "USDT"
    )
    assert (terms.multiple, terms.liquidation_risk_ratio) == (10, Decimal("1.05"))
    assert (terms.base_borrow_limit, terms.quote_borrow_limit) == (9, 50000)
    assert (terms.base_hourly_interest_rate, terms.quote_hourly_interest_rate) == (
        Decimal("0.000011"),
        Decimal("0.00001"),
    )
    assert terms.taker_fee_rate == Decimal("0.00075")


def test_terms_without_rates_and_fees_take_the_usual_ones() -> None:
    terms = lending.pair_terms(lending.tiers([TIER_1])[0], lending.rates([], "BTCUSDT"), None, "BTC", "USDT")
    assert (terms.taker_fee_rate, terms.base_hourly_interest_rate) == (Decimal("0.001"), 0)
    assert (terms.base_borrow_limit, terms.quote_borrow_limit) == (9, 70000)
    assert lending.rates([RATES[0] | {"symbol": "ETHUSDT"}], "BTCUSDT") == []


def test_a_fee_is_the_sum_of_its_parts_by_the_dearer_side() -> None:
    assert lending.taker_fee_rate(COMMISSION) == Decimal("0.001034")
    plain = {"standardCommission": {"taker": 0.001}}
    assert lending.taker_fee_rate(plain) == Decimal("0.001")
    with pytest.raises(Malformed):
        lending.taker_fee_rate({})


def test_what_may_be_borrowed() -> None:
    found = lending.borrowable({"amount": "1.69248805", "borrowLimit": "60"})
    assert (found.amount, found.limit) == (Decimal("1.69248805"), 60)
    assert lending.borrowable({"amount": 0}).limit is None


def test_pairs_and_what_is_allowed_on_them() -> None:
    row = {"base": "BTC", "isBuyAllowed": True, "isMarginTrade": True, "isSellAllowed": True, "quote": "USDT"}
    found = lending.listed_pairs(
        [
            row | {"symbol": "BTCUSDT"},
            row | {"symbol": "A", "isBuyAllowed": False},
            row | {"symbol": "B", "isSellAllowed": "false"},
            row | {"symbol": "C", "isMarginTrade": 0, "delistTime": 1},
            {"symbol": "D"},
        ]
    )
    assert [(symbol, pair.tradable) for symbol, pair in found.items()] == [
        *[("BTCUSDT", True), ("A", False), ("B", False), ("C", False)],
        ("D", True),
    ]
    assert (found["BTCUSDT"].base, found["BTCUSDT"].quote) == ("BTC", "USDT")


def test_a_keys_permissions_and_what_is_not_said() -> None:
    found = lending.key_permissions(
        {"ipRestrict": False, "enableMargin": "true", "enableWithdrawals": True, "createTime": 1698645219000}
    )
    assert (found.is_bound_to_addresses, found.trades_margin, found.withdraws) == (False, True, True)
    assert (found.reads, found.trades_spot_and_margin) == (None, None)


def test_loans_and_repayments() -> None:
    row = {
        "type": "AUTO",
        "isolatedSymbol": "BTCUSDT",
        "amount": "14.00000000",
        "asset": "BNB",
        "interest": "0.01",
        "principal": "13.99",
        "status": "CONFIRMED",
        "timestamp": 1563438204000,
        "txId": 2970933056,
    }
    auto, manual = lending.loan_records(
        {"rows": [row, {**row, "type": "MANUAL", "principal": None, "status": "FAILED"}], "total": 2}
    )
    assert (auto.transaction_id, auto.asset, auto.principal, auto.interest) == (
        "2970933056",
        "BNB",
        Decimal("13.99"),
        Decimal("0.01"),
    )
    assert (auto.is_automatic, auto.is_confirmed) == (True, True)
    assert (manual.is_automatic, manual.is_confirmed, manual.principal) == (False, False, Decimal("13.99"))
