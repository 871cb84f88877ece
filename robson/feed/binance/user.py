"""The user's own order events: they wake whoever resolves an order, and settle nothing.

REST by client order id stays the truth. Whatever happens here, the daemon goes on without it.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog
import trio

from robson.domain.errors import RobsonError, VenueError
from robson.feed.binance import user_codec
from robson.feed.binance.codec import MalformedFrame, RequestRefused, ServerShutdown
from robson.feed.binance.connection import Connection, Part, Succession, pause_seconds
from robson.feed.binance.user_codec import OrderNews, Subscribed, Terminated
from robson.feed.binance.wire import Connect, Socket
from robson.venue.binance.listen_token import ListenToken

REQUEST_SECONDS = 10.0
# A subscription is renewed so long before its end, or earlier where it is short.
RENEW_SECONDS = 300.0
RENEW_SHARE = 0.2
# Where neither the token nor the answer says how long it stands.
LIFE_SECONDS = 3600.0
# A life that the clocks make shorter than this is not believed.
LIFE_LEAST_SECONDS = 5.0
SPACING_SECONDS = 0.25
REPORTS_REMEMBERED = 10_000

_log = structlog.get_logger("robson.feed")


class Tokens(Protocol):
    """Where tokens come from."""

    async def listen_token(self, symbol: str) -> ListenToken:
        """A fresh token for the isolated account of a pair; raises VenueError."""

    def now(self) -> datetime:
        """The exchange's clock, by which tokens end."""


class _Unsubscribed(RobsonError):
    """A subscription was not given."""


class UserStream:
    """Calls `hint` with the client order id of each order that something has happened to, once for each report."""

    def __init__(
        self,
        url: str,
        tokens: Tokens,
        hint: Callable[[str], None],
        *,
        connect: Connect,
        random: Callable[[], float],
    ) -> None:
        self._url = url
        self._tokens = tokens
        self._hint = hint
        self._connect = connect
        self._random = random
        self._symbols: set[str] = set()
        self._lines: list[_UserLine] = []
        # The reports that were told already, oldest first.
        self._told: dict[tuple[str, int, int], None] = {}
        self._succession = Succession("user", self._line, lambda _lost: None, random)

    def follow(self, symbol: str) -> None:
        """Let the isolated account of a pair be listened to."""
        self._symbols.add(symbol)
        self._changed()

    def leave(self, symbol: str) -> None:
        """Let the subscription of a pair run out."""
        self._symbols.discard(symbol)
        self._changed()

    @property
    def listening(self) -> frozenset[str]:
        """The pairs whose events come in at present."""
        present = self._succession.present
        return frozenset(present.subscribed) if isinstance(present, _UserLine) and not present.is_over else frozenset()

    async def run(self) -> None:
        """Listen until cancelled."""
        await self._succession.run()

    def _changed(self) -> None:
        self._succession.want(bool(self._symbols))
        for line in self._lines:
            line.look_again()

    def _line(self) -> Connection:
        line = _UserLine(self._url, self._connect, self._symbols, self._tokens, self._take, self._random)
        self._lines = [*(one for one in self._lines if not one.is_over), line]
        return line

    def _take(self, news: OrderNews) -> None:
        report = (news.symbol, news.order_id, news.execution)
        if report in self._told:
            return
        self._told[report] = None
        if len(self._told) > REPORTS_REMEMBERED:
            del self._told[next(iter(self._told))]
        try:
            self._hint(news.client_order_id)
        except Exception:  # noqa: BLE001  an accelerator must not break what it serves
            _log.exception("hint_failed", client_order_id=news.client_order_id)


class _UserLine(Connection):
    """One connection; ready once every pair was asked for, whatever came of it."""

    def __init__(
        self,
        url: str,
        connect: Connect,
        symbols: set[str],
        tokens: Tokens,
        on_news: Callable[[OrderNews], None],
        random: Callable[[], float],
    ) -> None:
        super().__init__(url, connect)
        self.subscribed: dict[str, int | None] = {}
        self._symbols = symbols
        self._tokens = tokens
        self._on_news = on_news
        self._random = random
        self._tried: set[str] = set()
        self._kept: dict[str, trio.CancelScope] = {}
        self._ended: dict[str, trio.Event] = {}
        self._answers: dict[str, trio.MemorySendChannel[Subscribed | RequestRefused]] = {}
        self._requests = 0
        self._sending = trio.Lock()
        self._news = trio.Event()

    def look_again(self) -> None:
        """The followed pairs have changed."""
        self._news.set()

    def _parts(self) -> Sequence[Part]:
        return (self._read, self._keep_all)

    async def _read(self, socket: Socket) -> None:
        while True:
            for message in await socket.receive():
                self._take(message)

    def _take(self, message: str | bytes) -> None:
        try:
            frame = user_codec.decode(message)
        except MalformedFrame as error:
            _log.warning("frame_not_understood", error=str(error))
            return
        match frame:
            case OrderNews():
                self._on_news(frame)
            case Subscribed() | RequestRefused():
                waiting = self._answers.get(str(frame.request_id))
                if waiting is not None:
                    with suppress(trio.WouldBlock):
                        waiting.send_nowait(frame)
            case Terminated():
                self._end(frame.subscription_id)
            case ServerShutdown():
                self.renew("the server is shutting down")
            case _:
                pass  # balances and the like: the account is read by REST

    def _end(self, subscription_id: int | None) -> None:
        # Without a number it may be any of them: asking again for one that still stands only prolongs it.
        for symbol, number in list(self.subscribed.items()):
            if subscription_id is None or number in {None, subscription_id}:
                del self.subscribed[symbol]
                self._ended[symbol].set()

    async def _keep_all(self, socket: Socket) -> None:
        async with trio.open_nursery() as nursery:
            while True:
                self._news = trio.Event()
                for symbol in sorted(self._symbols - self._kept.keys()):
                    scope = self._kept[symbol] = trio.CancelScope()
                    nursery.start_soon(self._guard, partial(self._keep_within, scope, symbol), socket)
                for symbol in sorted(self._kept.keys() - self._symbols):
                    self._kept.pop(symbol).cancel()
                    self.subscribed.pop(symbol, None)
                if self._symbols <= self._tried:
                    self._become_ready()
                await self._news.wait()

    async def _keep_within(self, scope: trio.CancelScope, symbol: str, socket: Socket) -> None:
        with scope:
            await self._keep(symbol, socket)

    async def _keep(self, symbol: str, socket: Socket) -> None:
        failures = 0
        while True:
            ended = self._ended[symbol] = trio.Event()
            try:
                expires_at = await self._subscribe(symbol, socket)
            except (VenueError, _Unsubscribed, trio.TooSlowError) as error:
                failures += 1
                self.subscribed.pop(symbol, None)
                _log.warning("user_stream_not_subscribed", symbol=symbol, error=str(error) or "no answer")
                rest = pause_seconds(failures, self._random())
            else:
                failures = 0
                life = (expires_at - self._tokens.now()).total_seconds() if expires_at is not None else LIFE_SECONDS
                life = max(life, LIFE_LEAST_SECONDS)
                rest = life - min(RENEW_SECONDS, life * RENEW_SHARE)
            self._tried.add(symbol)
            self._news.set()
            with trio.move_on_after(rest):
                await ended.wait()

    async def _subscribe(self, symbol: str, socket: Socket) -> datetime | None:
        """Subscribe with a fresh token; gives when that ends."""
        with trio.fail_after(REQUEST_SECONDS):
            token = await self._tokens.listen_token(symbol)
        self._requests += 1
        request_id = str(self._requests)
        self._answers[request_id], answers = trio.open_memory_channel[Subscribed | RequestRefused](1)
        try:
            with trio.fail_after(REQUEST_SECONDS):
                async with self._sending:
                    await socket.send(user_codec.subscribe(token.token, request_id))
                    await trio.sleep(SPACING_SECONDS)
                answer = await answers.receive()
        finally:
            del self._answers[request_id]
        if isinstance(answer, RequestRefused):
            said = answer.message.replace(token.token, "(hidden)")
            raise _Unsubscribed(f"the exchange refused it with {answer.code}: {said}")
        if symbol not in self.subscribed:
            _log.info("user_events_subscribed", symbol=symbol)
        self.subscribed[symbol] = answer.subscription_id
        ends = [at for at in (token.expires_at, answer.expires_at) if at is not None]
        return min(ends) if ends else None
