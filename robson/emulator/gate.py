"""Who may ask: the API key, the signature over the bytes that were sent, and the time window."""

import re
from decimal import Decimal, InvalidOperation
from enum import Enum
from urllib.parse import unquote

from robson.domain.errors import Rejected
from robson.emulator.credentials import Credentials
from robson.emulator.parameters import Parameters
from robson.emulator.refusals import (
    bad_key,
    bad_key_format,
    bad_signature,
    bad_window,
    from_ledger,
    illegal,
    missing,
)
from robson.venue.ledger import check_window

DEFAULT_WINDOW_MS = Decimal(5000)
LARGEST_WINDOW_MS = Decimal(60_000)

# From this number on a timestamp is in microseconds.
_MICROSECONDS_FROM = 10**15
_KEY = re.compile(r"[!-~]{1,128}", re.ASCII)
_WINDOW = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?", re.ASCII)
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)", re.ASCII)


class Security(Enum):
    """What an endpoint asks of its callers."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"
    # The exchange takes this request signed and unsigned.
    KEY_OR_SIGNED = "key or signed"


class Window:
    """When a signed request ends: it is refused outside, on arrival and again right before it is executed."""

    def __init__(self, timestamp_ms: int, receive_ms: Decimal) -> None:
        self.timestamp_ms = timestamp_ms
        self.receive_ms = receive_ms

    def check(self, now_ms: int) -> None:
        """Raise Refused -1021 outside the window."""
        try:
            check_window(self.timestamp_ms, int(self.receive_ms), now_ms)
        except Rejected as error:
            raise from_ledger(error) from error

    def left_seconds(self, now_ms: int) -> float:
        """How much later the request could still be executed; not negative."""
        return max(0.0, float(self.receive_ms - (now_ms - self.timestamp_ms)) / 1000)


def admit(
    security: Security, key: str | None, query: str, body: str, parameters: Parameters, keys: Credentials, now_ms: int
) -> Window | None:
    """Check one request; gives its window when it is signed.

    `query` and `body` are as they were sent, still percent-encoded: those bytes were signed. Raises Refused.
    """
    if security is Security.NONE:
        return None
    if not key or not _KEY.fullmatch(key):
        raise bad_key_format()
    if not keys.knows(key):
        raise bad_key()
    if security is Security.KEY or (security is Security.KEY_OR_SIGNED and "signature" not in parameters):
        return None
    window = read_window(parameters)
    found = _SIGNATURE.search(query) or _SIGNATURE.search(body)
    if found is None:
        raise missing("signature")
    payload = without_signature(query) + without_signature(body)
    if not keys.verifier.accepts(payload.encode("latin-1", "replace"), unquote(found[1])):
        raise bad_signature()
    window.check(now_ms)
    return window


def read_window(parameters: Parameters) -> Window:
    """The request's timestamp and receive window; Refused -1102, -1100 or -1131."""
    timestamp = parameters.integer("timestamp")
    if timestamp >= _MICROSECONDS_FROM:
        timestamp //= 1000
    text = parameters.text("recvWindow", str(DEFAULT_WINDOW_MS))
    if not _WINDOW.fullmatch(text):
        raise illegal("recvWindow", "^[0-9]{1,5}(\\.[0-9]{1,3})?$")
    try:
        receive_ms = Decimal(text)
    except InvalidOperation:
        raise bad_window() from None
    if receive_ms > LARGEST_WINDOW_MS:
        raise bad_window()
    return Window(timestamp, receive_ms)


def without_signature(text: str) -> str:
    """Query or body without the pair `signature=…`, wherever it stands."""
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))
