"""Charts of made-up positions: seeded walks behind a trailing stop, sampled as the daemon samples them."""

import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from robson.domain.samples import BASE_MS, Sample, Strip, joined, merged, to_moment, to_ms, width_for
from robson.drawing.subject import _points
from robson.protocol.charting import ChartResult

BEGAN = datetime(2026, 3, 4, 9, 58, 21, 340_000, tzinfo=UTC)


def walked(
    seed: int,
    *,
    side: str = "long",
    seconds: float = 180.0,
    entry: float = 95_000.0,
    distance: float = 600.0,
    places: int = 2,
    drift: float = 0.4,
    gap: tuple[float, float] | None = None,
    steps: int = 3000,
    is_open: bool = False,
) -> ChartResult:
    """A life that ends at its stop, or at the end of the walk; a gap is from, to as parts of the whole."""
    rng, sign = random.Random(seed), 1 if side == "long" else -1
    price, stop, extreme = entry, entry - sign * distance, entry
    began_ms, step_ms = to_ms(BEGAN), seconds * 1000 / steps
    samples: list[Sample] = []
    width = width_for(round(seconds * 1000))
    at_ms, hit = began_ms, False
    for number in range(steps):
        at_ms = began_ms + round(number * step_ms)
        price += sign * drift * distance / 60 * rng.gauss(0.12, 1) + distance / 400 * math.sin(number / 90)
        part = number / steps
        if gap is not None and samples and gap[0] <= part < gap[1]:
            price -= sign * distance / 300
            continue
        hit = (stop - price) * sign >= 0
        if not hit:
            extreme = max(extreme, price) if side == "long" else min(extreme, price)
            stop = extreme - sign * distance
        samples.append(sampled(at_ms, price, stop, places))
        if hit:
            break
    strip = joined([Strip(width, merged(samples, width))])
    exit_price = None if is_open else money(price, places)
    quantity = Decimal("0.0667")
    last = samples[-1].last
    pnl = (last - money(entry, places)) * quantity * sign
    return ChartResult(
        position_id=f"0199d2c0-7a3b-7{seed % 4096:03x}-8123-456789abcdef",
        symbol="BTCUSDT",
        side="long" if side == "long" else "short",
        state="Active" if is_open else "Closed",
        strategy="sma_cross",
        quantity=quantity,
        entered_at=BEGAN,
        entry_price=money(entry, places),
        technical_stop=money(entry - sign * distance, places),
        stop_distance=money(distance, places),
        trailing_stop=money(stop, places),
        closed_at=None if is_open else to_moment(at_ms) + timedelta(milliseconds=40),
        exit_price=exit_price,
        exit_reason=None if is_open else ("trailing_stop" if hit else "operator_close"),
        pnl=pnl,
        r_multiple=(pnl / (money(distance, places) * quantity)).quantize(Decimal("0.01")),
        price_places=places,
        width_seconds=strip.width_ms / 1000,
        points=_points(strip),
    )


def sampled(at_ms: int, price: float, stop: float, places: int) -> Sample:
    """One base sample at a price."""
    at = money(price, places)
    return Sample(at_ms - at_ms % BASE_MS, at, at, at, money(stop, places))


def money(price: float, places: int) -> Decimal:
    """A price at a pair's precision."""
    return Decimal(f"{max(price, 10.0**-places):.{places}f}")


GALLERY = {
    "long": walked(4, seconds=180),
    "short": walked(2, side="short", seconds=2700, distance=800),
    "gap_exit": walked(11, seconds=1500, gap=(0.35, 0.62)),
    "three_days": walked(21, seconds=3 * 86_400, distance=2400, steps=40_000, drift=0.12),
    "open": walked(8, seconds=45, is_open=True, drift=0.1, distance=300),
    "small_price": walked(6, seconds=400, entry=0.00001234, distance=0.0000004, places=8),
}
