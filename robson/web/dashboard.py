"""The dashboard: one read-only page, the part of it that changes, a stream of events, and a chart for each position."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from importlib.resources import files

import trio

from robson.domain.errors import RuleError
from robson.domain.sequence import Recorded
from robson.drawing.chart import draw_chart
from robson.drawing.svg import to_svg
from robson.protocol.charting import ChartRequest
from robson.protocol.operations import Caller
from robson.protocol.requests import HealthRequest, StatusRequest
from robson.web.exchange import Asked, Reply
from robson.web.markup import EVENTS_SHOWN, event_text, page, part
from robson.web.sources import Sources

# Streams stay, and other clients must get in beside them.
STREAMS_MAX = 8
LOOK_SECONDS = 2.0
# A chart that is asked for again within so many seconds is the same picture.
CHART_SECONDS = 5.0
CHARTS_KEPT_MAX = 64
CHART_POINTS = 400
# A reader who is further behind is told how many events there were, not which.
BEHIND_MAX = 200
_WAIT_SECONDS = 0.5
_NOBODY = Caller(uid=-1, pid=0, gid=-1)
_HTML = "text/html; charset=utf-8"
# Nothing from elsewhere, nothing inline, in no frame.
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CHART = re.compile(r"/chart/([0-9A-Za-z_-]{1,64})\.svg")
_SEQ = re.compile(r"[0-9]{1,18}")
_FROM = re.compile(r"/live\?from=([0-9]{1,18})")
_STATIC = {
    "/dashboard.css": "text/css; charset=utf-8",
    "/dashboard.js": "text/javascript; charset=utf-8",
    "/icon.svg": "image/svg+xml",
}


class Dashboard:
    """Answers for the page and what belongs to it; `steady` is a clock in real seconds."""

    def __init__(self, sources: Sources, steady: Callable[[], float]) -> None:
        self._sources = sources
        self._steady = steady
        self._streams = 0
        self._charts: dict[tuple[str, bool], tuple[float, Reply]] = {}
        self._static = {name: files("robson.web").joinpath("static", name[1:]).read_bytes() for name in _STATIC}
        # These are made at most once a second, whoever asks.
        self.makers: dict[str, Callable[[], Awaitable[Reply]]] = {
            "/": self._page,
            "/now": self._now,
            **{name: partial(self._file, name) for name in _STATIC},
        }

    async def respond(self, asked: Asked) -> Reply | None:
        """The answer to what differs with who asks: the stream, and charts; None for everything else."""
        path, _, query = asked.target.partition("?")
        if path == "/live":
            return self._live(asked)
        found = _CHART.fullmatch(path)
        return await self._chart(found[1], is_narrow="narrow" in query.split("&")) if found is not None else None

    async def _file(self, name: str) -> Reply:
        return Reply(200, self._static[name], _STATIC[name])

    async def _page(self) -> Reply:
        text, desk = await self._part(), self._sources.desk
        last = desk.last_seq()
        first = max(desk.oldest_seq(), last - EVENTS_SHOWN + 1)
        rows = desk.read_events(from_seq=first, limit=EVENTS_SHOWN)
        body = page(text, rows, desk.identity.mode, next_seq=rows[-1].seq + 1 if rows else last + 1)
        return Reply(200, body, _HTML, policy=_PAGE_POLICY)

    async def _now(self) -> Reply:
        return Reply(200, (await self._part()).encode(), _HTML, policy=_PAGE_POLICY)

    async def _part(self) -> str:
        desk = self._sources.desk
        status = await desk.status(StatusRequest(), _NOBODY)
        health = await desk.health(HealthRequest(), _NOBODY)
        stamp = int(self._steady() / CHART_SECONDS)
        around = self._sources.around
        ticks = {symbol: instrument.tick_size for symbol, instrument in around.instruments.items()}
        return part(status, health, around.clock.now(), stamp=stamp, ticks=ticks)

    async def _chart(self, position_id: str, *, is_narrow: bool) -> Reply:
        kept = (position_id, is_narrow)
        made_at, reply = self._charts.get(kept, (-CHART_SECONDS, None))
        if reply is not None and self._steady() - made_at < CHART_SECONDS:
            return reply
        request = ChartRequest(position_id=position_id, points=CHART_POINTS)
        try:
            chart = await self._sources.desk.chart(request, _NOBODY)
        except RuleError as error:
            return Reply(404, f"{error.message}\n".encode())
        picture = to_svg(draw_chart(chart, is_narrow=is_narrow)).encode()
        reply = Reply(200, picture, "image/svg+xml", policy=_PICTURE_POLICY)
        self._charts.pop(kept, None)
        self._charts[kept] = (self._steady(), reply)
        while len(self._charts) > CHARTS_KEPT_MAX:
            del self._charts[next(iter(self._charts))]
        return reply

    # --- the stream --------------------------------------------------------------------------------------------------

    def _live(self, asked: Asked) -> Reply:
        if self._streams >= STREAMS_MAX:
            return Reply(503, b"too many dashboards are open\n")
        begun = _FROM.fullmatch(asked.target)
        seen = asked.last_event
        if _SEQ.fullmatch(seen):
            next_seq = int(seen) + 1
        else:
            next_seq = int(begun[1]) if begun else self._sources.desk.last_seq() + 1
        return Reply(
            200, b"retry: 2000\n\n", "text/event-stream; charset=utf-8", parts=lambda: self._messages(next_seq)
        )

    async def _messages(self, next_seq: int) -> AsyncGenerator[bytes, None]:
        """Each event as it is committed, and every two seconds word that the page is worth another look."""
        desk = self._sources.desk
        looked_at = self._steady()
        self._streams += 1
        try:
            while True:
                with trio.move_on_after(_WAIT_SECONDS):
                    await desk.wait_events(max(0, min(next_seq - 1, desk.last_seq())))
                lines, next_seq = self._lines(next_seq)
                is_due = self._steady() - looked_at >= LOOK_SECONDS
                if is_due:
                    looked_at = self._steady()
                    lines += b"event: look\ndata:\n\n"
                if lines:
                    yield lines
        finally:
            self._streams -= 1

    def _lines(self, next_seq: int) -> tuple[bytes, int]:
        desk = self._sources.desk
        last = desk.last_seq()
        first = max(min(next_seq, last + 1), last - BEHIND_MAX + 1, desk.oldest_seq())
        told = []
        if first > next_seq:
            told.append(_message(f"{first - next_seq} events before are not shown: robsonctl events --from {next_seq}"))
        rows = desk.read_events(from_seq=first, limit=BEHIND_MAX)
        told += [_event(row) for row in rows]
        return b"".join(told), rows[-1].seq + 1 if rows else max(first, 1)


def _event(row: Recorded) -> bytes:
    return _message(event_text(row), seq=row.seq)


def _message(text: str, *, seq: int | None = None) -> bytes:
    """One message of the stream, which is one line: whatever would end it is no part of an event's text."""
    line = " ".join(text.splitlines())
    head = f"id: {seq}\n" if seq is not None else ""
    return f"event: line\n{head}data: {line}\n\n".encode()
