"""What one connection has been asked to stream, what it has confirmed, and when it may be asked again."""

import math
from collections.abc import Collection

from robson.domain.errors import RobsonError
from robson.domain.values import Value
from robson.feed.binance import codec

STREAMS_MOST = 1024
# The exchange takes five messages a second, and pongs count: two a second leave room.
MESSAGE_SPACING_SECONDS = 0.5
STREAMS_IN_A_MESSAGE = 100
REPLY_SECONDS = 10.0


class TooManyStreams(RobsonError):
    """One connection carries 1024 streams at most."""


class SubscriptionRefused(RobsonError):
    """The exchange did not take a request, or did not answer it."""


class _Request(Value):
    method: str
    streams: frozenset[str]
    sent_at: float


class Session:
    """The streams of one connection, from the wanted ones to the confirmed ones."""

    def __init__(self, wanted: Collection[str] = ()) -> None:
        self._wanted: frozenset[str] = frozenset()
        self._active: set[str] = set()
        self._asked: dict[int, _Request] = {}
        self._next_id = 1
        self._may_send_at = -math.inf
        self.want(wanted)

    def want(self, streams: Collection[str]) -> None:
        """Let exactly these be streamed; raises TooManyStreams and changes nothing."""
        if len(set(streams)) > STREAMS_MOST:
            raise TooManyStreams(f"{len(set(streams))} streams were wanted, one connection carries {STREAMS_MOST}")
        self._wanted = frozenset(streams)

    @property
    def is_ready(self) -> bool:
        """Whether everything that is wanted is confirmed."""
        return self._wanted <= self._active

    def due_at(self) -> float:
        """When the next message may go; infinite when there is none to send."""
        return self._may_send_at if self._next_batch() is not None else math.inf

    def overdue_at(self) -> float:
        """When the oldest unanswered request has waited too long; infinite without one."""
        return min((one.sent_at for one in self._asked.values()), default=math.inf) + REPLY_SECONDS

    def send(self, now: float) -> str:
        """The message that is due; it counts as sent."""
        batch = self._next_batch()
        assert batch is not None
        method, streams = batch
        request_id, self._next_id = self._next_id, self._next_id + 1
        self._asked[request_id] = _Request(method=method, streams=frozenset(streams), sent_at=now)
        if method == "UNSUBSCRIBE":
            self._active.difference_update(streams)
        self._may_send_at = now + MESSAGE_SPACING_SECONDS
        return codec.request(method, streams, request_id)

    def take(self, reply: codec.Acknowledged | codec.RequestRefused) -> None:
        """Take an answer; one to a request that was never made changes nothing. Raises SubscriptionRefused."""
        number = str(reply.request_id)
        asked = self._asked.pop(int(number), None) if number.isdecimal() else None
        if isinstance(reply, codec.RequestRefused):
            raise SubscriptionRefused(f"the exchange refused a request with {reply.code}: {reply.message}")
        if asked is not None and asked.method == "SUBSCRIBE":
            self._active |= asked.streams

    def _next_batch(self) -> tuple[str, list[str]] | None:
        asked_for = {stream for one in self._asked.values() if one.method == "SUBSCRIBE" for stream in one.streams}
        missing = sorted(self._wanted - self._active - asked_for)
        if missing:
            return "SUBSCRIBE", missing[:STREAMS_IN_A_MESSAGE]
        surplus = sorted(self._active - self._wanted)
        return ("UNSUBSCRIBE", surplus[:STREAMS_IN_A_MESSAGE]) if surplus else None
