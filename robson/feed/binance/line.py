"""A connection to the market streams: asks for what is wanted and gives what comes."""

from collections.abc import Callable, Collection, Sequence

import structlog
import trio

from robson.feed.binance import codec
from robson.feed.binance.connection import Connection, Part
from robson.feed.binance.session import Session, SubscriptionRefused
from robson.feed.binance.wire import Connect, Socket
from robson.metrics import FRAME

# So many, and everybody else has a turn: an order that is on its way takes several of those.
MESSAGES_A_TURN = 16

_log = structlog.get_logger("robson.feed")


class Line(Connection):
    """Delivers the frames of the wanted streams; ready when all of them are confirmed."""

    def __init__(
        self, url: str, connect: Connect, wanted: Collection[str], on_frame: Callable[[codec.Frame], bool]
    ) -> None:
        """`on_frame` says whether it woke somebody."""
        super().__init__(url, connect)
        self._session = Session(wanted)
        self._on_frame = on_frame
        self._changed = trio.Event()

    def want(self, streams: Collection[str]) -> None:
        """Let exactly these be streamed; raises TooManyStreams."""
        self._session.want(streams)
        self._changed.set()

    def _parts(self) -> Sequence[Part]:
        return (self._read, self._write)

    async def _read(self, socket: Socket) -> None:
        while True:
            messages = await socket.receive()
            received = trio.current_time()
            for number, message in enumerate(messages, start=1):
                woke = self._take(message, received)
                if woke or not number % MESSAGES_A_TURN:
                    await trio.lowlevel.checkpoint()
                if woke:
                    # Who runs first of those that may is left to chance; after a second turn everybody has.
                    await trio.lowlevel.checkpoint()

    def _take(self, message: str | bytes, received: float) -> bool:
        """Take one message; True when it woke somebody, who should not have to wait for those behind it."""
        try:
            frame = codec.decode(message)
        except codec.MalformedFrame as error:
            _log.warning("frame_not_understood", error=str(error))
            return False
        match frame:
            case codec.Acknowledged() | codec.RequestRefused():
                self._session.take(frame)
                self._changed.set()
                self._check_ready()
            case codec.ServerShutdown():
                self.renew("the server is shutting down")
            case _:
                FRAME.stamps = (received, trio.current_time())
                woke = self._on_frame(frame)
                FRAME.stamps = ()
                return woke
        return False

    def _check_ready(self) -> None:
        if self._session.is_ready:
            self._become_ready()

    async def _write(self, socket: Socket) -> None:
        while True:
            self._changed = trio.Event()
            self._check_ready()
            session, now = self._session, trio.current_time()
            if now >= session.overdue_at():
                raise SubscriptionRefused("the exchange did not answer a request")
            if now >= session.due_at():
                await socket.send(session.send(now))
                continue
            with trio.move_on_at(min(session.due_at(), session.overdue_at())):
                await self._changed.wait()
