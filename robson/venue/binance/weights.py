"""Weight budgets: what may be sent now, so that entries never eat what exits need and a limit is never broken.

Sans-io: the caller says what time it is (the venue's clock, milliseconds) and what the answers' headers said.
"""

from collections.abc import Mapping
from enum import IntEnum

from robson.domain.errors import OWN_BUDGET, Banned, RateLimited
from robson.venue.binance.endpoints import Endpoint, Limit

MS_PER_MINUTE = 60_000


class Priority(IntEnum):
    """What a request is for; the higher, the more of a budget it may use."""

    BOOKKEEPING = 0
    ENTRY = 1
    HISTORY = 2
    PRICES = 3
    QUERY = 4
    EXIT = 5


# The share of each budget (percent) that requests of a priority may fill, all that was used by others included.
_SHARE_PERCENT = {
    Priority.BOOKKEEPING: 40,
    Priority.ENTRY: 60,
    Priority.HISTORY: 70,
    Priority.PRICES: 78,
    Priority.QUERY: 85,
    Priority.EXIT: 98,
}
# How long prices are not asked for after a firewall has answered: one may guard a stop, and one a second prolongs it.
SHUNNED_PRICES_SECONDS = 15.0


class Budgets:
    """What was used of each budget in the present minute, and until when the venue wants silence."""

    def __init__(self) -> None:
        self._minute = -1
        self._used: dict[str, int] = {}
        self._stops: dict[Priority, tuple[int, RateLimited]] = {}
        self._orders_stop: tuple[int, RateLimited] | None = None

    def spend(self, endpoint: Endpoint, weight: int, priority: Priority, now_ms: int) -> int:
        """Take a call's weight from its budget; gives the minute that it counts to.

        Raises RateLimited (Banned) with the seconds to wait when the call may not be sent now: the venue wanted
        silence, or the priority's share of the budget is used up.
        """
        self._refuse_stopped(self._stops.get(priority), now_ms)
        if endpoint.is_write:
            self._refuse_stopped(self._orders_stop, now_ms)
        minute = self._at(now_ms)
        used = self._used.get(endpoint.bucket, 0)
        share = endpoint.limit.per_minute * _SHARE_PERCENT[priority] // 100
        if used + weight > share:
            raise RateLimited(
                OWN_BUDGET,
                f"{endpoint.bucket} had {used} of {share} weight a minute used, {weight} more was needed",
                retry_after_seconds=((minute + 1) * MS_PER_MINUTE - now_ms) / 1000,
            )
        self._used[endpoint.bucket] = used + weight
        return minute

    def hear(self, endpoint: Endpoint, headers: Mapping[str, str], minute: int, now_ms: int) -> None:
        """Learn from an answer's headers (names in lower case) what the venue counted; `minute` as `spend` gave it."""
        if minute != self._at(now_ms):
            return  # it speaks of a minute that is over
        for limit, bucket in ((Limit.API, "/api"), (endpoint.limit, endpoint.bucket)):
            said = headers.get(limit.header, "")
            if said.isascii() and said.isdecimal():
                # Calls on their way are in our own count only, those of other programs only in the venue's.
                self._used[bucket] = max(self._used.get(bucket, 0), int(said))

    def stop(self, refusal: RateLimited, now_ms: int, *, orders_only: bool = False) -> None:
        """The venue wants silence for as long as the refusal says; `orders_only`: reads are not meant."""
        until = now_ms + int(refusal.retry_after_seconds * 1000)
        if orders_only:
            self._orders_stop = _later(self._orders_stop, (until, refusal))
        else:
            self._stop(refusal, until, Priority.EXIT)

    def shun(self, refusal: RateLimited, now_ms: int) -> None:
        """A firewall answered: only what protects a position goes on, and finds out whether it still answers."""
        self._stop(refusal, now_ms + int(refusal.retry_after_seconds * 1000), Priority.ENTRY)
        soon = min(refusal.retry_after_seconds, SHUNNED_PRICES_SECONDS)
        self._stop(refusal, now_ms + int(soon * 1000), Priority.PRICES)

    def used(self, endpoint: Endpoint, now_ms: int) -> int:
        """The weight used of an endpoint's budget in the present minute."""
        self._at(now_ms)
        return self._used.get(endpoint.bucket, 0)

    def used_by_bucket(self, now_ms: int) -> dict[str, int]:
        """The weight used of every budget in the present minute, as far as anything was."""
        self._at(now_ms)
        return dict(self._used)

    def _stop(self, refusal: RateLimited, until_ms: int, highest: Priority) -> None:
        for priority in Priority:
            if priority <= highest:
                self._stops[priority] = _later(self._stops.get(priority), (until_ms, refusal))

    def _refuse_stopped(self, stop: tuple[int, RateLimited] | None, now_ms: int) -> None:
        if stop is None or now_ms >= stop[0]:
            return
        until_ms, refusal = stop
        kind = Banned if isinstance(refusal, Banned) else RateLimited
        raise kind(refusal.code, refusal.text, retry_after_seconds=(until_ms - now_ms) / 1000)

    def _at(self, now_ms: int) -> int:
        """The present minute by the venue's clock; a new one begins with nothing used."""
        minute = now_ms // MS_PER_MINUTE
        if minute != self._minute:
            self._minute = minute
            self._used.clear()
        return minute


def _later(one: tuple[int, RateLimited] | None, other: tuple[int, RateLimited]) -> tuple[int, RateLimited]:
    return other if one is None or other[0] >= one[0] else one
