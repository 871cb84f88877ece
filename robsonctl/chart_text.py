"""A position drawn with characters: the price in braille dots or asterisks, the stop as steps, marks and axes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from robson.domain.values import plain
from robson.drawing import scale
from robson.drawing.chart import Frame, frame_of, gaps_of, result_role, result_text, runs_of
from robson.protocol.charting import ChartPoint, ChartResult
from robsonctl.paint import Paint, seconds

_ROWS_MIN, _ROWS_MAX, _COLUMNS_MIN = 5, 40, 30
# Title, detail, axis, times, and the prompt that follows.
_ROWS_ELSEWHERE = 5
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800


@dataclass(frozen=True, slots=True)
class Screen:
    """What there is room for; without a `zone` times are the machine's own."""

    columns: int
    lines: int
    braille: bool
    zone: tzinfo | None

    def rows(self, beside: int) -> int:
        """Lines for the prices, with so many for what the marks are."""
        return max(_ROWS_MIN, min(_ROWS_MAX, self.lines - _ROWS_ELSEWHERE - beside))


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the lines are made of."""

    stop: str
    gap: str
    entry: str
    exit: str
    edge: str
    corner: str
    bottom: str


UNICODE = Glyphs(stop="━", gap="░", entry="▲", exit="■", edge="┤", corner="└", bottom="─")
ASCII = Glyphs(stop="=", gap=":", entry="E", exit="X", edge="|", corner="+", bottom="-")


def chart_text(chart: ChartResult, screen: Screen, paint: Paint) -> str:
    """The whole picture, line by line, no wider than the screen (and no narrower than 30 columns)."""
    glyphs = UNICODE if screen.braille else ASCII
    columns = max(_COLUMNS_MIN, screen.columns)
    lines = [_headline(chart, paint, columns), _detail(chart, screen)]
    frame = frame_of(chart)
    if frame is None:
        return "\n".join([*lines, "no prices were kept of this position"])
    names = _names(chart, glyphs, columns)
    rows = screen.rows(len(names))
    labels = _labels(frame, chart.price_places, rows)
    margin = max(len(label) for label in labels.values()) + 1
    canvas = Canvas(columns - margin - 1, rows, frame, glyphs)
    canvas.draw(chart, braille=screen.braille)
    for number, row in enumerate(canvas.painted(paint, result_role(chart))):
        lines.append(f"{labels.get(number, ''):>{margin - 1}} {glyphs.edge}{row}".rstrip())
    lines.append(" " * margin + glyphs.corner + glyphs.bottom * canvas.columns)
    lines.append(" " * (margin + 1) + _times(frame, canvas.columns, screen.zone))
    return "\n".join([*lines, *names])


class Canvas:
    """The room of the prices: one character and one role for each cell."""

    def __init__(self, columns: int, rows: int, frame: Frame, glyphs: Glyphs) -> None:
        self.columns = columns
        self.rows = rows
        self._frame = frame
        self._glyphs = glyphs
        self._cells: list[list[tuple[str, str]]] = [[(" ", "")] * columns for _ in range(rows)]

    def draw(self, chart: ChartResult, *, braille: bool) -> None:
        """Gaps lie below the stop, that below the price, that below the marks."""
        for before, after in gaps_of(chart):
            for column in range(self._column(before), self._column(after) + 1):
                for row in range(self.rows):
                    self._put(column, row, self._glyphs.gap, "gap")
        self._draw_stop(chart)
        across, down = (2, 4) if braille else (1, 1)
        dots: dict[tuple[int, int], int] = {}
        for run in runs_of(chart.points):
            for x, y in self._dots(run, across, down, chart.width_seconds):
                cell = x // across, y // down
                dots[cell] = dots.get(cell, 0) | (_DOTS[y % down][x % across] if braille else 1)
        for (column, row), bits in dots.items():
            self._put(column, row, chr(_BRAILLE + bits) if braille else "*", "price")
        if chart.entered_at is not None and chart.entry_price is not None:
            self._put(self._column(chart.entered_at), self._row(chart.entry_price), self._glyphs.entry, "entry")
        if chart.closed_at is not None and chart.exit_price is not None:
            self._put(self._column(chart.closed_at), self._row(chart.exit_price), self._glyphs.exit, "exit")

    def painted(self, paint: Paint, result: str) -> Iterator[str]:
        """Every row, each stretch of one role in its colour."""
        colours = {"stop": "yellow", "entry": "bold", "exit": {"profit": "green", "loss": "red"}.get(result, "bold")}
        for row in self._cells:
            text, held, held_role = "", "", ""
            for character, role in (*row, ("", "end")):
                if role != held_role and held:
                    text += paint(colours[held_role], held) if held_role in colours else held
                    held = ""
                held, held_role = held + character, role
            yield text

    def _draw_stop(self, chart: ChartResult) -> None:
        behind = [point for point in chart.points if point.stop is not None]
        width = timedelta(seconds=chart.width_seconds)
        for number, point in enumerate(behind):
            assert point.stop is not None
            end = behind[number + 1].at if number + 1 < len(behind) else chart.closed_at or point.at + width
            for column in range(self._column(point.at), self._column(end) + 1):
                self._put(column, self._row(point.stop), self._glyphs.stop, "stop", once=True)

    def _dots(self, run: Sequence[ChartPoint], across: int, down: int, width: float) -> Iterator[tuple[int, int]]:
        """A line through the last prices, and at each the reach from the lowest to the highest."""
        half = timedelta(seconds=width / 2)
        before: tuple[int, int] | None = None
        for point in run:
            x = self._across(point.at + half, self.columns * across)
            y, top, bottom = (self._down(price, self.rows * down) for price in (point.last, point.high, point.low))
            yield from ((x, between) for between in range(top, bottom + 1))
            if before is not None:
                yield from _line(before, (x, y))
            before = x, y

    def _put(self, column: int, row: int, character: str, role: str, *, once: bool = False) -> None:
        if not (once and self._cells[row][column][1] == role):
            self._cells[row][column] = character, role

    def _across(self, moment: datetime, most: int) -> int:
        part = (moment - self._frame.begin) / (self._frame.end - self._frame.begin)
        return min(most - 1, max(0, int(part * most)))

    def _down(self, price: Decimal, most: int) -> int:
        part = (float(price) - self._frame.low) / (self._frame.high - self._frame.low)
        return min(most - 1, max(0, int((1 - part) * most)))

    def _column(self, moment: datetime) -> int:
        return self._across(moment, self.columns)

    def _row(self, price: Decimal) -> int:
        return self._down(price, self.rows)


def _line(one: tuple[int, int], other: tuple[int, int]) -> Iterator[tuple[int, int]]:
    steps = max(abs(other[0] - one[0]), abs(other[1] - one[1]), 1)
    for step in range(steps + 1):
        part = step / steps
        yield round(one[0] + (other[0] - one[0]) * part), round(one[1] + (other[1] - one[1]) * part)


def _headline(chart: ChartResult, paint: Paint, columns: int) -> str:
    """Symbol and side, then the result, and the state between them where there is room for all."""
    name, result = f"{chart.symbol} {chart.side}", result_text(chart)
    colour = {"profit": "green", "loss": "red"}.get(result_role(chart))
    room = columns - len(name) - len(result) - 2
    told = [paint("bold", name), chart.state if len(chart.state) <= room else ""]
    if room >= -1:
        told.append(paint(colour, result) if colour else result)
    return " ".join(filter(None, told))


def _detail(chart: ChartResult, screen: Screen) -> str:
    end = chart.closed_at or (chart.points[-1].at if chart.points else None)
    entered = chart.entered_at
    told = [
        seconds((end - entered).total_seconds()) if end is not None and entered is not None else "",
        f"from {entered.astimezone(screen.zone).isoformat(sep=' ', timespec='seconds')}" if entered is not None else "",
        (chart.exit_reason or "").replace("_", " "),
        chart.position_id,
    ]
    line = ""
    for words in filter(None, told):
        wider = f"{line}, {words}" if line else words
        # An id that is cut off could not be copied.
        line = wider if len(wider) <= max(_COLUMNS_MIN, screen.columns) else line
    return line


def _labels(frame: Frame, places: int, rows: int) -> dict[int, str]:
    found: dict[int, str] = {}
    for price in scale.price_steps(frame.low, frame.high, places, max(2, rows // 3)):
        row = int((1 - (float(price) - frame.low) / (frame.high - frame.low)) * rows)
        if 0 <= row < rows:
            found.setdefault(row, scale.price_text(price, places))
    return found or {0: scale.price_text(Decimal(frame.high), places)}


def _times(frame: Frame, columns: int, zone: tzinfo | None) -> str:
    offset = frame.begin.astimezone(zone).utcoffset() or timedelta(0)
    moments = [m.astimezone(zone) for m in scale.time_steps(frame.begin, frame.end, columns // 10, offset=offset)]
    form, line = scale.time_form(moments), ""
    for moment in moments:
        label = f"{moment:{form}}"
        at = int((moment - frame.begin) / (frame.end - frame.begin) * columns) - len(label) // 2
        if at >= len(line) + (1 if line else 0) and at + len(label) <= columns:
            line += " " * (at - len(line)) + label
    return line


def _names(chart: ChartResult, glyphs: Glyphs, columns: int) -> list[str]:
    """What the marks are, with their prices, on as many lines as it takes."""
    stop = next((point.stop for point in reversed(chart.points) if point.stop is not None), None)
    last = chart.points[-1].last if chart.points and chart.exit_price is None else None
    named = [(glyphs.entry, "entry", chart.entry_price), (glyphs.stop * 2, "stop", stop)]
    named += [(glyphs.exit, "exit", chart.exit_price), ("", "last", last)]
    told = [
        f"{mark} {name} {scale.price_text(price, chart.price_places)}".strip() for mark, name, price in named if price
    ]
    if any(point.after_gap for point in chart.points):
        told.append(f"{glyphs.gap} no prices")
    if chart.quantity is not None:
        told.append(f"quantity {plain(chart.quantity)}")
    lines = [""]
    for words in told:
        wider = f"{lines[-1]}   {words}" if lines[-1] else words
        if len(wider) <= columns:
            lines[-1] = wider
        else:
            lines.append(words[:columns])
    return lines
