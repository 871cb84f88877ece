"""One WebSocket: frames by wsproto, pings every 20 s, its end after 24 h, and a limit on what a client may say."""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from robson.emulator.http import Upgrade
from robson.ports.clock import Clock
from robson.venue.ledger.units import to_ms

PING_SECONDS = 20.0
PONG_SECONDS = 60.0
LIFE_SECONDS = 24 * 3600.0
MESSAGES_PER_SECOND = 5
LARGEST_MESSAGE = 64 * 1024
# What may wait for a slow reader; one that falls behind further is cut.
FRAMES_WAITING = 10_000

_CHUNK = 65_536
_POLICY_VIOLATION, _TOO_LARGE, _GOING_AWAY = 1008, 1009, 1001
_log = structlog.get_logger("robson.emulator")

Hearing = Callable[[str], Awaitable[None]]


class Socket:
    """A WebSocket that was accepted. `say` never waits; what was said goes out in order."""

    def __init__(self, stream: trio.abc.Stream, clock: Clock, *, messages_per_second: int | None) -> None:
        """`messages_per_second` is what the client may send, pings and pongs included; None: no limit."""
        self._stream = stream
        self._clock = clock
        self._websocket = WSConnection(ConnectionType.SERVER)
        self._limit = messages_per_second
        self._heard: deque[float] = deque()
        self._waiting: deque[str] = deque()
        self._news = trio.Event()
        self._scope = trio.CancelScope()
        self._sending = trio.Lock()
        self._has_limits = True
        self._last_pong = 0.0
        self._parts: list[str] = []
        self._size = 0

    def say(self, text: str) -> None:
        """Send a text frame after those that wait already; a client that lets too many wait is cut."""
        if len(self._waiting) >= FRAMES_WAITING:
            _log.warning("slow_reader_cut", frames=len(self._waiting))
            self.cut()
            return
        self._waiting.append(text)
        self._news.set()

    def cut(self) -> None:
        """End the connection at once, without a closing frame."""
        self._scope.cancel()

    async def run(self, upgrade: Upgrade, hear: Hearing, *, pings: bool) -> None:
        """Accept the upgrade and serve until either side ends it; `hear` gets each text that comes in."""
        self._has_limits = pings
        self._websocket.initiate_upgrade_connection(upgrade.raw_headers, upgrade.target)
        try:
            for event in self._websocket.events():
                if isinstance(event, Request):
                    await self._send(self._websocket.send(AcceptConnection()))
            self._last_pong = trio.current_time()
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write)
                    if pings:
                        nursery.start_soon(self._ping)
                        nursery.start_soon(self._expire)
                    await self._read(upgrade.trailing, hear)
                    nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            pass
        except* (RemoteProtocolError, LocalProtocolError) as group:
            _log.info("websocket_protocol_error", error=str(group.exceptions[0]))

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and end."""
        gone = (LocalProtocolError, trio.BrokenResourceError, trio.ClosedResourceError)
        with trio.move_on_after(1, shield=True), suppress(*gone):
            await self._send(self._websocket.send(CloseConnection(code=code, reason=reason)))
        self.cut()

    async def _read(self, trailing: bytes, hear: Hearing) -> None:
        received: bytes = trailing
        while True:
            if received:
                self._websocket.receive_data(received)
                for event in self._websocket.events():
                    if not await self._take(event, hear):
                        return
            received = bytes(await self._stream.receive_some(_CHUNK))
            if not received:
                return

    async def _take(self, event: object, hear: Hearing) -> bool:
        """Take one event; False at the end."""
        match event:
            case CloseConnection():
                await self._send(self._websocket.send(event.response()))
                return False
            case Ping():
                await self._send(self._websocket.send(event.response()))
                return await self._is_within_limit()
            case Pong():
                self._last_pong = trio.current_time()
                return await self._is_within_limit()
            case TextMessage():
                return await self._collect(str(event.data), hear, is_last=event.message_finished)
            case BytesMessage():
                text = bytes(event.data).decode("utf-8", "replace")
                return await self._collect(text, hear, is_last=event.message_finished)
            case _:
                return True

    async def _collect(self, part: str, hear: Hearing, *, is_last: bool) -> bool:
        self._parts.append(part)
        self._size += len(part)
        if self._size > LARGEST_MESSAGE:
            await self.close(_TOO_LARGE, "Payload too large")
            return False
        if not is_last:
            return True
        text, self._parts, self._size = "".join(self._parts), [], 0
        if not await self._is_within_limit():
            return False
        await hear(text)
        return True

    async def _is_within_limit(self) -> bool:
        if self._limit is None:
            return True
        now = trio.current_time()
        self._heard.append(now)
        while self._heard[0] <= now - 1:
            self._heard.popleft()
        if len(self._heard) > self._limit:
            await self.close(_POLICY_VIOLATION, "Too many requests")
            return False
        return True

    async def _write(self) -> None:
        while True:
            while self._waiting:
                text = self._waiting.popleft()
                await self._send(self._websocket.send(TextMessage(data=text)))
            self._news = trio.Event()
            await self._news.wait()

    async def _ping(self) -> None:
        while True:
            await trio.sleep(PING_SECONDS)
            if trio.current_time() - self._last_pong > PONG_SECONDS:
                _log.info("no_pong_cut")
                self.cut()
                return
            stamp = str(to_ms(self._clock.now())).encode()
            await self._send(self._websocket.send(Ping(payload=stamp)))

    async def _expire(self) -> None:
        await trio.sleep(LIFE_SECONDS)
        await self.close(_GOING_AWAY, "24 hours have passed")

    async def _send(self, raw: bytes) -> None:
        """Frames go out in the order in which they were made: the lock is first come, first served."""
        with trio.fail_after(PONG_SECONDS if self._has_limits else float("inf")):
            async with self._sending:
                await self._stream.send_all(raw)
