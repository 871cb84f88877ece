"""What would a trailing stop have done: any number of cases over the same prices, in one pass."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from robson.domain.values import Side, Value
from robson.engine.passage import Stretch, observe_stretch
from robson.engine.trailing import Watch

# Measured with one case and with a hundred: fewer cost the hundred more, more cost the one more.
ROWS_AT_ONCE = 256


class Outcome(Value):
    """What became of a case; prices in quote per base, the last four null when the stop was never hit."""

    id: str | int | None
    initial_stop: Decimal
    exit_row: int | None
    exit_price: Decimal | None
    stop_at_exit: Decimal | None
    extreme: Decimal
    stop_moves: int
    pnl_per_unit: Decimal | None


@dataclass(slots=True)
class Trial:
    """A case on its way through the tape."""

    id: str | int | None
    side: Side
    entry_row: int
    distance: Decimal
    outcome: Outcome | None = None
    watch: Watch | None = None
    entry_price: Decimal = field(default_factory=Decimal)
    initial_stop: Decimal = field(default_factory=Decimal)

    def enter(self, price: Decimal) -> Watch:
        """Enter at a price (quote per base)."""
        self.entry_price = price
        self.initial_stop = price - self.distance * self.side.sign
        self.watch = Watch(self.side, self.initial_stop, price, self.distance)
        return self.watch

    def finish(self, row: int | None, price: Decimal | None) -> Outcome:
        """Leave at a row and its price, or (None) at the end of the tape without a hit."""
        assert self.watch is not None
        pnl = (price - self.entry_price) * self.side.sign if price is not None else None
        self.outcome = Outcome(
            id=self.id,
            initial_stop=self.initial_stop,
            exit_row=row,
            exit_price=price,
            stop_at_exit=self.watch.stop if price is not None else None,
            extreme=self.watch.extreme,
            stop_moves=self.watch.moves,
            pnl_per_unit=pnl,
        )
        return self.outcome


def replay(trials: Sequence[Trial], tape: Iterable[Stretch]) -> int:
    """Take every trial through the tape in one pass; gives the number of rows."""
    waiting = sorted(trials, key=lambda trial: trial.entry_row, reverse=True)
    active: list[tuple[Watch, Trial]] = []
    rows = 0
    for stretch in tape:
        hit = False
        for watch, trial in active:
            place = observe_stretch(watch, stretch)
            if place is not None:
                trial.finish(rows + place, stretch.prices[place])
                hit = True
        if hit:
            active = [one for one in active if one[1].outcome is None]
        after = rows + len(stretch.prices)
        while waiting and waiting[-1].entry_row < after:
            trial = waiting.pop()
            watch = _enter(trial, stretch, rows)
            if trial.outcome is None:
                active.append((watch, trial))
        rows = after
    for _, trial in active:
        trial.finish(None, None)
    return rows


def stretches(tape: Iterable[Sequence[Decimal]]) -> Iterator[Stretch]:
    """Prices in order, cut so that few of the stretches matter to a position, and few positions to a stretch."""
    for prices in tape:
        for begin in range(0, len(prices), ROWS_AT_ONCE):
            yield Stretch.of(prices[begin : begin + ROWS_AT_ONCE])


def _enter(trial: Trial, stretch: Stretch, first_row: int) -> Watch:
    """Enter somewhere in a stretch that begins with this row, and go on to its end."""
    place = trial.entry_row - first_row
    watch = trial.enter(stretch.prices[place])
    after = stretch.prices[place + 1 :]
    later = observe_stretch(watch, stretch._replace(prices=after)) if after else None
    if later is not None:
        trial.finish(trial.entry_row + 1 + later, after[later])
    return watch
