"""A doubt about single prints far from the market, which is always short: the next prints or the time settle it."""

from collections.abc import Sequence
from decimal import Decimal

from robson.domain.market import Tick
from robson.domain.values import Value

TICKS_MOST = 20
SECONDS_MOST = 2.0
# After a print was left out nothing is doubted for so long: a market that jumps to and fro is believed.
TRUST_SECONDS = 60.0
_PERCENT = Decimal(100)


class Doubt(Value):
    """How far (percent) a print may be from the last one before it is doubted, and how long at most; 0 is never."""

    percent: Decimal = Decimal(0)
    ticks: int = 3
    seconds: float = 0.5


NO_DOUBT = Doubt()


class PrintFilter:
    """Holds a doubtful print back until the next ones agree with it or not.

    The first print near the old price shows that the doubtful ones were off the market: they are left out. Otherwise
    all of them are given, in order, as soon as there are `ticks` of them or `seconds` have passed since the first.
    So nothing is held back longer than that, and within a minute prints are left out once at most.
    """

    def __init__(self, doubt: Doubt) -> None:
        assert 1 <= doubt.ticks <= TICKS_MOST, doubt
        assert 0 < doubt.seconds <= SECONDS_MOST, doubt
        self._doubt = doubt
        self._share = doubt.percent / _PERCENT
        self._believed: Decimal | None = None
        self._held: list[Tick] = []
        self._since = 0.0
        self._trusts_until: float | None = None
        self.left_out = 0

    @property
    def doubts(self) -> bool:
        """Whether it ever holds anything back."""
        return bool(self._share)

    @property
    def deadline(self) -> float | None:
        """When `expire` is due (the steady clock); None while nothing is held back."""
        return self._since + self._doubt.seconds if self._held else None

    def take(self, tick: Tick, now: float) -> Sequence[Tick]:
        """Take a print at a reading of the steady clock; gives what may be observed now, in order."""
        if not self._share:
            return (tick,)
        if not self._is_far(tick.price):
            if self._held:
                self.left_out += len(self._held)
                self._held.clear()
                self._trusts_until = now + TRUST_SECONDS
            self._believed = tick.price
            return (tick,)
        if not self._held and self._trusts_until is not None and now < self._trusts_until:
            self._believed = tick.price
            return (tick,)
        # One that was read later may be older than one that came before it: no print waits longer than its own time.
        self._since = min(now, self._since) if self._held else now
        self._held.append(tick)
        if len(self._held) >= self._doubt.ticks or now >= self._since + self._doubt.seconds:
            return self._believe()
        return ()

    def expire(self, now: float) -> Sequence[Tick]:
        """Give what was held back long enough."""
        deadline = self.deadline
        return self._believe() if deadline is not None and now >= deadline else ()

    def fork(self) -> "PrintFilter":
        """Another filter that stands where this one does."""
        other = PrintFilter(self._doubt)
        other._believed, other._trusts_until = self._believed, self._trusts_until
        other._held, other._since = list(self._held), self._since
        return other

    def _believe(self) -> Sequence[Tick]:
        held, self._held = self._held, []
        self._believed = held[-1].price
        return held

    def _is_far(self, price: Decimal) -> bool:
        if self._believed is None:
            return False
        return abs(price - self._believed) > self._believed * self._share
