"""What an account is worth and how far it is from liquidation."""

from decimal import Decimal

from robson.domain.account import Leg, PairAccount


def test_equity_and_margin_level_count_interest_and_locked_funds() -> None:
    account = PairAccount(
        symbol="BTCUSDT",
        base=Leg(free=Decimal("0.1"), locked=Decimal("0.05"), borrowed=Decimal("0.02"), interest=Decimal("0.01")),
        quote=Leg(free=Decimal(500), borrowed=Decimal(3000), interest=Decimal(1)),
    )
    price = Decimal(60_000)
    assert account.debt_value(price) == Decimal("0.03") * 60_000 + 3001
    assert account.equity(price) == Decimal("0.12") * 60_000 + 500 - 3001
    assert account.margin_level(price) == (Decimal("0.15") * 60_000 + 500) / Decimal(4801)


def test_without_debt_there_is_no_margin_level() -> None:
    assert PairAccount(symbol="X", base=Leg(), quote=Leg(free=Decimal(1))).margin_level(Decimal(1)) is None
