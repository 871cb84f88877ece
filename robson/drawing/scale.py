"""Axes: which prices and moments are worth a label, and how they are written."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

_SECONDS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400),
    *(2 * 86_400, 7 * 86_400, 14 * 86_400, 28 * 86_400, 91 * 86_400, 182 * 86_400, 364 * 86_400),
)
_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def price_steps(low: float, high: float, places: int, most: int) -> list[Decimal]:
    """Round prices between two, at most so many, none finer than the pair's own step."""
    assert most > 0, most
    if not high > low:
        return []
    rough = max((high - low) / most, 10.0**-places)
    power = math.floor(math.log10(rough))
    # Not by multiplying floats: the label must be the round number itself.
    step = next(
        step
        for factor in (1, 2, 5, 10, 20)
        if float(step := Decimal(factor).scaleb(power)) >= rough * 0.999999 and step >= Decimal(1).scaleb(-places)
    )
    first, last = math.ceil(low / float(step)), math.floor(high / float(step))
    return [step * number for number in range(first, last + 1)][: most + 1]


def price_text(price: Decimal, places: int) -> str:
    """A price at the pair's precision."""
    return format(price.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), "f")


def time_steps(begin: datetime, end: datetime, most: int, *, offset: timedelta = timedelta(0)) -> list[datetime]:
    """Round moments between two, at most so many; `offset` from UTC is where days begin."""
    length = (end - begin).total_seconds()
    step = next((s for s in _SECONDS if length / s <= most), max(_SECONDS[-1], math.ceil(length / most)))
    since = (begin - _EPOCH + offset).total_seconds()
    first = math.ceil(since / step)
    moments = [_EPOCH - offset + timedelta(seconds=number * step) for number in range(first, first + most + 2)]
    return [moment for moment in moments if moment <= end][:most]


def time_form(moments: Sequence[datetime]) -> str:
    """How moments of one axis are written: as short as tells them apart."""
    if len({moment.date() for moment in moments}) > 1:
        is_days = all(moment.timetz().replace(tzinfo=None) == datetime.min.time() for moment in moments)
        return "%m-%d" if is_days else "%m-%d %H:%M"
    return "%H:%M:%S" if any(moment.second for moment in moments) else "%H:%M"


def length_text(seconds: float) -> str:
    """A length of time in its two largest units."""
    whole = max(0, round(seconds))
    days, hours, minutes = whole // _DAY, whole % _DAY // 3600, whole % 3600 // 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {whole % 60:02}s" if minutes else f"{whole}s"
