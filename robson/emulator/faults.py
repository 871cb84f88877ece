"""Faults that can be switched at run time: which are armed, for which request, how often, and what fired."""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec

ORDER = "POST /sapi/v1/margin/order"
REPAY = "POST /sapi/v1/margin/borrow-repay"

# What each does, as the control endpoint lists it. `times` is how many requests (or frames) it meets, 0: until cleared.
REQUEST_FAULTS = {
    "drop_request": "the connection ends before anything happens",
    "drop_reply": "executed, then the connection ends without an answer",
    "late_reply": "executed, answered after `seconds`",
    "reply_503": "executed, then HTTP 503",
    "reply_1007": "executed, then -1007",
    "late": "the connection ends at once, executed `seconds` later if that is within recvWindow",
    "html_403": "not executed, HTTP 403 with a page",
    "limit_429": "not executed, HTTP 429 with Retry-After `seconds`",
    "ban_418": "not executed, HTTP 418 with Retry-After `seconds`",
    "refuse": "not executed, refused with `code` and `text`",
    "echo": "not executed, refused with words that repeat the whole request, key and signature included",
    "loan_without_order": "the loan is made, the order refused",
    "repay_fails": "the order executes, its repayment silently does not",
    "partial": "only `fraction` of the order executes, the rest expires",
}
SWITCHES = {
    "query_lag": "orders and trades younger than `seconds` are not found",
    "user_mute": "no event of any account is told, while its subscriptions go on",
    "underfunded_fill": "an underfunded market buy executes as far as the money goes instead of being refused",
    "clock_ahead": "its clock is `seconds` ahead",
    "withdrawals": "the API key may withdraw, from any address",
    "pair_disabled": "every isolated account is disabled",
}
STREAM_FAULTS = {
    "mute": "no frame for `seconds`, pings go on (0: until cleared)",
    "gap": "the next `times` trades are left out",
    "duplicate": "the next `times` trades are sent twice",
    "reorder": "the next `times` pairs of trades change places",
    "cut": "every market stream ends at once",
    "shutdown": "serverShutdown is announced, the streams end after `seconds`",
    "user_cut": "every connection to the WebSocket API ends at once",
    "token_expiry": "every listenToken and its subscriptions end at once",
}
ONLY_ORDERS = {"late", "loan_without_order", "repay_fails", "partial"}
LONGEST_SECONDS = 86_400
# How long a random fault of a stream lasts that was given no length.
STREAM_FAULT_SECONDS = 2.0
_SECONDS = {
    "late": 1.0,
    "late_reply": 3.0,
    "limit_429": 2.0,
    "ban_418": 120.0,
    "query_lag": 2.0,
    "clock_ahead": 3.0,
    "shutdown": 5.0,
}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault as it is armed; `endpoint` is method and path, `*` any signed request."""

    fault: str
    times: int = 1
    endpoint: str = ORDER
    seconds: float | None = None
    fraction: str = "0.5"
    code: int = -3045
    text: str = "The system does not have enough asset now."

    def __post_init__(self) -> None:
        if self.fault not in {*REQUEST_FAULTS, *SWITCHES, *STREAM_FAULTS}:
            raise ValueError(f"fault was {self.fault!r}, which does not exist")
        if self.times < 0 or (self.seconds is not None and not 0 <= self.seconds <= LONGEST_SECONDS):
            raise ValueError("times and seconds must not be negative, seconds at most 86400")
        if self.fault in ONLY_ORDERS and self.endpoint != ORDER:
            raise ValueError(f"{self.fault} is about {ORDER} only")
        whole, _, rest = self.fraction.partition(".")
        if whole not in {"0", "1"} or not (rest or "0").isdecimal() or float(self.fraction) > 1:
            raise ValueError(f"fraction was {self.fraction!r}, which must be from 0 to 1")

    @property
    def length_seconds(self) -> float:
        """How long it takes or delays: what was asked for, or its usual length."""
        return _SECONDS.get(self.fault, 0.0) if self.seconds is None else self.seconds


class Chance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Random faults, drawn from a seed.

    A request to one of `endpoints` meets one of `faults` with this `probability`, any other signed one with that of
    `others`. On average every `stream_every_seconds` one of `stream_faults` happens, and every `switch_every_seconds`
    one of `switches` is on for `switch_seconds`. A name that stands there twice comes twice as often. `lengths` are the
    least and the most seconds by fault, for those that are not to have their usual length.
    """

    seed: str
    probability: float = 0.1
    faults: tuple[str, ...] = tuple(REQUEST_FAULTS)
    endpoints: tuple[str, ...] = (ORDER,)
    others: float = 0.0
    stream_faults: tuple[str, ...] = ()
    stream_every_seconds: float = 30.0
    switches: tuple[str, ...] = ()
    switch_every_seconds: float = 30.0
    switch_seconds: float = 5.0
    lengths: dict[str, tuple[float, float]] = {}

    def __post_init__(self) -> None:
        known = {**REQUEST_FAULTS, **STREAM_FAULTS, **SWITCHES}
        unknown = {*self.faults} - {*REQUEST_FAULTS} | ({*self.stream_faults} - {*STREAM_FAULTS})
        unknown |= {*self.switches} - {*SWITCHES} | ({*self.lengths} - {*known})
        if unknown:
            raise ValueError(f"these faults do not exist: {', '.join(sorted(unknown))}")
        if not (0 <= self.probability <= 1 and 0 <= self.others <= 1):
            raise ValueError("probability and others must be from 0 to 1")
        if not (self.stream_every_seconds > 0 and self.switch_every_seconds > 0 and self.switch_seconds > 0):
            raise ValueError("stream_every_seconds, switch_every_seconds and switch_seconds must be above 0")
        for name, (least, most) in self.lengths.items():
            if not 0 <= least <= most <= LONGEST_SECONDS:
                raise ValueError(f"the length of {name} was {least:g} to {most:g} s, must be within 0 to 86400")


Plan = dict[str, Fault]


class Faults:
    """What is armed. Each request asks once for its plan and then looks there only."""

    def __init__(self) -> None:
        self._armed: dict[str, tuple[Fault, int]] = {}
        self._chance: Chance | None = None
        self._random = Random(0)  # noqa: S311  repeatable, not secret
        self.fired: Counter[str] = Counter()

    def arm(self, fault: Fault) -> None:
        """Arm a fault; one of the same name is replaced."""
        self._armed[fault.fault] = (fault, fault.times)

    def randomise(self, chance: Chance | None) -> None:
        """Draw faults from a seed from now on, or (None) no more."""
        self._chance = chance
        self._random = Random(chance.seed if chance is not None else 0)  # noqa: S311  repeatable, not secret

    def clear(self, name: str | None = None) -> None:
        """Disarm one fault, or all of them and the random ones."""
        if name is not None:
            self._armed.pop(name, None)
            return
        self._armed.clear()
        self._chance = None

    def plan(self, endpoint: str, *, is_signed: bool) -> Plan:
        """The faults that this request meets; they are used up by that."""
        plan: Plan = {}
        for name in list(self._armed):
            fault, _ = self._armed[name]
            if name in REQUEST_FAULTS and (fault.endpoint == endpoint or (fault.endpoint == "*" and is_signed)):
                plan[name] = fault
                self._use(name)
        drawn = self._draw(endpoint, is_signed=is_signed)
        if drawn is not None:
            plan[drawn.fault] = drawn
        return plan

    def switch(self, name: str) -> Fault | None:
        """A fault that is simply on, until it is cleared."""
        armed = self._armed.get(name)
        return armed[0] if armed is not None else None

    def take(self, name: str) -> Fault | None:
        """Use up one of a stream's fault, if it is armed."""
        armed = self._armed.get(name)
        if armed is None:
            return None
        self._use(name)
        return armed[0]

    def draw_stream_fault(self) -> tuple[float, Fault] | None:
        """Seconds until the next random fault of a stream, and which; None where none is to come."""
        chance = self._chance
        if chance is None or not chance.stream_faults:
            return None
        wait = self._random.expovariate(1 / chance.stream_every_seconds)
        name = self._random.choice(chance.stream_faults)
        return wait, Fault(fault=name, seconds=self._length(name, usual=STREAM_FAULT_SECONDS))

    def draw_switch(self) -> tuple[float, Fault, float] | None:
        """Seconds until the next random switch is on, which, and for how long; None where none is to come."""
        chance = self._chance
        if chance is None or not chance.switches:
            return None
        wait = self._random.expovariate(1 / chance.switch_every_seconds)
        name = self._random.choice(chance.switches)
        return wait, Fault(fault=name, times=0, seconds=self._length(name)), chance.switch_seconds

    def describe(self) -> dict[str, object]:
        """What is armed and what has fired, for the control endpoint."""
        armed: Sequence[object] = [
            {**msgspec.to_builtins(fault), "left": left if fault.times else None}
            for fault, left in self._armed.values()
        ]
        random = msgspec.to_builtins(self._chance) if self._chance is not None else None
        known = {**REQUEST_FAULTS, **SWITCHES, **STREAM_FAULTS}
        return {"armed": armed, "random": random, "fired": dict(self.fired), "known": known}

    def _draw(self, endpoint: str, *, is_signed: bool) -> Fault | None:
        """The random fault of a request, if it meets one."""
        chance = self._chance
        if chance is None:
            return None
        probability = chance.probability if endpoint in chance.endpoints else chance.others if is_signed else 0.0
        if not probability or self._random.random() >= probability:
            return None
        choices = [name for name in chance.faults if _can_meet(name, endpoint)]
        if not choices:
            return None
        name = self._random.choice(choices)
        self.fired[name] += 1
        fraction = f"0.{self._random.randrange(10)}"
        return Fault(fault=name, endpoint=endpoint, fraction=fraction, seconds=self._length(name))

    def _length(self, name: str, *, usual: float | None = None) -> float | None:
        lengths = self._chance.lengths if self._chance is not None else {}
        return self._random.uniform(*lengths[name]) if name in lengths else usual

    def _use(self, name: str) -> None:
        fault, left = self._armed[name]
        self.fired[name] += 1
        if fault.times == 0:
            return
        if left <= 1:
            del self._armed[name]
        else:
            self._armed[name] = (fault, left - 1)


def _can_meet(name: str, endpoint: str) -> bool:
    """Whether a fault means anything to requests of an endpoint."""
    return endpoint == ORDER or name not in ONLY_ORDERS
