"""What is checked in a request when it is read, with errors that name value and limit."""

from decimal import Decimal

import msgspec

from robson.domain.errors import RuleError
from robson.domain.values import CAPITAL, RISK_PERCENT, SYMBOL, parse_amount

_SHOWN_MAX = 40


def set_symbol(request: msgspec.Struct, symbol: str) -> None:
    """Put the symbol into the request in capitals; RuleError `unknown_symbol` when it cannot be one."""
    # Beyond ASCII, upper() can turn another word into a symbol.
    upper = symbol.upper() if symbol.isascii() else symbol
    if not SYMBOL.fullmatch(upper):
        shown = symbol if len(symbol) <= _SHOWN_MAX else symbol[: _SHOWN_MAX - 3] + "..."
        raise RuleError(
            "unknown_symbol",
            f"symbol was {shown!r}, which must be 5 to 20 letters and digits",
            hint="base and quote without a separator, such as BTCUSDT",
        )
    msgspec.structs.force_setattr(request, "symbol", upper)


def check_account(capital: str | None, risk_percent: str | None) -> None:
    """Raise RuleError when capital (quote) or risk (percent of it) is no number or out of range."""
    read_capital(capital)
    read_risk_percent(risk_percent)


def read_capital(text: str | None) -> Decimal | None:
    """Capital in quote, None for the account's default."""
    return None if text is None else parse_amount("capital", text, CAPITAL)


def read_risk_percent(text: str | None) -> Decimal | None:
    """Percent of capital at risk, None for the account's default."""
    return None if text is None else parse_amount("risk_percent", text, RISK_PERCENT)
