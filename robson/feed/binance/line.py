"""One connection to the market streams, from its handshake to its end."""

import math
from collections.abc import Awaitable, Callable, Collection

import structlog
import trio

from robson.feed.binance import codec
from robson.feed.binance.session import Session, SubscriptionRefused
from robson.feed.binance.wire import Connect, Socket, SocketLost

# From the first byte until everything that is wanted is confirmed, however much that is.
READY_SECONDS = 20.0
# The exchange ends a connection after 24 hours.
ROTATE_SECONDS = 23 * 3600.0
PING_SECONDS = 20.0
PONG_SECONDS = 10.0

_log = structlog.get_logger("robson.feed")


class Line:
    """Delivers the frames of the wanted streams.

    `settled` is set once it is ready or over; `succeed` once another one should take its place: it is over, too old,
    told so by the server, or by `renew`.
    """

    def __init__(
        self,
        url: str,
        connect: Connect,
        wanted: Collection[str],
        on_frame: Callable[[codec.Frame], None],
        on_end: Callable[["Line"], None],
    ) -> None:
        self.reason = ""
        self.is_ready = False
        self.is_over = False
        self.settled = trio.Event()
        self.succeed = trio.Event()
        self._url = url
        self._connect = connect
        self._session = Session(wanted)
        self._on_frame = on_frame
        self._on_end = on_end
        self._changed = trio.Event()
        self._scope = trio.CancelScope()

    def want(self, streams: Collection[str]) -> None:
        """Let exactly these be streamed; raises TooManyStreams."""
        self._session.want(streams)
        self._changed.set()

    def renew(self, reason: str) -> None:
        """Ask for a successor; this one goes on until that is ready."""
        if not self.succeed.is_set():
            self.reason = reason
            self.succeed.set()

    def close(self, reason: str) -> None:
        """End it."""
        if not self.is_over:
            self.reason = reason
            self._scope.cancel()

    async def run(self) -> None:
        """Connect, subscribe and deliver until it is over, for whatever reason; does not raise."""
        try:
            with self._scope:
                self._scope.deadline = trio.current_time() + READY_SECONDS
                async with self._connect(self._url) as socket, trio.open_nursery() as nursery:
                    for part in (self._read, self._write, self._ping, self._grow_old):
                        nursery.start_soon(self._guard, part, socket)
        except SocketLost as error:
            self.reason = str(error)
        except trio.Cancelled:
            self.reason = "the feed was stopped"
            raise
        finally:
            self.is_over = True
            self.reason = self.reason or f"not every stream was confirmed within {READY_SECONDS:g} s"
            self.settled.set()
            self.succeed.set()
            self._on_end(self)

    async def _guard(self, part: Callable[[Socket], Awaitable[None]], socket: Socket) -> None:
        try:
            await part(socket)
        except (SocketLost, SubscriptionRefused) as error:
            self.close(str(error))

    async def _read(self, socket: Socket) -> None:
        while True:
            message = await socket.receive()
            try:
                frame = codec.decode(message)
            except codec.MalformedFrame as error:
                _log.warning("frame_not_understood", error=str(error))
                continue
            match frame:
                case codec.Acknowledged() | codec.RequestRefused():
                    self._session.take(frame)
                    self._changed.set()
                    self._check_ready()
                case codec.ServerShutdown():
                    self.renew("the server is shutting down")
                case _:
                    self._on_frame(frame)

    def _check_ready(self) -> None:
        if not self.is_ready and self._session.is_ready:
            self.is_ready = True
            self._scope.deadline = math.inf
            self.settled.set()

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

    async def _ping(self, socket: Socket) -> None:
        while True:
            await trio.sleep(PING_SECONDS)
            with trio.move_on_after(PONG_SECONDS) as waiting:
                await socket.ping()
            if waiting.cancelled_caught:
                raise SocketLost(f"a ping was not answered within {PONG_SECONDS:g} s")

    async def _grow_old(self, socket: Socket) -> None:
        await trio.sleep(ROTATE_SECONDS)
        self.renew(f"it was {ROTATE_SECONDS / 3600:g} h old")
