"""The envelope of a reply: `ok` with a result, or an error with its code, message and hint."""

from typing import Any

import msgspec

from robson.domain.codec import encode
from robson.domain.errors import (
    ConfigurationError,
    Fatal,
    InDoubt,
    JournalUnwritable,
    RateLimited,
    Rejected,
    RobsonError,
    RuleError,
    StorageError,
    Unreachable,
)
from robson.domain.values import Value
from robson.protocol.fields import RequestId

_JSON = msgspec.json.Encoder()


class ErrorBody(Value):
    """What went wrong: `code` for programs, `message` with value and limit, `hint` with what would be accepted.

    `retryable`: nothing was done, and the same request may succeed later.
    """

    code: str
    message: str
    hint: str = ""
    retryable: bool = False


class Success(Value, kw_only=True):
    """The body of a reply to a request that was obeyed."""

    ok: bool = True
    result: Any


class Failure(Value, kw_only=True):
    """The body of a reply to a request that was not."""

    ok: bool = False
    error: ErrorBody


class Reply(Value, kw_only=True):
    """A reply as a client reads it; the result's own bytes are kept."""

    id: RequestId = None
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorBody | None = None


def success(result: object) -> bytes:
    """The body of a reply, without its id: this is what an idempotency key keeps."""
    return encode(Success(result=result))


def failure(error: ErrorBody) -> bytes:
    """The body of a refusal, without its id."""
    return encode(Failure(error=error))


def address(request_id: RequestId, body: bytes) -> bytes:
    """The line that is sent: the body with the asker's own id in front, and the line feed."""
    assert body.startswith(b"{"), body[:20]
    return b'{"id":' + _JSON.encode(request_id) + b"," + body[1:] + b"\n"


def error_body(error: Exception) -> ErrorBody:
    """What a client is told of an error."""
    match error:
        case RuleError():
            return ErrorBody(code=error.code, message=error.message, hint=error.hint, retryable=error.retryable)
        case RateLimited():
            wait = f"ask again in {error.retry_after_seconds:g} s"
            return ErrorBody(code="venue_rate_limited", message=str(error), hint=wait, retryable=True)
        case Fatal():
            hint = "the exchange does not accept the API key: look at its permissions and its list of addresses"
            return ErrorBody(code="venue_rejected", message=f"the venue refused: {error}", hint=hint)
        case Rejected():
            return ErrorBody(code="venue_rejected", message=f"the venue refused: {error}")
        case Unreachable():
            return ErrorBody(code="venue_unreachable", message=f"the venue was not reached: {error}", retryable=True)
        case InDoubt():
            hint = "status tells when it is resolved; do not ask again before"
            return ErrorBody(code="in_doubt", message=f"the venue's answer is not known: {error}", hint=hint)
        case StorageError():
            code = "journal_unwritable" if isinstance(error, JournalUnwritable) else "storage"
            hint = "health names the disk's state; exits still work"
            return ErrorBody(code=code, message=str(error), hint=hint, retryable=True)
        case ConfigurationError():
            return ErrorBody(code="configuration", message=str(error))
        case RobsonError():
            return ErrorBody(code="internal_error", message=str(error), hint="this is a bug: the daemon's log has more")
        case _:
            name = type(error).__name__
            hint = "this is a bug: the daemon's log has more; status tells what was done"
            return ErrorBody(code="internal_error", message=f"the daemon failed with {name}", hint=hint)
