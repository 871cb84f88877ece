"""The emulator as one process: its doors, its market, its tasks, nested by lifetime."""

import math
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import structlog
import trio

from robson.domain.errors import ConfigurationError
from robson.emulator import http, router
from robson.emulator.control import PREFIX, Control, StreamActions
from robson.emulator.credentials import Credentials
from robson.emulator.exchange import Exchange
from robson.emulator.faults import Fault
from robson.emulator.http import Upgrade
from robson.emulator.market import Market, offered
from robson.emulator.router import Request
from robson.emulator.streams import Streams
from robson.emulator.websocket import MESSAGES_PER_SECOND, Socket
from robson.emulator.wire import Reply, html
from robson.emulator.ws_api import ApiSession
from robson.feed.opening import OpenedFeed
from robson.store.lock import StateLock
from robson.venue.instruments import BUILTIN_INSTRUMENTS
from robson.venue.settings import PaperSettings

ACCOUNT_FILE = "emulator.db"
CONNECTIONS = 512
WS_API_PATH = "/ws-api/v3"

_log = structlog.get_logger("robson.emulator")


@dataclass(frozen=True)
class Listening:
    """Where and how to serve; `patience` stretches the limits on slow clients where the clock runs fast."""

    host: str
    port: int
    control: bool
    patience: float


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT of this machine itself; ConfigurationError for any other."""
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not port.isdecimal() or int(port) > 65_535:  # noqa: PLR2004
        raise ConfigurationError(f"--listen was {text!r}, must be HOST:PORT such as 127.0.0.1:9000")
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ConfigurationError(f"--listen was {text!r}: only loopback is allowed, such as 127.0.0.1:9000")
    return ("127.0.0.1" if host == "localhost" else host), int(port)


async def run(
    opened: OpenedFeed,
    settings: PaperSettings,
    keys: Credentials,
    listening: Listening,
    *,
    state: Path,
    seed: int,
    announce: Callable[[int], None],
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is told the port once it listens.

    Raises StorageError when the state directory cannot be used, ConfigurationError when the address cannot.
    """
    async with AsyncExitStack() as held:
        held.enter_context(StateLock.take(state, clock=opened.clock))
        if opened.exchange is not None:
            from robson.venue.binance.opening import keep  # noqa: PLC0415  its libraries are only for who has a network

            await held.enter_async_context(keep(opened.exchange))
        symbols = await offered(opened.feed, list(BUILTIN_INSTRUMENTS))
        market = Market(opened.feed, symbols, settings.spread_bps)
        exchange = Exchange(
            clock=opened.clock, market=market, settings=settings, keys=keys, path=state / ACCOUNT_FILE, seed=seed
        )
        try:
            await Doors(exchange, listening).run(announce)
        finally:
            exchange.close()


class Doors(StreamActions):
    """Everything that listens."""

    def __init__(self, exchange: Exchange, listening: Listening) -> None:
        self._exchange = exchange
        self._listening = listening
        self._streams = Streams(exchange)
        self._control = Control(exchange, self) if listening.control else None
        self._api_sessions: set[ApiSession] = set()
        self._api_sockets: set[Socket] = set()
        self._admitted = trio.Semaphore(CONNECTIONS)
        self._chance = trio.Event()

    async def run(self, announce: Callable[[int], None]) -> None:
        """Open the port and serve."""
        try:
            listeners = await trio.open_tcp_listeners(self._listening.port, host=self._listening.host)
        except OSError as error:
            raise ConfigurationError(
                f"--listen: {self._listening.host}:{self._listening.port} could not be listened on: {error.strerror}"
            ) from error
        port: int = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            self._exchange.work_in(nursery)
            nursery.start_soon(self._exchange.market.feed.run, self._exchange.market)
            nursery.start_soon(self.run_tasks)
            await nursery.start(_until_told, nursery.cancel_scope)
            await nursery.start(partial(trio.serve_listeners, self.serve, listeners))
            announce(port)

    async def run_tasks(self) -> None:
        """What runs beside the connections: candles by the clock, and random faults."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._streams.run_klines)
            nursery.start_soon(self._run_chance)
            nursery.start_soon(self._run_switches)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection; whatever goes wrong in it ends it alone."""
        try:
            self._admitted.acquire_nowait()
        except trio.WouldBlock:
            await stream.aclose()
            return
        try:
            await http.serve(stream, self._answer, self._upgrade, self._listening.patience)
        except Exception:  # noqa: BLE001  a fault in one connection must not end the others
            _log.exception("connection_failed")
        finally:
            self._admitted.release()

    async def _answer(self, request: Request) -> Reply:
        if request.path.startswith(PREFIX):
            return await self._control.answer(request) if self._control is not None else html(404, "404 Not Found")
        return await router.answer(self._exchange, request)

    async def _upgrade(self, stream: trio.abc.Stream, upgrade: Upgrade) -> None:
        path = upgrade.request.path
        if path == WS_API_PATH:
            await self._serve_api(stream, upgrade)
        elif path in {"/ws", "/stream"} or path.startswith(("/ws/", "/stream/")):
            await self._serve_streams(stream, upgrade)
        else:
            await stream.send_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async def _serve_streams(self, stream: trio.abc.Stream, upgrade: Upgrade) -> None:
        socket = Socket(stream, self._exchange.clock, messages_per_second=MESSAGES_PER_SECOND)
        session, names = self._streams.open(upgrade.request, socket)
        try:
            await self._streams.subscribe(session, names)
            await socket.run(upgrade, partial(self._streams.hear, session), pings=self._has_pings)
        finally:
            self._streams.close(session)

    async def _serve_api(self, stream: trio.abc.Stream, upgrade: Upgrade) -> None:
        socket = Socket(stream, self._exchange.clock, messages_per_second=None)
        session = ApiSession(self._exchange, socket)
        self._api_sessions.add(session)
        self._api_sockets.add(socket)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run)
                await socket.run(upgrade, session.hear, pings=self._has_pings)
                nursery.cancel_scope.cancel()
        finally:
            self._api_sessions.discard(session)
            self._api_sockets.discard(socket)

    @property
    def _has_pings(self) -> bool:
        """On a tape as fast as it can, a minute passes before a pong could come."""
        return not math.isinf(self._listening.patience)

    # --- faults of streams --------------------------------------------------------------------------------------------

    def now(self, fault: Fault) -> bool:
        """Do what needs no frame; False for what waits for frames."""
        match fault.fault:
            case "cut":
                self._streams.cut_all()
            case "shutdown":
                self._streams.announce_shutdown()
                for session in self._api_sessions:
                    session.announce_shutdown()
                self._exchange.later(fault.length_seconds, self._cut_everything)
            case "user_cut":
                self._cut_api()
            case "token_expiry":
                self._exchange.end_tokens()
            case "mute" if fault.length_seconds > 0:
                self._streams.mute(fault.length_seconds)
            case _:
                return False
        return True

    def chance_changed(self) -> None:
        """Draw anew."""
        changed, self._chance = self._chance, trio.Event()
        changed.set()

    def _cut_everything(self) -> None:
        self._streams.cut_all()
        self._cut_api()

    def _cut_api(self) -> None:
        for socket in list(self._api_sockets):
            socket.cut()

    async def _run_chance(self) -> None:
        """Meet the random faults of streams."""
        faults = self._exchange.faults
        while True:
            chance = self._chance
            drawn = faults.draw_stream_fault()
            if drawn is None:
                await chance.wait()
                continue
            seconds, fault = drawn
            if await _changed(chance, seconds):
                continue
            if self.now(fault):
                faults.fired[fault.fault] += 1
            else:
                faults.arm(fault)

    async def _run_switches(self) -> None:
        """Turn the random switches on and off."""
        faults = self._exchange.faults
        while True:
            chance = self._chance
            drawn = faults.draw_switch()
            if drawn is None:
                await chance.wait()
                continue
            seconds, fault, length_seconds = drawn
            if await _changed(chance, seconds):
                continue
            faults.arm(fault)
            faults.fired[fault.fault] += 1
            await _changed(chance, length_seconds)
            faults.clear(fault.fault)


async def _changed(chance: trio.Event, seconds: float) -> bool:
    """Wait so long; True at once when the random faults were changed meanwhile."""
    with trio.move_on_after(seconds):
        await chance.wait()
        return True
    return False


async def _until_told(
    everything: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            _log.info("told_to_stop", signal=signal.Signals(number).name)
            everything.cancel()
            return
