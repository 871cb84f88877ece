"""One connection, from its handshake to its end, and the next one: it is up before the old one closes."""

import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from robson.feed.binance.session import SubscriptionRefused
from robson.feed.binance.wire import Connect, Socket, SocketLost

# From the first byte until everything that is wanted is confirmed, however much that is.
READY_SECONDS = 20.0
# The exchange ends a connection after 24 hours.
ROTATE_SECONDS = 23 * 3600.0
PING_SECONDS = 20.0
PONG_SECONDS = 10.0
PAUSE_SECONDS = 0.5
PAUSE_MOST_SECONDS = 30.0
# A server that says for how long it wants silence is obeyed, but not for ever: stops live by its prices.
SILENCE_MOST_SECONDS = 900
# A connection that lives shorter than this counts as a failure, so that nobody reconnects in a loop.
STABLE_SECONDS = 30.0

_log = structlog.get_logger("robson.feed")

Part = Callable[[Socket], Awaitable[None]]


class Connection(ABC):
    """A socket and what is done with it, side by side.

    `settled` is set once it is ready or over; `succeed` once another one should take its place: it is over, too old,
    told so by the server, or by `renew`.
    """

    def __init__(self, url: str, connect: Connect) -> None:
        self.reason = ""
        # How long the server wants silence, where it refused the connection and said so (s).
        self.retry_after_seconds = 0
        self.is_ready = False
        self.is_over = False
        self.settled = trio.Event()
        self.succeed = trio.Event()
        self.on_end: Callable[[Connection], None] = lambda _connection: None
        self._url = url
        self._connect = connect
        self._scope = trio.CancelScope()

    @abstractmethod
    def _parts(self) -> Sequence[Part]:
        """What is done with the socket; the end of one by SocketLost or SubscriptionRefused is the end of all."""

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
        """Connect and go on until it is over, for whatever reason on the way; does not raise for those."""
        try:
            with self._scope:
                self._scope.deadline = trio.current_time() + READY_SECONDS
                async with self._connect(self._url) as socket, trio.open_nursery() as nursery:
                    for part in (*self._parts(), self._ping, self._grow_old):
                        nursery.start_soon(self._guard, part, socket)
        except SocketLost as error:
            self.reason = str(error)
            self.retry_after_seconds = min(error.retry_after_seconds, SILENCE_MOST_SECONDS)
        except trio.Cancelled:
            self.reason = "it was stopped"
            raise
        finally:
            self.is_over = True
            self.reason = self.reason or f"not everything was confirmed within {READY_SECONDS:g} s"
            self.settled.set()
            self.succeed.set()
            self.on_end(self)

    def _become_ready(self) -> None:
        if not self.is_ready:
            self.is_ready = True
            self._scope.deadline = math.inf
            self.settled.set()

    async def _guard(self, part: Part, socket: Socket) -> None:
        try:
            await part(socket)
        except (SocketLost, SubscriptionRefused) as error:
            self.close(str(error))

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


def pause_seconds(failures: int, share: float) -> float:
    """How long to wait after so many failures in a row, doubling; `share` (0 to 1) takes up to half of it away."""
    if failures == 0:
        return 0.0
    return float(min(PAUSE_MOST_SECONDS, PAUSE_SECONDS * 2.0 ** min(failures - 1, 16)) * (1 - share / 2))


class Succession:
    """Keeps one connection up for as long as it is wanted."""

    def __init__(
        self,
        name: str,
        make: Callable[[], Connection],
        on_change: Callable[[str | None], None],
        random: Callable[[], float],
    ) -> None:
        """`on_change` is told why the connection was lost, and None when there is one again. `name` is for the log."""
        self.present: Connection | None = None
        # How often another connection took the place of one, in good order or not.
        self.reconnects = 0
        self._name = name
        self._make = make
        self._on_change = on_change
        self._random = random
        self._is_wanted = trio.Event()

    def want(self, is_wanted: bool) -> None:
        """Whether there should be a connection; one that is there is kept."""
        if not is_wanted:
            self._is_wanted = trio.Event()
        else:
            self._is_wanted.set()

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        return self.present is not None and not self.present.is_over

    def renew(self, reason: str) -> None:
        """Replace the present connection."""
        if self.present is not None:
            self.present.renew(reason)

    async def run(self) -> None:
        """Keep it until cancelled."""
        failures = silence = 0
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(max(pause_seconds(failures, self._random()), silence))
                await self._is_wanted.wait()
                connection = self._make()
                connection.on_end = self._has_ended
                nursery.start_soon(connection.run)
                await connection.settled.wait()
                silence = connection.retry_after_seconds
                if not connection.is_ready:
                    failures += 1
                    _log.warning("stream_not_opened", stream=self._name, reason=connection.reason, failures=failures)
                    continue
                self._take_over(connection)
                began = trio.current_time()
                await connection.succeed.wait()
                _log.info("stream_renewed", stream=self._name, reason=connection.reason)
                failures = 0 if trio.current_time() >= began + STABLE_SECONDS else failures + 1

    def _take_over(self, connection: Connection) -> None:
        before, self.present = self.present, connection
        if before is not None:
            self.reconnects += 1
            before.close("replaced")
        self._on_change(connection.reason if connection.is_over else None)

    def _has_ended(self, connection: Connection) -> None:
        if connection is self.present:
            self._on_change(connection.reason)
