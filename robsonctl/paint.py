"""Values as people read them: money with sign, arrow and colour, ages, local times."""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Imported where they are needed: they cost a script that asks for JSON more than the asking.
    from datetime import datetime
    from decimal import Decimal

_RESET = "\x1b[0m"
_CODES = {"red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "bold": "\x1b[1m", "alarm": "\x1b[1;41m"}


class Paint:
    """Colours, or none, on a screen so many columns wide; None is paper without end: a file, or a pipe."""

    def __init__(self, *, coloured: bool, width: int | None = None) -> None:
        self._coloured = coloured
        self.width = width

    def __call__(self, colour: str, text: str) -> str:
        """The text in a colour: red, green, yellow, bold or alarm."""
        return f"{_CODES[colour]}{text}{_RESET}" if self._coloured else text

    def pnl(self, amount: "Decimal | str | None") -> str:
        """Profit or loss with sign, arrow and colour, so that no one of them is needed; empty when unknown."""
        if amount is None:
            return ""
        from decimal import Decimal

        amount = Decimal(amount)
        shown = cents(amount)
        if amount > 0:
            return self("green", f"▲ +{shown}")
        return self("red", f"▼ {shown}") if amount < 0 else shown


def wants_colour(choice: str, environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to colour: `always`, `never`, or `auto`, which heeds NO_COLOR and dumb terminals."""
    if choice != "auto":
        return choice == "always"
    return terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def screen_width(environment: Mapping[str, str]) -> int | None:
    """How many columns standard output has, by COLUMNS or its terminal; None when it is none."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    if (columns := environment.get("COLUMNS", "")).isdecimal() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def cents(amount: "Decimal") -> str:
    """Money to the cent; what is smaller than a cent in full."""
    from decimal import ROUND_HALF_EVEN, Decimal

    cent = Decimal("0.01")
    if amount and abs(amount) < cent:
        return number(amount)
    return format(amount.quantize(cent, ROUND_HALF_EVEN), "f")


def number(amount: "Decimal | str | None") -> str:
    """A price or quantity in plain digits, as it came; empty when unknown."""
    if amount is None or isinstance(amount, str):
        return amount or ""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def at_step(amount: "Decimal | str | None", step: "Decimal | str | None") -> str:
    """A price or quantity with as many places as its instrument's tick or step; as it came where that is unknown."""
    if amount is None or step is None:
        return number(amount)
    from decimal import ROUND_HALF_EVEN, Decimal

    places = len(number(step).partition(".")[2])
    return format(Decimal(amount).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), "f")


def moment(text: str) -> "datetime":
    """The moment that RFC 3339 names."""
    from datetime import datetime

    return datetime.fromisoformat(text)


def age(since: "datetime | str | None", now: "datetime") -> str:
    """How long ago, in the two largest units; empty when unknown."""
    if since is None:
        return ""
    return seconds((now - (moment(since) if isinstance(since, str) else since)).total_seconds())


def seconds(length: float) -> str:
    """A length of time in the two largest units."""
    length = max(0.0, length)
    whole = int(length)
    if whole < 10 and length != whole:
        return f"{length:.1f}s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def local(at: "datetime | str | None") -> str:
    """The local time with its offset; empty when unknown."""
    if at is None:
        return ""
    return (moment(at) if isinstance(at, str) else at).astimezone().isoformat(sep=" ", timespec="seconds")


def now() -> "datetime":
    """The present, UTC."""
    from datetime import UTC, datetime

    return datetime.now(UTC)
