"""Numbers, sides and names as they are read from people and venues, checked once at the boundary."""

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from enum import StrEnum
from typing import NewType, dataclass_transform

import msgspec

from robson.domain.errors import RuleError

PositionId = NewType("PositionId", str)
ClientOrderId = NewType("ClientOrderId", str)

ZERO = Decimal(0)
HUNDRED = Decimal(100)
SHOWN_MAX = 40
BRIEF_DIGITS = 8
_FRACTION = re.compile(r"-?[0-9]+\.[0-9]+", re.ASCII)

# Binance accepts a decimal only in this form (reference: "Decimal wire format"); longer or exponent forms get -1100.
PLAIN_DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
SYMBOL = re.compile(r"[A-Z0-9]{5,20}", re.ASCII)
SIGNAL_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)

# Wide enough that sums, products and whole quotients of such amounts lose no digit.
EXACT = Context(prec=100)

# Binance keeps eight digits of an asset and refuses more (-1111).
UNIT = Decimal("0.00000001")

# A volume-weighted price rarely terminates; sixteen significant digits keep its error below 1e-9 quote on a million.
_PRICE_DIGITS = Context(prec=16)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Value(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable record; what a venue or a journal adds to it later is ignored on reading."""


class Side(StrEnum):
    """Which way a position earns."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """1 for a long, -1 for a short."""
        return 1 if self is Side.LONG else -1


class OrderSide(StrEnum):
    """What an order does."""

    BUY = "buy"
    SELL = "sell"


def entry_order_side(side: Side) -> OrderSide:
    """The order that opens a position of this side."""
    return OrderSide.BUY if side is Side.LONG else OrderSide.SELL


def exit_order_side(side: Side) -> OrderSide:
    """The order that closes a position of this side."""
    return OrderSide.SELL if side is Side.LONG else OrderSide.BUY


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    EXIT = "exit"


class ExitReason(StrEnum):
    """Why a position left the market."""

    TRAILING_STOP = "trailing_stop"
    OPERATOR_CLOSE = "operator_close"
    OPERATOR_PANIC = "operator_panic"
    LIQUIDATED = "liquidated"
    CLOSED_ELSEWHERE = "closed_elsewhere"
    RELEASED = "released"
    DISARMED = "disarmed"


class Fence(StrEnum):
    """What guarantees that an exit in doubt cannot execute beside its successor."""

    CLOCK = "clock"
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Bounds:
    """An inclusive range that an amount must lie in; `above` is exclusive and used instead of `low` when given."""

    low: Decimal | None = None
    above: Decimal | None = None
    high: Decimal | None = None

    def __contains__(self, number: Decimal) -> bool:
        if self.above is not None and not number > self.above:
            return False
        if self.low is not None and not number >= self.low:
            return False
        return self.high is None or number <= self.high

    def __str__(self) -> str:
        parts = []
        if self.above is not None:
            parts.append(f"above {plain(self.above)}")
        if self.low is not None:
            parts.append(f"at least {plain(self.low)}")
        if self.high is not None:
            parts.append(f"at most {plain(self.high)}")
        return " and ".join(parts)


POSITIVE = Bounds(above=ZERO)
CAPITAL = Bounds(above=ZERO, high=Decimal(10) ** 12)
RISK_PERCENT = Bounds(above=ZERO, high=Decimal(5))


def parse_amount(name: str, text: str, bounds: Bounds = POSITIVE) -> Decimal:
    """Read a decimal in plain digits.

    Raises RuleError (`bad_number` or `out_of_range`) naming the field, the value and the limit: NaN, infinities,
    signs, exponents and more than twenty digits on either side of the point are not numbers here.
    """
    if not PLAIN_DECIMAL.fullmatch(text):
        raise RuleError(
            "bad_number",
            f"{name} was {clip(text)!r}, which is not a plain decimal number",
            hint='digits with an optional point, at most 20 on each side, such as "10000" or "0.5"',
        )
    number = Decimal(text)
    if number not in bounds:
        raise RuleError("out_of_range", f"{name} was {plain(number)}, which must be {bounds}", hint=f"{name}: {bounds}")
    return number


def cut_to_unit(amount: Decimal) -> Decimal:
    """An amount of an asset as the venue can take it: eight digits, cut."""
    return amount.quantize(UNIT, ROUND_DOWN, EXACT)


def clip(text: str) -> str:
    """At most 40 characters of somebody's text, for a message."""
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def plain(number: Decimal) -> str:
    """The number in plain digits: no exponent, no trailing zeros, no negative zero."""
    text = str(number)
    if "E" in text:
        # Four times as slow, and seldom needed.
        text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def brief(told: object) -> str:
    """A value as it is read at a glance: a decimal number to eight digits, its cents at least; else as it is."""
    text = str(told)
    if len(text) <= BRIEF_DIGITS or _FRACTION.fullmatch(text) is None:
        return text
    whole = text.lstrip("-").partition(".")[0]
    return plain(Context(prec=max(BRIEF_DIGITS, len(whole) + 2)).create_decimal(text))


def average_price(quote: Decimal, quantity: Decimal) -> Decimal:
    """Quote per base of a fill, to sixteen significant digits.

    Both amounts must be positive.
    """
    assert quote > 0, quote
    assert quantity > 0, quantity
    return _PRICE_DIGITS.divide(quote, quantity).normalize(_PRICE_DIGITS)


def add_amounts(left: dict[str, Decimal], right: dict[str, Decimal]) -> dict[str, Decimal]:
    """Sum two sets of amounts by asset; zero amounts are dropped."""
    total = dict(left)
    for asset, amount in right.items():
        total[asset] = total.get(asset, ZERO) + amount
    return {asset: amount for asset, amount in total.items() if amount}
