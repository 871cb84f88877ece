"""A position and its price samples as the subject of a picture."""

from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from robson.domain.position import Closed, Position
from robson.domain.samples import SAMPLES_MAX, Sample, Strip, joined, to_moment
from robson.domain.values import Side
from robson.protocol.charting import ChartPoint, ChartResult

# A stream that was silent for so long is stale by its own rule; nobody knows what the price did.
GAP_MS = 10_000
PLACES_MAX = 8
_HUNDREDTH = Decimal("0.01")


def chart_of(
    position: Position, strip: Strip, *, tick_size: Decimal | None = None, points: int | None = None
) -> ChartResult:
    """The picture's points and figures; `tick_size` is the pair's, told from the prices where it is not known."""
    state, entry, signal, out = position.state, position.entry, position.signal, position.exit
    strip = joined([strip], points or SAMPLES_MAX)
    result = state.result if isinstance(state, Closed) else None
    pnl = result.net_pnl if result is not None else _unrealized(position, strip)
    return ChartResult(
        position_id=position.position_id,
        symbol=position.symbol,
        side=position.side.value,
        state=position.state_name,
        strategy=position.strategy,
        quantity=entry.quantity if entry else None,
        entered_at=entry.filled_at if entry else None,
        entry_price=entry.fill_price if entry else None,
        technical_stop=signal.technical_stop if signal else None,
        stop_distance=signal.stop_distance if signal else None,
        trailing_stop=position.trail.stop if position.trail else None,
        closed_at=state.closed_at if isinstance(state, Closed) else None,
        exit_price=result.exit_price if result else out.average if out else None,
        exit_reason=state.reason.value if isinstance(state, Closed) else out.trigger.reason.value if out else None,
        pnl=pnl,
        r_multiple=r_multiple(position, pnl),
        price_places=_places(tick_size, strip),
        width_seconds=strip.width_ms / 1000,
        points=_points(strip),
    )


def r_multiple(position: Position, pnl: Decimal | None) -> Decimal | None:
    """Profit or loss (quote) in units of what the first stop put at risk, to the hundredth."""
    entry, signal = position.entry, position.signal
    if pnl is None or entry is None or signal is None or not signal.stop_distance * entry.quantity:
        return None
    return (pnl / (signal.stop_distance * entry.quantity)).quantize(_HUNDREDTH, ROUND_HALF_EVEN)


def _unrealized(position: Position, strip: Strip) -> Decimal | None:
    entry = position.entry
    if entry is None or not strip.samples or isinstance(position.state, Closed):
        return None
    return (strip.samples[-1].last - entry.fill_price) * entry.quantity * (1 if position.side is Side.LONG else -1)


def _places(tick_size: Decimal | None, strip: Strip) -> int:
    prices = [tick_size] if tick_size is not None else [sample.last for sample in strip.samples]
    return max((min(PLACES_MAX, max(0, -_exponent(price))) for price in prices), default=2)


def _exponent(price: Decimal) -> int:
    exponent = price.normalize().as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _points(strip: Strip) -> tuple[ChartPoint, ...]:
    first = [_point(sample, after_gap=False) for sample in strip.samples[:1]]
    least = max(GAP_MS, strip.width_ms)
    later = [
        _point(sample, after_gap=sample.start_ms - before.start_ms - strip.width_ms >= least)
        for before, sample in pairwise(strip.samples)
    ]
    return (*first, *later)


def _point(sample: Sample, *, after_gap: bool) -> ChartPoint:
    return ChartPoint(
        at=to_moment(sample.start_ms),
        low=sample.low,
        high=sample.high,
        last=sample.last,
        stop=sample.stop,
        after_gap=after_gap,
    )
