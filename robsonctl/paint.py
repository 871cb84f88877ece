"""Values as people read them: money with sign, arrow and colour, ages, local times."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from robson.domain.values import plain

_RESET = "\x1b[0m"
_CODES = {"red": "\x1b[31m", "green": "\x1b[32m", "yellow": "\x1b[33m", "bold": "\x1b[1m", "alarm": "\x1b[1;41m"}
_CENT = Decimal("0.01")


class Paint:
    """Colours, or none."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured

    def __call__(self, colour: str, text: str) -> str:
        """The text in a colour: red, green, yellow, bold or alarm."""
        return f"{_CODES[colour]}{text}{_RESET}" if self._coloured else text

    def pnl(self, amount: Decimal | None) -> str:
        """Profit or loss with sign, arrow and colour, so that no one of them is needed; empty when unknown."""
        if amount is None:
            return ""
        shown = cents(amount)
        if amount > 0:
            return self("green", f"▲ +{shown}")
        return self("red", f"▼ {shown}") if amount < 0 else shown


def wants_colour(choice: str, environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to colour: `always`, `never`, or `auto`, which heeds NO_COLOR and dumb terminals."""
    if choice != "auto":
        return choice == "always"
    return terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def cents(amount: Decimal) -> str:
    """Money to the cent; what is smaller than a cent in full."""
    if amount and abs(amount) < _CENT:
        return plain(amount)
    return format(amount.quantize(_CENT, ROUND_HALF_EVEN), "f")


def number(amount: Decimal | None) -> str:
    """A price or quantity as it came; empty when unknown."""
    return "" if amount is None else plain(amount)


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in the two largest units; empty when unknown."""
    return "" if since is None else seconds((now - since).total_seconds())


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


def local(moment: datetime | None) -> str:
    """The local time with its offset; empty when unknown."""
    return "" if moment is None else moment.astimezone().isoformat(sep=" ", timespec="seconds")


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)
