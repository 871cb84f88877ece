"""One symbol's trades in the order of their ids: what is next, what was seen already, and what is missing."""

from collections.abc import Iterable

from robson.domain.market import Tick

# A burst while a gap is being read; more than these would not fit into the patience for it either.
HELD_MOST = 10_000


class TradeSequence:
    """Gives every trade once, in the order of its id, and holds back what comes after a gap.

    The ids of aggregate trades are consecutive. Two connections may both deliver, each at its own pace: what the one
    left out, the other may bring.
    """

    def __init__(self, held_most: int = HELD_MOST) -> None:
        self.last: int | None = None
        self.duplicates = 0
        self.reordered = 0
        self._held: dict[int, Tick] = {}
        self._lowest = self._highest = 0
        self._held_most = held_most

    def take(self, tick: Tick) -> list[Tick]:
        """Take a trade; gives those that are due now, this one among them or not."""
        trade_id = _id_of(tick)
        if (self.last is not None and trade_id <= self.last) or trade_id in self._held:
            self.duplicates += 1
            return []
        if self._held and trade_id < self._highest:
            self.reordered += 1
        if self.last is None:
            self.last = trade_id - 1
        self._hold(tick)
        return self._due()

    def goes_on(self, tick: Tick) -> bool:
        """Whether a trade is the next one and nothing is held back; then it counts as given."""
        if self._held or self.last is None or tick.trade_id != self.last + 1:
            return False
        self.last += 1
        return True

    def fill(self, ticks: Iterable[Tick]) -> list[Tick]:
        """Take trades that were read elsewhere; gives those that are due now."""
        for tick in ticks:
            if self.last is None or _id_of(tick) > self.last:
                self._hold(tick)
        return self._due()

    @property
    def missing(self) -> range | None:
        """The ids between the last trade that was given and the first one that is held; None without a gap."""
        if not self._held or self.last is None:
            return None
        return range(self.last + 1, self._lowest)

    @property
    def is_full(self) -> bool:
        """Whether no more may be held back."""
        return len(self._held) >= self._held_most

    def give_up(self) -> list[Tick]:
        """Go on behind every gap: gives all that is held, in order."""
        held = [self._held[trade_id] for trade_id in sorted(self._held)]
        self._held.clear()
        if held:
            self.last = _id_of(held[-1])
        return held

    def _hold(self, tick: Tick) -> None:
        trade_id = _id_of(tick)
        self._lowest = min(self._lowest, trade_id) if self._held else trade_id
        self._highest = max(self._highest, trade_id) if self._held else trade_id
        self._held.setdefault(trade_id, tick)

    def _due(self) -> list[Tick]:
        due: list[Tick] = []
        if self.last is None:
            return due
        while (tick := self._held.pop(self.last + 1, None)) is not None:
            due.append(tick)
            self.last += 1
        if due and self._held:
            self._lowest = min(self._held)
        return due


def _id_of(tick: Tick) -> int:
    assert tick.trade_id is not None, tick
    return tick.trade_id
