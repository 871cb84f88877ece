"""The shell around the wire: one request, sent once, within a deadline, within the budgets, judged by its answer."""

import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import httpx
import msgspec
import structlog
import trio

from robson.domain.errors import Banned, Fatal, RateLimited, VenueError
from robson.ports.clock import Clock
from robson.venue.binance import codec, endpoints, errors
from robson.venue.binance.connections import said
from robson.venue.binance.credentials import Credentials
from robson.venue.binance.endpoints import Endpoint, Security
from robson.venue.binance.errors import Answer, Kind
from robson.venue.binance.hiding import MASK, masked, signature_of
from robson.venue.binance.reading import Malformed, document_of
from robson.venue.binance.sending import Send, Sending
from robson.venue.binance.server_clock import ServerClock
from robson.venue.binance.signing import Parameter, encode, signed
from robson.venue.binance.traffic import Traffic
from robson.venue.binance.weights import Budgets, Priority

T = TypeVar("T")

# The venue works on an order for ten seconds at most; its late answer is still heard, body and all.
WRITE_DEADLINE_SECONDS = 12.0
READ_DEADLINE_SECONDS = 10.0
CONNECT_SECONDS = 4.0
# An exit that was refused for its timestamp must not wait long for the next try.
MEND_SECONDS = 1.0
RECEIVE_WINDOW_MS = 5_000

_log = structlog.get_logger("robson.binance")


class Client:
    """Requests to the exchange; a write is never sent twice, redirects and the environment's proxies not followed."""

    def __init__(
        self,
        rest_url: str,
        credentials: Credentials | None,
        clock: Clock,
        *,
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Without credentials only what needs no signature can be asked; `transport` takes the place of sockets."""
        self._base = httpx.URL(rest_url.rstrip("/"))
        self._credentials = credentials
        self._clock = clock
        self._server_clock = ServerClock()
        self._budgets = Budgets()
        if tls is None:
            # Reading the list of authorities takes a while; a plain address does without.
            is_plain = self._base.scheme == "http"
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if is_plain else httpx.create_ssl_context(trust_env=False)
        self._sending = Sending(self._base, credentials, clock, tls, transport)
        self.clock_doubted = trio.Event()
        self.traffic = Traffic(clock, self._budgets, self._server_clock)
        # httpx logs each URL, signature and all, and httpcore each header.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._sending.aclose()

    @property
    def address(self) -> str:
        """Whom it asks."""
        return str(self._base)

    @property
    def server_clock(self) -> ServerClock:
        """What is known of the venue's clock."""
        return self._server_clock

    def timestamp_ms(self) -> int:
        """The venue's clock as last known, milliseconds since the epoch."""
        if self.is_clock_doubtful:
            self.clock_doubted.set()
        return self._venue_ms()

    @property
    def is_clock_doubtful(self) -> bool:
        """Whether timestamps are guesses until the venue's clock is read."""
        return self._server_clock.needs_reading(self._clock.monotonic(), self._clock.now())

    async def read_clock(self) -> int:
        """Ask the venue for its time; the round trip is measured from the first byte on."""
        sent_at: list[float] = []
        body = await self._exchange(endpoints.SERVER_TIME, b"", Priority.QUERY, sent_at=sent_at)
        heard = self._clock.monotonic()
        server_ms = _decoded(endpoints.SERVER_TIME, body, codec.server_time_ms)
        self._server_clock.read(asked=sent_at[0], heard=heard, server_ms=server_ms, wall=self._clock.now())
        return server_ms

    async def call(
        self,
        endpoint: Endpoint,
        parameters: list[tuple[str, Parameter]],
        decode: Callable[[Any], T],
        *,
        priority: Priority = Priority.QUERY,
        weight: int | None = None,
        timestamp_ms: int | None = None,
        receive_window_ms: int = RECEIVE_WINDOW_MS,
        sent_at: list[float] | None = None,
    ) -> T:
        """Send one request and read its answer; `timestamp_ms` is signed, now by the venue's clock if not given.

        `sent_at` gets the steady time at which the first byte may have left.

        Raises as domain.errors says; a read that was refused for its timestamp is asked once more by a fresh clock.
        """
        is_retry = False
        while True:
            signed_at = self.timestamp_ms() if timestamp_ms is None else timestamp_ms
            query = self._query(endpoint, parameters, signed_at, receive_window_ms)
            try:
                with self.traffic.ending(endpoint):
                    answer = await self._exchange(
                        endpoint, query, priority, weight, connect_ms=receive_window_ms, sent_at=sent_at
                    )
            except VenueError as error:
                if getattr(error, "code", "") != errors.OUTSIDE_WINDOW:
                    raise
                await self._mend_clock()
                if endpoint.is_write or is_retry:
                    raise
            else:
                return _decoded(endpoint, answer, decode)
            is_retry = True

    async def _mend_clock(self) -> None:
        """A timestamp was refused: what is asked next should be signed with a better one."""
        self._server_clock.doubt()
        self.clock_doubted.set()
        with trio.move_on_after(MEND_SECONDS), suppress(VenueError):
            await self.read_clock()

    def _query(
        self, endpoint: Endpoint, parameters: list[tuple[str, Parameter]], timestamp_ms: int, receive_window_ms: int
    ) -> bytes:
        if endpoint.security is not Security.SIGNED:
            return encode(parameters)
        if self._credentials is None:
            raise Fatal("no_key", f"{endpoint.path} needs an API key, and there was none")
        times = [("recvWindow", receive_window_ms), ("timestamp", timestamp_ms)]
        return signed([*parameters, *times], self._credentials.signer)

    def begin(
        self,
        endpoint: Endpoint,
        parameters: list[tuple[str, Parameter]],
        decode: Callable[[Any], T],
        *,
        priority: Priority,
        timestamp_ms: int,
        receive_window_ms: int,
        sent_at: list[float],
    ) -> Callable[[], Awaitable[T]] | None:
        """Send one write at once, before any other task has its turn; what is given reads its answer as `call` does.

        None where that is not possible, and then nothing has left: there is no connection ready, or no budget.
        """
        assert endpoint.is_write, endpoint
        if not self._sending.is_warm:
            return None
        try:
            query = self._query(endpoint, parameters, timestamp_ms, receive_window_ms)
            minute = self._budgets.spend(endpoint, endpoint.weight, priority, self._venue_ms())
            send = self._sending.begun(endpoint, query, sent_at)
        except VenueError:
            # `call` will say it.
            return None

        async def answered() -> T:
            try:
                with self.traffic.ending(endpoint):
                    answer = await self._concluded(endpoint, query, minute, send, sent_at)
            except VenueError as error:
                if getattr(error, "code", "") == errors.OUTSIDE_WINDOW:
                    await self._mend_clock()
                raise
            return _decoded(endpoint, answer, decode)

        return answered

    async def _exchange(
        self,
        endpoint: Endpoint,
        query: bytes,
        priority: Priority,
        weight: int | None = None,
        *,
        connect_ms: int = RECEIVE_WINDOW_MS,
        sent_at: list[float] | None = None,
    ) -> Answer:
        """One request within its budget."""
        minute = self._budgets.spend(
            endpoint, endpoint.weight if weight is None else weight, priority, self._venue_ms()
        )
        sent_at = [] if sent_at is None else sent_at
        send = self._sending.prepared(endpoint, query, min(connect_ms / 1000, CONNECT_SECONDS), sent_at)
        return await self._concluded(endpoint, query, minute, send, sent_at)

    async def _concluded(
        self, endpoint: Endpoint, query: bytes, minute: int, send: Send, sent_at: list[float]
    ) -> Answer:
        """The answer to a request; what it says of budgets and silence is learnt before it is judged."""
        kind = Kind.WRITE if endpoint.is_write else Kind.READ
        with self.traffic.timed(endpoint, sent_at):
            answer = await self._send(kind, query, send, sent_at)
        now_ms = self._venue_ms()
        self._budgets.hear(endpoint, answer.headers, minute, now_ms)
        try:
            document = document_of(answer.body)
        except Malformed:
            document = None
        refusal = errors.refusal(kind, answer, document, now_ms=now_ms)
        if refusal is None:
            return answer
        self._obey(refusal, now_ms, is_firewall=errors.is_firewall(answer, document))
        raise refusal

    def _venue_ms(self) -> int:
        return self._server_clock.now_ms(self._clock.monotonic(), self._clock.now())

    def _obey(self, refusal: VenueError, now_ms: int, *, is_firewall: bool) -> None:
        """Keep silent for as long as the venue wants, and towards a firewall."""
        if is_firewall:
            shunned = RateLimited("403", str(refusal), retry_after_seconds=errors.FIREWALL_SECONDS)
            self._budgets.shun(shunned, now_ms)
            _log.error("firewall_answered", seconds=errors.FIREWALL_SECONDS, text=str(refusal))
        elif isinstance(refusal, RateLimited):
            orders_only = refusal.code == str(errors.TOO_MANY_ORDERS) and not isinstance(refusal, Banned)
            self._budgets.stop(refusal, now_ms, orders_only=orders_only)
            _log.error("venue_wants_silence", seconds=refusal.retry_after_seconds, code=refusal.code, text=refusal.text)

    async def _send(self, kind: Kind, query: bytes, send: Send, sent_at: list[float]) -> Answer:
        """Put the bytes on the wire once; raises InDoubt or Unreachable without an answer.

        `sent_at` gets the steady time at which the first byte may have left, if it came to that.
        """
        deadline = WRITE_DEADLINE_SECONDS if kind is Kind.WRITE else READ_DEADLINE_SECONDS
        answer, failure = None, f"no answer within {deadline:g} s"
        try:
            with trio.move_on_after(deadline):
                answer = await send()
        except Exception as error:  # noqa: BLE001  whatever failed: what counts is whether a byte has left
            failure = said(error)
        if answer is None:
            # Raised here and not above: a chained error of httpx would carry the request, and with it the key.
            said_why = self._masked(failure.encode(), query).decode("utf-8", "replace")
            raise errors.no_answer(kind, said_why, sent=bool(sent_at))
        return msgspec.structs.replace(answer, body=self._masked(answer.body, query))

    def _masked(self, content: bytes, query: bytes) -> bytes:
        """A server may echo what it was sent."""
        if self._credentials is None:
            return content
        return masked(content, (self._credentials.api_key.reveal(), signature_of(query)))


def _decoded(endpoint: Endpoint, answer: Answer, decode: Callable[[Any], T]) -> T:
    try:
        return decode(document_of(answer.body))
    except Malformed as error:
        why = str(error)
    if endpoint.is_secret:
        why, answer = "its content is secret", msgspec.structs.replace(answer, body=MASK)
    kind = Kind.WRITE if endpoint.is_write else Kind.READ
    raise errors.undecodable(kind, answer, why)
