"""What an answer, or its absence, proves: which error it is, by HTTP status, body and how far the request had come.

Reference: the table of section 3. The guiding question is always whether the request may have been executed: whatever
is not the exchange's own definite word about an order leaves it in doubt.
"""

import re
from collections.abc import Mapping
from enum import Enum
from math import isfinite
from typing import Any

from robson.domain.errors import Banned, Fatal, InDoubt, RateLimited, Rejected, Unreachable, VenueError
from robson.domain.values import Value


class Kind(Enum):
    """What a request does if it is executed."""

    READ = "read"
    """Nothing: it may be asked again."""
    WRITE = "write"
    """Moves money: it is sent once."""


class Answer(Value):
    """An HTTP answer as it came: header names in lower case, the body whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


# The venue itself does not know: "execution status unknown".
AMBIGUOUS_CODES = frozenset({-1000, -1001, -1006, -1007, -1008, -1016, -3000, -3044})
FATAL_CODES = frozenset({-1002, -1022, -2008, -2014, -2015})
TOO_MANY_REQUESTS, TOO_MANY_ORDERS = -1003, -1015
OUTSIDE_WINDOW = "-1021"
UNKNOWN_SYMBOL_CODES = frozenset({"-1100", "-1121"})
# "Order does not exist", and "was canceled or expired with no executed quantity over 90 days ago".
ABSENT_CODES = frozenset({"-2013", "-2026"})
# An open order has this client order id: it is ours, and to be asked for.
_DUPLICATE = (-2010, "Duplicate order sent.")

_LIMIT_STATUS, _BAN_STATUS, FIREWALL_STATUS = 429, 418, 403
_OK, _CLIENT_ERRORS = range(200, 300), range(400, 500)
# "Timeout waiting for a response from the backend server", and a request done in part.
_AMBIGUOUS_STATUS = frozenset({408, 409})

# Without a Retry-After: the rest of a minute's window at most; the shortest ban; the firewall forgets within minutes.
_LIMIT_SECONDS, _BAN_SECONDS, FIREWALL_SECONDS = 60.0, 120.0, 120.0
_LONGEST_BAN_SECONDS = 3 * 86_400.0
_BANNED_UNTIL = re.compile(r"banned until ([0-9]{13})")
_SHOWN = 200


def no_answer(kind: Kind, why: str, *, sent: bool) -> VenueError:
    """The request got no answer; `sent`: a byte of it may have left."""
    if sent and kind is Kind.WRITE:
        return InDoubt(why)
    return Unreachable(why)


def undecodable(kind: Kind, answer: Answer, why: str) -> VenueError:
    """The exchange said yes in words that cannot be read."""
    return no_answer(kind, f"HTTP {answer.status} could not be read ({why}): {_excerpt(answer.body)}", sent=True)


def refusal(kind: Kind, answer: Answer, document: Any, *, now_ms: int) -> VenueError | None:
    """What an answer refuses; None when it is a success whose document may be used.

    `document` is the body's JSON, None when it is none; `now_ms` is the venue's clock, for bans that name their end.
    """
    code, text = _code_and_text(document)
    too_many = code in {TOO_MANY_REQUESTS, TOO_MANY_ORDERS} and answer.status in _CLIENT_ERRORS
    if too_many or answer.status in {_LIMIT_STATUS, _BAN_STATUS}:
        return _limited(answer, code, text, now_ms)
    if answer.status in _OK and code is None:
        return None
    shown = f"{code}: {text}" if code is not None else f"HTTP {answer.status}: {_excerpt(answer.body)}"
    if _is_ambiguous(answer.status, code) or (code, text) == _DUPLICATE:
        return no_answer(kind, shown, sent=True)
    if code is None:
        # No word of the exchange's own: a firewall, a proxy or a redirect speaks.
        if answer.status == FIREWALL_STATUS and kind is Kind.READ:
            return RateLimited("403", shown, retry_after_seconds=FIREWALL_SECONDS)
        if answer.status in _CLIENT_ERRORS and kind is Kind.READ:
            return Rejected(str(answer.status), _excerpt(answer.body))
        return no_answer(kind, shown, sent=True)
    if code in FATAL_CODES:
        return Fatal(str(code), text)
    return Rejected(str(code), text)


def is_firewall(answer: Answer, document: Any) -> bool:
    """Whether something before the exchange answered in its place, and wants to be left alone for minutes."""
    return answer.status == FIREWALL_STATUS and _code_and_text(document)[0] is None


def _is_ambiguous(status: int, code: int | None) -> bool:
    """Whether the order may have been executed although it does not look like it.

    A definite refusal comes with a status of 4xx; a 5xx with the same code is none, nor is a 2xx.
    """
    return code in AMBIGUOUS_CODES or status in _AMBIGUOUS_STATUS or status not in _CLIENT_ERRORS


def _limited(answer: Answer, code: int | None, text: str, now_ms: int) -> RateLimited:
    named = str(code) if code is not None else str(answer.status)
    said = text or _excerpt(answer.body)
    until = _BANNED_UNTIL.search(text)
    is_ban = answer.status == _BAN_STATUS or until is not None
    seconds = _retry_after(answer.headers)
    if seconds is None and until is not None:
        seconds = (int(until[1]) - now_ms) / 1000
    if seconds is None:
        seconds = _BAN_SECONDS if is_ban else _LIMIT_SECONDS
    seconds = min(max(seconds, 1.0), _LONGEST_BAN_SECONDS)
    kind = Banned if is_ban else RateLimited
    return kind(named, said, retry_after_seconds=seconds)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if isfinite(seconds) else None


def _code_and_text(document: Any) -> tuple[int | None, str]:
    """The exchange's own code and text; a success has none (margin answers may carry a code of 200 or more)."""
    if not isinstance(document, dict):
        return None, ""
    try:
        code = int(str(document.get("code")))
    except ValueError:
        return None, ""
    text = document.get("msg", document.get("message"))
    return (code, str(text or "")[:_SHOWN]) if code < 0 else (None, "")


def _excerpt(body: bytes) -> str:
    """The beginning of a body for a message, in one line."""
    text = " ".join(body[: 4 * _SHOWN].decode("utf-8", "replace").split())
    return text[:_SHOWN] or "empty body"
