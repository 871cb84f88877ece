"""One position's chart as a scene: the price with its band, the stop as steps, entry, exit and what was not seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from robson.domain.values import plain
from robson.drawing import scale
from robson.drawing.scene import Area, Line, Role, Scene, Spot, Text, clipped, rectangle
from robson.protocol.charting import ChartPoint, ChartResult

WIDTH, HEIGHT = 960.0, 480.0
# For a phone: the same letters on less room.
NARROW_WIDTH, NARROW_HEIGHT = 400.0, 320.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 18.0, 168.0, 74.0, 40.0
_NARROW_RIGHT = 124.0
# A label of either axis wants so much.
_TIME_ROOM, _PRICE_ROOM = 110.0, 52.0
_SIZE, _TITLE = 12.0, 18.0
_TAG_ROOM = 18.0
_PAD = 0.06
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Tag:
    """A price that is named at the right edge."""

    price: Decimal
    text: str
    role: Role


@dataclass(frozen=True, slots=True)
class Frame:
    """Where moments and prices lie on the picture."""

    begin: datetime
    end: datetime
    low: float
    high: float
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def right(self) -> float:
        """Where the room for prices ends, and that for their names begins."""
        return self.width - (_RIGHT if self.width >= WIDTH else _NARROW_RIGHT)

    @property
    def bottom(self) -> float:
        """Where the room for prices ends, and that for moments begins."""
        return self.height - _BOTTOM

    def x(self, moment: datetime) -> float:
        """Pixels from the left."""
        part = (moment - self.begin) / (self.end - self.begin)
        return _LEFT + min(1.0, max(0.0, part)) * (self.right - _LEFT)

    def y(self, price: Decimal | float) -> float:
        """Pixels from the top."""
        part = (float(price) - self.low) / (self.high - self.low)
        return self.bottom - part * (self.bottom - _TOP)


def draw_chart(chart: ChartResult, *, is_narrow: bool = False) -> Scene:
    """The picture of one position, whatever there is of it."""
    width, height = (NARROW_WIDTH, NARROW_HEIGHT) if is_narrow else (WIDTH, HEIGHT)
    scene = Scene(width, height, headline(chart))
    _head(scene, chart)
    frame = frame_of(chart, width, height)
    if frame is None:
        scene.add(Text(width / 2, height / 2, "no prices were kept of this position", "muted", 14.0, "middle"))
        return scene
    tags = tags_of(chart)
    places = _apart([frame.y(tag.price) for tag in tags], frame.bottom - 4)
    for before, after in gaps_of(chart):
        _gap(scene, frame, before, after)
    _axes(scene, frame, chart.price_places, places)
    if chart.entry_price is not None:
        level = frame.y(chart.entry_price)
        scene.add(Line(((_LEFT, level), (frame.right, level)), "entry", 1.0, (2, 4)))
    for run in runs_of(chart.points):
        scene.add(*_price(frame, run, chart.width_seconds))
    scene.add(*(Line(steps, "stop", 1.8) for steps in _steps(frame, chart)))
    _marks(scene, frame, chart)
    for tag, y in zip(tags, places, strict=True):
        _tag(scene, frame, tag, y)
    return scene


def headline(chart: ChartResult) -> str:
    """What the picture shows, in a few words: symbol, side, state, profit or loss and R."""
    return " ".join(filter(None, (chart.symbol, chart.side, chart.state, result_text(chart))))


def result_text(chart: ChartResult) -> str:
    """Profit or loss to the cent and in R; empty while there is none."""
    if chart.pnl is None:
        return ""
    cents = chart.pnl.quantize(_CENT, ROUND_HALF_EVEN)
    told = f"{cents:+f}" if cents or not chart.pnl else f"{'+' if chart.pnl > 0 else ''}{plain(chart.pnl)}"
    return told if chart.r_multiple is None else f"{told} ({chart.r_multiple:+.2f} R)"


def result_role(chart: ChartResult) -> Role:
    """Profit, loss, or neither."""
    if not chart.pnl:
        return "flat"
    return "profit" if chart.pnl > 0 else "loss"


def frame_of(chart: ChartResult, width_pixels: float = WIDTH, height_pixels: float = HEIGHT) -> Frame | None:
    """The room that everything needs; None where there is nothing to show."""
    width = timedelta(seconds=chart.width_seconds)
    marks = [(chart.entered_at, chart.entry_price), (chart.closed_at, chart.exit_price)]
    moments = [at for at, price in marks if at is not None and price is not None]
    moments += [moment for point in chart.points for moment in (point.at, point.at + width)]
    prices = [price for at, price in marks if at is not None and price is not None]
    for point in chart.points:
        prices += [point.low, point.high, *([point.stop] if point.stop is not None else [])]
    if not moments or not chart.points:
        return None
    low, high = float(min(prices)), float(max(prices))
    pad = (high - low) * _PAD or max(abs(high) * 0.001, 10.0**-chart.price_places)
    begin, end = min(moments), max(moments)
    # The first span may have begun before the fill; one that is all before it was told by another clock.
    if chart.entered_at is not None and chart.entered_at - width <= begin:
        begin = chart.entered_at
    return Frame(begin, max(end, begin + width), low - pad, high + pad, width_pixels, height_pixels)


def gaps_of(chart: ChartResult) -> Iterator[tuple[datetime, datetime]]:
    """From when to when nothing was seen."""
    width = timedelta(seconds=chart.width_seconds)
    for before, point in pairwise(chart.points):
        if point.after_gap:
            yield before.at + width, point.at


def runs_of(points: Sequence[ChartPoint]) -> Iterator[list[ChartPoint]]:
    """Points without a gap among them."""
    run: list[ChartPoint] = []
    for point in points:
        if point.after_gap and run:
            yield run
            run = []
        run.append(point)
    if run:
        yield run


def tags_of(chart: ChartResult) -> list[Tag]:
    """What is named at the edge, from the highest price to the lowest."""
    stop = next((point.stop for point in reversed(chart.points) if point.stop is not None), chart.trailing_stop)
    last = chart.points[-1].last if chart.points and chart.exit_price is None else None
    named: list[tuple[str, Decimal | None, Role]] = [
        ("entry", chart.entry_price, "entry"),
        ("exit", chart.exit_price, result_role(chart)),
        ("stop", stop, "stop"),
        ("last", last, "price"),
    ]
    tags = [Tag(p, f"{name} {scale.price_text(p, chart.price_places)}", role) for name, p, role in named if p]
    return sorted(tags, key=lambda tag: -tag.price)


def _head(scene: Scene, chart: ChartResult) -> None:
    result = result_text(chart)
    whole = f"{chart.symbol} {chart.side}" + ("" if chart.state == "Closed" else f"  {chart.state}")
    title = Text(_LEFT, 24, clipped(whole, scene.width - 2 * _LEFT, _TITLE), "ink", _TITLE, bold=True)
    told = Text(scene.width - _LEFT, 24, result, result_role(chart), _TITLE, "end", bold=True)
    scene.add(title)
    if result and told.box[0] < title.box[2] + _LEFT:
        # There is no room for both: what came of it takes the place of how.
        scene.add(Text(_LEFT, 50, result, result_role(chart), _TITLE, bold=True))
        return
    if result:
        scene.add(told)
    entered, closed = chart.entered_at, chart.closed_at
    end = closed or (chart.points[-1].at if chart.points else None)
    facts = [
        chart.exit_reason.replace("_", " ") if chart.exit_reason else "",
        plain(chart.quantity) if chart.quantity is not None else "",
        f"{entered.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if entered is not None else "",
        f"{'for' if closed else 'so far'} {scale.length_text((end - entered).total_seconds())}"
        if entered and end
        else "",
        chart.strategy,
        chart.position_id,
    ]
    line = clipped(" · ".join(filter(None, facts)), scene.width - 2 * _LEFT, _SIZE)
    scene.add(Text(_LEFT, 50, line, "muted", _SIZE))


def _axes(scene: Scene, frame: Frame, places: int, taken: Sequence[float]) -> None:
    right, bottom = frame.right, frame.bottom
    for price in scale.price_steps(frame.low, frame.high, places, int((bottom - _TOP) / _PRICE_ROOM)):
        y = frame.y(price)
        scene.add(Line(((_LEFT, y), (right, y)), "grid"))
        if all(abs(y - other) >= _TAG_ROOM for other in taken):
            label = clipped(scale.price_text(price, places), frame.width - right - 8, _SIZE)
            scene.add(Text(right + 8, y, label, "muted", _SIZE))
    moments = scale.time_steps(frame.begin, frame.end, int((right - _LEFT) / _TIME_ROOM))
    form = scale.time_form(moments)
    edge = 0.0
    for moment in moments:
        x = frame.x(moment)
        scene.add(Line(((x, _TOP), (x, bottom)), "grid"))
        told = Text(x, bottom + 18, f"{moment:{form}}", "muted", _SIZE, "middle")
        if told.box[0] >= max(edge, 0) and told.box[2] < right + 8:
            scene.add(told)
            edge = told.box[2] + 8
    scene.add(Line(((_LEFT, bottom), (right, bottom)), "muted"), Text(right + 8, bottom + 18, "UTC", "muted", _SIZE))


def _gap(scene: Scene, frame: Frame, before: datetime, after: datetime) -> None:
    left, right = frame.x(before), frame.x(after)
    scene.add(rectangle(left, _TOP, right, frame.bottom, "gap"))
    label = Text((left + right) / 2, _TOP + 12, f"no prices {scale.length_text((after - before).total_seconds())}")
    label = Text(label.x, label.y, label.text, "muted", _SIZE, "middle")
    if left <= label.box[0] and label.box[2] <= right:
        scene.add(label)


def _price(frame: Frame, run: Sequence[ChartPoint], width_seconds: float) -> Iterator[Area | Line]:
    half = timedelta(seconds=width_seconds / 2)
    xs = [frame.x(point.at + half) for point in run]
    if len(run) == 1:
        # One point is no line: a short dash where it is.
        xs, run = [xs[0] - 1.5, xs[0] + 1.5], [run[0], run[0]]
    upper: list[Spot] = [(x, frame.y(point.high)) for x, point in zip(xs, run, strict=True)]
    lower: list[Spot] = [(x, frame.y(point.low)) for x, point in zip(xs, run, strict=True)]
    yield Area((*upper, *reversed(lower)), "band")
    yield Line(tuple((x, frame.y(point.last)) for x, point in zip(xs, run, strict=True)), "price", 1.6)


def _steps(frame: Frame, chart: ChartResult) -> Iterator[tuple[Spot, ...]]:
    """The stop, which goes on where no price was seen: level until the span in which it moved, then up or down."""
    end = chart.closed_at or (chart.points[-1].at + timedelta(seconds=chart.width_seconds))
    spots: list[Spot] = []
    for point in chart.points:
        if point.stop is None:
            continue
        x, y = frame.x(point.at), frame.y(point.stop)
        if spots and spots[-1][1] != y:
            spots.append((x, spots[-1][1]))
        if not spots or spots[-1][1] != y:
            spots.append((x, y))
    if spots:
        yield (*spots, (max(frame.x(end), spots[-1][0] + 1), spots[-1][1]))


def _marks(scene: Scene, frame: Frame, chart: ChartResult) -> None:
    if chart.entered_at is not None and chart.entry_price is not None:
        x, y = frame.x(chart.entered_at), frame.y(chart.entry_price)
        tip = -7 if chart.side == "long" else 7
        scene.add(_halo(x, y), Area(((x, y + tip), (x + 7, y - tip), (x - 7, y - tip)), "entry"))
    if chart.closed_at is not None and chart.exit_price is not None:
        x, y = frame.x(chart.closed_at), frame.y(chart.exit_price)
        scene.add(_halo(x, y), rectangle(x - 5, y - 5, x + 5, y + 5, result_role(chart)))


def _halo(x: float, y: float) -> Area:
    return rectangle(x - 8, y - 8, x + 8, y + 8, "paper")


def _tag(scene: Scene, frame: Frame, tag: Tag, y: float) -> None:
    edge = frame.right
    scene.add(Line(((edge, frame.y(tag.price)), (edge + 8, y)), tag.role, 1.4))
    scene.add(Text(edge + 12, y, clipped(tag.text, frame.width - edge - 16, _SIZE), tag.role, _SIZE, bold=True))


def _apart(wanted: Sequence[float], bottom: float) -> list[float]:
    """Places as near as possible to the wanted ones (ascending), a line's height from each other, above the bottom."""
    found: list[float] = []
    for y in wanted:
        found.append(max(y, found[-1] + _TAG_ROOM) if found else max(y, _TOP))
    for number in reversed(range(len(found))):
        found[number] = min(found[number], bottom - (len(found) - 1 - number) * _TAG_ROOM)
    return found
