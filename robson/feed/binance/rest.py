"""One GET request to Binance's REST API: its weight, its patience, and what its failure means."""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx
import msgspec
import trio

from robson.domain.errors import RateLimited, Rejected, Unreachable, VenueError
from robson.ports.clock import Clock

REQUEST_SECONDS = 4.0
PAUSE_SECONDS = 60.0
# Too many requests, banned for them, and the firewall, which says the same without a number.
_LIMITED = frozenset({429, 418, 403})
_TOO_MANY_REQUESTS = -1003

T = TypeVar("T")
# Takes the weight of a request before it goes out, and waits while the budget has none left.
Spend = Callable[[int], Awaitable[None]]


class _Error(msgspec.Struct):
    code: int
    msg: str = ""


class Rest:
    """Reads public data; nothing here is signed.

    Raises Rejected with the exchange's code, RateLimited, or Unreachable where there was no usable answer. After a
    RateLimited nothing is sent until the exchange wants to hear of us again.
    """

    def __init__(self, client: httpx.AsyncClient, clock: Clock, *, spend: Spend | None = None) -> None:
        """`client` has the base address; it is closed by whoever made it."""
        self._client = client
        self._clock = clock
        self._spend = spend
        self._silent_until = -math.inf

    async def get(self, path: str, query: dict[str, str], kind: type[T], weight: int) -> T:
        """The decoded answer to a GET request of this weight."""
        self._keep_silence(path)
        if self._spend is not None:
            await self._spend(weight)
        try:
            with trio.fail_after(REQUEST_SECONDS):
                response = await self._client.get(path, params=query)
        except trio.TooSlowError:
            raise Unreachable(f"GET {path} was not answered within {REQUEST_SECONDS:g} s") from None
        except httpx.HTTPError as error:
            raise Unreachable(f"GET {path} failed: {error or type(error).__name__}") from error
        if response.status_code != httpx.codes.OK:
            raise self._refusal(path, response)
        try:
            return msgspec.json.decode(response.content, type=kind, strict=False)
        except msgspec.MsgspecError as error:
            raise Unreachable(f"the answer to GET {path} could not be read: {error}") from error

    def _keep_silence(self, path: str) -> None:
        rest = self._silent_until - self._clock.monotonic()
        if rest > 0:
            raise RateLimited("silent", f"GET {path} waits for {rest:.0f} s more", retry_after_seconds=rest)

    def _refusal(self, path: str, response: httpx.Response) -> VenueError:
        status = response.status_code
        try:
            error = msgspec.json.decode(response.content, type=_Error, strict=False)
        except msgspec.MsgspecError:
            error = _Error(code=status, msg=f"GET {path} gave {response.reason_phrase or 'no reason'}")
        if status in _LIMITED or error.code == _TOO_MANY_REQUESTS:
            told = response.headers.get("Retry-After", "")
            rest = float(told) if told.isdecimal() else PAUSE_SECONDS
            self._silent_until = self._clock.monotonic() + rest
            return RateLimited(str(error.code), error.msg, retry_after_seconds=rest)
        if httpx.codes.is_server_error(status) or error.code == status:
            return Unreachable(f"GET {path} was answered with {status}: {error.msg}")
        return Rejected(str(error.code), error.msg)
