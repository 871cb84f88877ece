"""Request weights as the exchange counts them: one budget for /api, one for each /sapi endpoint, orders apart."""

from enum import Enum

from robson.emulator.refusals import Refused

MINUTE_MS = 60_000
API_WEIGHT_PER_MINUTE = 6_000
SAPI_IP_WEIGHT_PER_MINUTE = 12_000
SAPI_UID_WEIGHT_PER_MINUTE = 180_000
ORDERS_PER_TEN_SECONDS = 10_000
ORDERS_PER_DAY = 200_000
# Who goes on asking after so many refusals within one minute is banned: two minutes, then twice as long, to three days.
REFUSALS_BEFORE_BAN = 10
FIRST_BAN_SECONDS = 120
LONGEST_BAN_SECONDS = 3 * 24 * 3600

_TEN_SECONDS_MS = 10_000
_DAY_MS = 86_400_000


class Scope(Enum):
    """Which budget a request draws on."""

    API = "api"
    SAPI_IP = "ip"
    SAPI_UID = "uid"


_LIMITS = {
    Scope.API: API_WEIGHT_PER_MINUTE,
    Scope.SAPI_IP: SAPI_IP_WEIGHT_PER_MINUTE,
    Scope.SAPI_UID: SAPI_UID_WEIGHT_PER_MINUTE,
}
_HEADERS = {
    Scope.API: ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M"),
    Scope.SAPI_IP: ("X-SAPI-USED-IP-WEIGHT-1M",),
    Scope.SAPI_UID: ("X-SAPI-USED-UID-WEIGHT-1M",),
}


class Counter:
    """How much was used in the present window of fixed length."""

    def __init__(self, length_ms: int) -> None:
        self._length_ms = length_ms
        self._window = -1
        self.used = 0

    def add(self, amount: int, now_ms: int) -> int:
        """Use so much more; gives what was used in this window."""
        window = now_ms // self._length_ms
        if window != self._window:
            self._window, self.used = window, 0
        self.used += amount
        return self.used

    def seconds_left(self, now_ms: int) -> int:
        """Whole seconds until the window ends, at least one."""
        return max(1, -(-(self._length_ms - now_ms % self._length_ms) // 1000))


class Limits:
    """The budgets of the one address and the one account that speak to the emulator."""

    def __init__(self) -> None:
        self._weights: dict[tuple[Scope, str], Counter] = {}
        self._orders = (Counter(_TEN_SECONDS_MS), Counter(_DAY_MS))
        self._refusals = Counter(MINUTE_MS)
        self._banned_until_ms = 0
        self._ban_seconds = FIRST_BAN_SECONDS

    def charge(self, scope: Scope, endpoint: str, weight: int, now_ms: int) -> dict[str, str]:
        """Take a request's weight; gives the headers that tell what was used.

        Refused with 429 and Retry-After above the budget, with 418 while banned. `endpoint` tells the /sapi budgets
        apart; /api has one for all.
        """
        if now_ms < self._banned_until_ms:
            raise self._banned(now_ms)
        key = (scope, "" if scope is Scope.API else endpoint)
        counter = self._weights.setdefault(key, Counter(MINUTE_MS))
        used = counter.add(weight, now_ms)
        headers = dict.fromkeys(_HEADERS[scope], str(used))
        if used > _LIMITS[scope]:
            raise self._limited(scope, counter, headers, now_ms)
        return headers

    def count_order(self, now_ms: int) -> dict[str, str]:
        """Count one order; Refused -1015 above the limit of ten seconds or of the day."""
        ten_seconds, day = (counter.add(1, now_ms) for counter in self._orders)
        headers = {"X-MBX-ORDER-COUNT-10S": str(ten_seconds), "X-MBX-ORDER-COUNT-1D": str(day)}
        rules = ((ten_seconds, ORDERS_PER_TEN_SECONDS, "10 SECOND"), (day, ORDERS_PER_DAY, "1 DAY"))
        for index, (used, limit, interval) in enumerate(rules):
            if used > limit:
                wait = {"Retry-After": str(self._orders[index].seconds_left(now_ms))}
                text = f"Too many new orders; current limit is {limit} orders per {interval}."
                raise Refused(-1015, text, status=429, headers={**headers, **wait})
        return headers

    def orders_used(self, now_ms: int) -> tuple[int, int]:
        """Orders counted in the present ten seconds and on the present day."""
        return self._orders[0].add(0, now_ms), self._orders[1].add(0, now_ms)

    def _limited(self, scope: Scope, counter: Counter, headers: dict[str, str], now_ms: int) -> Refused:
        if self._refusals.add(1, now_ms) > REFUSALS_BEFORE_BAN:
            self._banned_until_ms = now_ms + self._ban_seconds * 1000
            self._ban_seconds = min(2 * self._ban_seconds, LONGEST_BAN_SECONDS)
            return self._banned(now_ms)
        text = (
            f"Too much request weight used; current limit is {_LIMITS[scope]} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        return too_many(text, counter.seconds_left(now_ms), headers)

    def _banned(self, now_ms: int) -> Refused:
        return banned(self._banned_until_ms, now_ms)


def too_many(text: str, retry_after_seconds: int, headers: dict[str, str] | None = None) -> Refused:
    """HTTP 429: not now."""
    return Refused(-1003, text, status=429, headers={**(headers or {}), "Retry-After": str(retry_after_seconds)})


def banned(until_ms: int, now_ms: int) -> Refused:
    """HTTP 418: nothing until then."""
    text = (
        f"Way too much request weight used; IP banned until {until_ms}. Please use WebSocket Streams for live updates."
    )
    seconds = max(1, -(-(until_ms - now_ms) // 1000))
    return Refused(-1003, text, status=418, headers={"Retry-After": str(seconds)})
