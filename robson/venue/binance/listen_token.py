"""Tokens that open the events of one isolated account on the WebSocket API."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from robson.domain.values import Value
from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.reading import Fields, Malformed
from robson.venue.binance.weights import Priority

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Times beyond this are microseconds; as milliseconds it is the year 5138.
_MICROSECONDS_FROM = 10**14


class ListenToken(Value):
    """What subscribes to one isolated account's events, until `expires_at` by the exchange's clock."""

    token: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        """Without the token: it opens somebody's account to whoever reads it in a log."""
        return f"ListenToken(expires_at={self.expires_at!r})"


class ListenTokens:
    """Asks the exchange for tokens."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def listen_token(self, symbol: str) -> ListenToken:
        """A fresh token for the isolated account of a pair, for as long as the exchange gives it; raises VenueError."""
        which = [("symbol", symbol), ("isIsolated", "true")]
        return await self._client.call(endpoints.LISTEN_TOKEN, [*which], _token, priority=Priority.BOOKKEEPING)

    def now(self) -> datetime:
        """The exchange's clock as last known, which says when a token ends."""
        return _EPOCH + timedelta(milliseconds=self._client.timestamp_ms())


def _token(document: Any) -> ListenToken:
    fields = Fields(document, "listenToken")
    expires_at = None
    # What cannot be read is quoted in an error, and the token must be in none.
    with suppress(Malformed, OverflowError):
        stamp = fields.integer("expirationTime")
        expires_at = _EPOCH + timedelta(microseconds=stamp if stamp >= _MICROSECONDS_FROM else stamp * 1000)
    return ListenToken(token=fields.text("token"), expires_at=expires_at)
