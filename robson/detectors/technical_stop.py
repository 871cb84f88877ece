"""The technical stop: the price at which closed 15-minute candles say that the idea of the trade was wrong.

Pure arithmetic. Swing points on the adverse side of the entry are clustered into levels; the stop is the second level
(by default), or else a distance of 1.5 x the mean true range, or else there is none and the entry is refused.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from typing import Any, Literal

from robson.domain.errors import RuleError
from robson.domain.market import Candle
from robson.domain.values import HUNDRED, ZERO, Side, Value, plain
from robson.engine.sizing import STOP_DISTANCE_PERCENT_MAX, STOP_DISTANCE_PERCENT_MIN

INTERVAL_SECONDS = 900
SWING_REACH = 2
TRUE_RANGES = 14
TRUE_RANGE_FACTOR = Decimal("1.5")
LEVELS_IN_EVIDENCE = 10
LEVELS_IN_REFUSAL = 3
# No venue of ours quotes a price finer than this; a mean rarely terminates.
_FINEST_PRICE = Decimal("1E-8")

Method = Literal["swing", "true_range", "percent"]


class StopSettings(Value):
    """How the technical stop is looked for.

    `level` counts from the entry outward, from 1. Swing points within `tolerance_percent` of the entry price from the
    first member of a level belong to that level. Only the last `look_back` closed candles count.
    """

    level: int = 2
    tolerance_percent: Decimal = Decimal("0.1")
    look_back: int = 100


class Level(Value):
    """A support or resistance: swing points that lie close together.

    `price` (quote per base) is the far edge, the one farthest from the entry; `nearest` is the other edge; `touches`
    counts the swing points.
    """

    price: Decimal
    nearest: Decimal
    touches: int


class TechnicalStop(Value):
    """A stop price (quote per base) and how it was found; `evidence` holds only strings, integers, lists and objects.

    `levels` are all levels that were seen, from the entry outward; `touches` are those of the chosen one, 0 if none.
    """

    price: Decimal
    method: Method
    levels: tuple[Level, ...]
    touches: int
    evidence: dict[str, Any]


def find_technical_stop(
    side: Side,
    entry_price: Decimal,
    candles: Sequence[Candle],
    *,
    settings: StopSettings | None = None,
    now: datetime | None = None,
) -> TechnicalStop:
    """Find the stop of an entry at `entry_price` (quote per base) from closed 15-minute candles, oldest first.

    With `now` (UTC) a candle whose interval has not ended is left out. Raises RuleError `no_technical_stop`, naming the
    numbers, when neither a level nor the true range gives a stop within the allowed distance.
    """
    assert entry_price > 0, entry_price
    settings = settings or StopSettings()
    closed = _closed(candles, now)[-settings.look_back :]
    tolerance = entry_price * settings.tolerance_percent / HUNDRED
    levels = cluster(side, swing_points(side, entry_price, closed), tolerance)
    mean = mean_true_range(closed)
    index, why = _choose(entry_price, levels, settings.level)
    evidence = _common_evidence(side, entry_price, closed, settings, levels)
    if mean is not None:
        evidence["mean_true_range"] = plain(mean.quantize(_FINEST_PRICE, ROUND_HALF_EVEN))
    if index is not None:
        level = levels[index]
        evidence |= {"method": "swing", "level_chosen": index + 1, "reason": why}
        evidence |= _distance_evidence(entry_price, level.price)
        return TechnicalStop(price=level.price, method="swing", levels=levels, touches=level.touches, evidence=evidence)
    distance = None if mean is None else (mean * TRUE_RANGE_FACTOR).quantize(_FINEST_PRICE, ROUND_HALF_EVEN)
    if distance is None or not _in_bounds(entry_price, distance):
        raise _refusal(side, entry_price, closed, levels, why, distance)
    price = entry_price - side.sign * distance
    evidence |= {
        "method": "true_range",
        "reason": f"{why}; {TRUE_RANGE_FACTOR} x the mean of {TRUE_RANGES} true ranges",
    }
    evidence |= _distance_evidence(entry_price, price)
    return TechnicalStop(price=price, method="true_range", levels=levels, touches=0, evidence=evidence)


def percent_stop(side: Side, entry_price: Decimal, percent: Decimal) -> TechnicalStop:
    """A stop at a fixed distance in percent of the entry, for markets that have no history of candles."""
    price = entry_price - side.sign * entry_price * percent / HUNDRED
    evidence = {"method": "percent", "side": str(side), "entry_price": plain(entry_price)}
    evidence |= _distance_evidence(entry_price, price)
    return TechnicalStop(price=price, method="percent", levels=(), touches=0, evidence=evidence)


def swing_points(side: Side, entry_price: Decimal, candles: Sequence[Candle]) -> list[Decimal]:
    """The swing lows below the entry (long) or the swing highs above it (short), from the entry outward.

    A swing low is strictly below the lows of the two candles on each side; the first and last two cannot be one.
    """
    # Mirrored into "higher is nearer" so that both sides share every comparison.
    depths = [candle.low if side is Side.LONG else -candle.high for candle in candles]
    entry = entry_price * side.sign
    found = []
    for index in range(SWING_REACH, len(depths) - SWING_REACH):
        around = depths[index - SWING_REACH : index] + depths[index + 1 : index + 1 + SWING_REACH]
        if depths[index] < entry and depths[index] < min(around):
            found.append(depths[index])
    return [depth * side.sign for depth in sorted(found, reverse=True)]


def cluster(side: Side, points: Sequence[Decimal], tolerance: Decimal) -> tuple[Level, ...]:
    """Gather swing points, sorted from the entry outward, into levels no wider than `tolerance` (quote).

    A point joins a level while it lies within the tolerance of the level's first member, not of its last: a staircase
    of close points would otherwise chain into one endless level, whose far edge means nothing.
    """
    groups: list[list[Decimal]] = []
    for point in points:
        if groups and abs(point - groups[-1][0]) <= tolerance:
            groups[-1].append(point)
        else:
            groups.append([point])
    far = min if side is Side.LONG else max
    return tuple(Level(price=far(group), nearest=group[0], touches=len(group)) for group in groups)


def mean_true_range(candles: Sequence[Candle]) -> Decimal | None:
    """The mean of the last 14 true ranges (quote), or None with fewer than 15 candles."""
    if len(candles) <= TRUE_RANGES:
        return None
    last = candles[-TRUE_RANGES - 1 :]
    total = ZERO
    for before, candle in pairwise(last):
        total += max(candle.high, before.close) - min(candle.low, before.close)
    return total / TRUE_RANGES


def _closed(candles: Sequence[Candle], now: datetime | None) -> Sequence[Candle]:
    assert all(candle.interval_seconds == INTERVAL_SECONDS for candle in candles), "15-minute candles only"
    if now is None:
        return candles
    ends_by = now - timedelta(seconds=INTERVAL_SECONDS)
    return [candle for candle in candles if candle.opened_at <= ends_by]


def _choose(entry_price: Decimal, levels: Sequence[Level], wanted: int) -> tuple[int | None, str]:
    """The index of the level to use and why; never one nearer than the wanted one, unless there are fewer."""
    for index in range(wanted - 1, len(levels)):
        distance = abs(levels[index].price - entry_price)
        if _too_near(entry_price, distance):
            continue
        if _too_far(entry_price, distance):
            return None, f"level {index + 1} of {len(levels)} was farther than {STOP_DISTANCE_PERCENT_MAX} %"
        if index == wanted - 1:
            return index, f"level {wanted} of {len(levels)}"
        return index, f"level {index + 1} of {len(levels)}: nearer ones were closer than {STOP_DISTANCE_PERCENT_MIN} %"
    if not levels:
        return None, "there were no levels"
    if len(levels) >= wanted:
        return None, f"level {wanted} and all beyond were closer than {STOP_DISTANCE_PERCENT_MIN} %"
    for index in reversed(range(len(levels))):
        if _in_bounds(entry_price, abs(levels[index].price - entry_price)):
            return index, f"only {len(levels)} of {wanted} levels existed: the deepest within the allowed distance"
    return None, f"only {len(levels)} of {wanted} levels existed, none within the allowed distance"


def _too_near(entry_price: Decimal, distance: Decimal) -> bool:
    return distance * HUNDRED < STOP_DISTANCE_PERCENT_MIN * entry_price


def _too_far(entry_price: Decimal, distance: Decimal) -> bool:
    return distance * HUNDRED > STOP_DISTANCE_PERCENT_MAX * entry_price


def _in_bounds(entry_price: Decimal, distance: Decimal) -> bool:
    return not _too_near(entry_price, distance) and not _too_far(entry_price, distance)


def _shown_percent(entry_price: Decimal, price: Decimal) -> str:
    return f"{abs(price - entry_price) * HUNDRED / entry_price:.4f}"


def _distance_evidence(entry_price: Decimal, price: Decimal) -> dict[str, str]:
    return {
        "price": plain(price),
        "distance": plain(abs(price - entry_price)),
        "distance_percent": _shown_percent(entry_price, price),
    }


def _common_evidence(
    side: Side, entry_price: Decimal, closed: Sequence[Candle], settings: StopSettings, levels: Sequence[Level]
) -> dict[str, Any]:
    return {
        "side": str(side),
        "entry_price": plain(entry_price),
        "interval_seconds": INTERVAL_SECONDS,
        "candles": len(closed),
        "level_wanted": settings.level,
        "tolerance_percent": plain(settings.tolerance_percent),
        "level_count": len(levels),
        "levels": [
            {
                "price": plain(level.price),
                "touches": level.touches,
                "distance_percent": _shown_percent(entry_price, level.price),
            }
            for level in levels[:LEVELS_IN_EVIDENCE]
        ],
    }


def _refusal(
    side: Side,
    entry_price: Decimal,
    closed: Sequence[Candle],
    levels: Sequence[Level],
    why: str,
    distance: Decimal | None,
) -> RuleError:
    shown = ", ".join(
        f"{plain(level.price)} ({_shown_percent(entry_price, level.price)} %)" for level in levels[:LEVELS_IN_REFUSAL]
    )
    more = f" and {len(levels) - LEVELS_IN_REFUSAL} more" if len(levels) > LEVELS_IN_REFUSAL else ""
    seen = f"{why} (levels: {shown}{more})" if shown else why
    if distance is None:
        fallback = f"the true range needs {TRUE_RANGES + 1} closed 15-minute candles and there were {len(closed)}"
    else:
        percent = _shown_percent(entry_price, entry_price + distance)
        fallback = (
            f"{TRUE_RANGE_FACTOR} x the mean of the last {TRUE_RANGES} true ranges was {plain(distance)} ({percent} %)"
        )
    return RuleError(
        "no_technical_stop",
        f"no technical stop was found for a {side} at {plain(entry_price)} in {len(closed)} closed 15-minute candles: "
        f"{seen}; {fallback}",
        hint=f"a stop lies {STOP_DISTANCE_PERCENT_MIN} % to {STOP_DISTANCE_PERCENT_MAX} % of the entry away; try "
        "another level or tolerance_percent, or the signal command with a stop of your own",
        retryable=True,
    )
