"""What each path answers, from the same words as the commands `health` and `status`."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from robson.domain.codec import encode
from robson.metrics import CONTENT_TYPE, Readings, exposition
from robson.ports import Intent
from robson.protocol import requests as ask
from robson.protocol.operations import Caller, Operations

OK, NOT_FOUND, NOT_ALLOWED, NOT_READY = 200, 404, 405, 503
_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
# Nobody in particular: a page changes nothing.
_READER = Caller(uid=-1, pid=-1, gid=-1)
_STATES = ("Armed", "Entering", "Active", "Exiting", "Error")


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its status, its type and its bytes."""

    status: int
    content_type: str
    content: bytes


class Pages:
    """The pages of one daemon."""

    def __init__(self, operations: Operations, version: str, open_intents: Callable[[], Iterable[Intent]]) -> None:
        self._operations = operations
        self._version = version
        self._open_intents = open_intents

    async def answer(self, method: str, target: str) -> Page:
        """The page of a request; whatever is not there says so."""
        if method not in {"GET", "HEAD"}:
            return _words(NOT_ALLOWED, "only GET and HEAD are answered")
        match target.partition("?")[0]:
            case "/livez":
                return _words(OK, "ok")
            case "/readyz":
                return await self._ready(is_verbose="verbose" in target.partition("?")[2])
            case "/metrics":
                return Page(OK, CONTENT_TYPE, exposition(await self._readings()))
            case _:
                return _words(NOT_FOUND, "the paths are /livez, /readyz and /metrics")

    async def _ready(self, *, is_verbose: bool) -> Page:
        health = await self._operations.health(ask.HealthRequest(), _READER)
        status = OK if health.ready else NOT_READY
        if is_verbose:
            return Page(status, _JSON, encode(health) + b"\n")
        return _words(status, "ok" if health.ready else "not ready")

    async def _readings(self) -> Readings:
        health = await self._operations.health(ask.HealthRequest(), _READER)
        status = await self._operations.status(ask.StatusRequest(), _READER)
        doubts = Counter(intent.order.role.value for intent in self._open_intents() if intent.status == "in_doubt")
        states = Counter[str](view.state for view in status.positions)
        return Readings(
            version=self._version,
            mode=status.mode,
            state=status.state,
            positions={state: states[state] for state in _STATES},
            intents_in_doubt={"entry": doubts["entry"], "exit": doubts["exit"]},
            feed_age_seconds={
                symbol: feed.age_seconds for symbol, feed in status.feed.items() if feed.age_seconds is not None
            },
            feeds_stale={symbol: feed.stale for symbol, feed in status.feed.items()},
            checks={name: check.ok for name, check in health.checks.items()},
            unprotected_seconds=status.unprotected_seconds,
            time_to_protected_seconds=status.time_to_protected_seconds,
            panic_latched=status.panic_latched,
            last_seq=self._operations.last_seq(),
        )


def _words(status: int, words: str) -> Page:
    return Page(status, _TEXT, f"{words}\n".encode())
