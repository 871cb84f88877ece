"""The connection that delivers now, and its successors: the new one is up before the old one closes."""

from collections.abc import Callable, Collection

import structlog
import trio

from robson.feed.binance import codec
from robson.feed.binance.line import Line
from robson.feed.binance.session import Session
from robson.feed.binance.wire import Connect

PAUSE_SECONDS = 0.5
PAUSE_MOST_SECONDS = 30.0
# A connection that lives shorter than this counts as a failure, so that nobody reconnects in a loop.
STABLE_SECONDS = 30.0

_log = structlog.get_logger("robson.feed")


def pause_seconds(failures: int, share: float) -> float:
    """How long to wait after so many failures in a row, doubling; `share` (0 to 1) takes up to half of it away."""
    if failures == 0:
        return 0.0
    return float(min(PAUSE_MOST_SECONDS, PAUSE_SECONDS * 2.0 ** min(failures - 1, 16)) * (1 - share / 2))


class Streams:
    """Keeps one connection with all wanted streams, for as long as anything is wanted."""

    def __init__(
        self,
        url: str,
        connect: Connect,
        on_frame: Callable[[codec.Frame], None],
        on_change: Callable[[str | None], None],
        random: Callable[[], float],
    ) -> None:
        """`on_change` is told why the streams were lost, and None when they are there again."""
        self._url = url
        self._connect = connect
        self._on_frame = on_frame
        self._on_change = on_change
        self._random = random
        self._wanted: frozenset[str] = frozenset()
        self._is_wanted = trio.Event()
        self._lines: set[Line] = set()
        self._line: Line | None = None

    def want(self, streams: Collection[str]) -> None:
        """Let exactly these be streamed; raises TooManyStreams and changes nothing."""
        Session(streams)
        self._wanted = frozenset(streams)
        for line in self._lines:
            line.want(streams)
        if streams:
            self._is_wanted.set()
        else:
            self._is_wanted = trio.Event()

    @property
    def is_up(self) -> bool:
        """Whether a connection delivers."""
        return self._line is not None and not self._line.is_over

    def renew(self, reason: str) -> None:
        """Replace the present connection."""
        if self._line is not None:
            self._line.renew(reason)

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        failures = 0
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(pause_seconds(failures, self._random()))
                await self._is_wanted.wait()
                line = Line(self._url, self._connect, self._wanted, self._on_frame, self._has_ended)
                self._lines.add(line)
                nursery.start_soon(line.run)
                await line.settled.wait()
                if not line.is_ready:
                    failures += 1
                    _log.warning("stream_not_opened", reason=line.reason, failures=failures)
                    continue
                self._take_over(line)
                began = trio.current_time()
                await line.succeed.wait()
                _log.info("stream_renewed", reason=line.reason)
                failures = 0 if trio.current_time() >= began + STABLE_SECONDS else failures + 1

    def _take_over(self, line: Line) -> None:
        before, self._line = self._line, line
        if before is not None:
            before.close("replaced")
        if line.is_over:
            self._has_ended(line)
        else:
            self._on_change(None)

    def _has_ended(self, line: Line) -> None:
        self._lines.discard(line)
        if line is self._line:
            _log.info("stream_lost", reason=line.reason)
            self._on_change(line.reason)
