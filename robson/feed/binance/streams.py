"""The market streams over one connection after another."""

from collections.abc import Callable, Collection

from robson.feed.binance import codec
from robson.feed.binance.connection import Connection, Succession
from robson.feed.binance.line import Line
from robson.feed.binance.session import Session
from robson.feed.binance.wire import Connect


class Streams(Succession):
    """Keeps one connection with all wanted streams, for as long as anything is wanted."""

    def __init__(
        self,
        url: str,
        connect: Connect,
        on_frame: Callable[[codec.Frame], bool],
        on_change: Callable[[str | None], None],
        random: Callable[[], float],
    ) -> None:
        """`on_frame` says whether it woke somebody.

        `on_change` is told why the streams were lost, and None when they are there again.
        """
        super().__init__("market", self._line, on_change, random)
        self._url = url
        self._connect = connect
        self._on_frame = on_frame
        self._wanted: frozenset[str] = frozenset()
        self._lines: set[Line] = set()

    def stream(self, streams: Collection[str]) -> None:
        """Let exactly these be streamed; raises TooManyStreams and changes nothing."""
        Session(streams)
        self._wanted = frozenset(streams)
        for line in self._lines:
            line.want(streams)
        self.want(bool(streams))

    def _line(self) -> Connection:
        line = Line(self._url, self._connect, self._wanted, self._on_frame)
        self._lines = {one for one in self._lines if not one.is_over} | {line}
        return line
