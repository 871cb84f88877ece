"""The venue's units: eight decimal places of any asset, milliseconds since the epoch, full UTC hours."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from robson.domain.values import EXACT, UNIT

MS_PER_HOUR = 3_600_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def times_up(left: Decimal, right: Decimal) -> Decimal:
    """The product, rounded up to the venue's unit: what is paid, charged or owed."""
    return EXACT.multiply(left, right).quantize(UNIT, ROUND_UP, EXACT)


def times_down(left: Decimal, right: Decimal) -> Decimal:
    """The product, rounded down to the venue's unit: what is received."""
    return EXACT.multiply(left, right).quantize(UNIT, ROUND_DOWN, EXACT)


def raise_to_unit(amount: Decimal) -> Decimal:
    """The amount, rounded up to the venue's unit."""
    return amount.quantize(UNIT, ROUND_UP, EXACT)


def is_whole(amount: Decimal, step: Decimal) -> bool:
    """Whether the amount is a whole number of steps, exactly."""
    return EXACT.remainder(amount, step) == 0


def full_hour(at_ms: int) -> int:
    """The number of the last full UTC hour at this moment (hours since the epoch)."""
    return at_ms // MS_PER_HOUR


def to_ms(at: datetime) -> int:
    """Milliseconds since the epoch of an aware time, cut down."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def from_ms(at_ms: int) -> datetime:
    """The UTC time of so many milliseconds since the epoch."""
    return _EPOCH + timedelta(milliseconds=at_ms)
