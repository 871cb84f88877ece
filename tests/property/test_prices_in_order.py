"""Trades in the order of their ids, and doubtful prints held back: whatever comes, in whatever order."""

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from robson.domain.market import Tick
from robson.feed.binance.off_market import TRUST_SECONDS, Doubt, PrintFilter
from robson.feed.binance.sequence import TradeSequence
from tests.unit.feed.markets import tick

# Each trade may be lost, or come up to five trades late, or twice.
ARRIVALS = st.lists(st.tuples(st.integers(-1, 5), st.booleans()), min_size=1, max_size=60)


def arrivals(plan: list[tuple[int, bool]]) -> list[Tick]:
    """The trades 1, 2, 3 … in the order in which they come; -1 is lost."""
    queue = []
    for number, (delay, is_doubled) in enumerate(plan, start=1):
        if delay >= 0:
            queue.append((number + delay, number))
            if is_doubled:
                queue.append((number + delay + 3, number))
    return [tick(100, number) for _, number in sorted(queue)]


@given(ARRIVALS)
def test_every_trade_is_given_once_and_in_order_and_a_gap_is_named(plan: list[tuple[int, bool]]) -> None:
    sequence, given_ids = TradeSequence(), []
    came: set[int] = set()
    first: int | None = None
    for one in arrivals(plan):
        assert one.trade_id is not None
        first = one.trade_id if first is None else first
        came.add(one.trade_id)
        given_ids += [due.trade_id for due in sequence.take(one)]
        missing = sequence.missing
        # All that could be given was given, and what is missing has not come.
        assert given_ids == list(range(first, first + len(given_ids)))
        if missing is None:
            assert max(came) == given_ids[-1]
        else:
            assert missing
            assert not came & set(missing)
            assert missing.stop in came
    # Read what is missing: now everything is there.
    while (missing := sequence.missing) is not None:
        given_ids += [due.trade_id for due in sequence.fill(tick(100, number) for number in missing)]
    if first is not None:
        assert given_ids == list(range(first, max(came) + 1))


@given(ARRIVALS)
def test_giving_up_goes_on_behind_the_last_gap(plan: list[tuple[int, bool]]) -> None:
    sequence, given_ids = TradeSequence(), list[int | None]()
    for one in arrivals(plan):
        given_ids += [due.trade_id for due in sequence.take(one)]
    given_ids += [due.trade_id for due in sequence.give_up()]
    assert given_ids == sorted(set(given_ids), key=lambda number: number or 0)
    assert sequence.missing is None
    if given_ids:
        last = given_ids[-1] or 0
        assert [due.trade_id for due in sequence.take(tick(100, last + 1))] == [last + 1]


def test_a_sequence_says_when_no_more_may_be_held() -> None:
    sequence = TradeSequence(held_most=2)
    sequence.take(tick(100, 1))
    sequence.take(tick(100, 3))
    assert not sequence.is_full
    sequence.take(tick(100, 4))
    assert sequence.is_full


# Prices around 100 and around 110 and 90, with the seconds since the one before.
PRINTS = st.lists(
    st.tuples(st.sampled_from(["100", "100.3", "99.8", "110", "110.2", "90"]), st.floats(0, 1.5)), max_size=60
)
DOUBTS = st.builds(
    Doubt, percent=st.just(Decimal(1)), ticks=st.integers(1, 6), seconds=st.floats(0.05, 2.0, allow_nan=False)
)


class Released:
    """A filter with its timer, as the feed uses it: when each print was given."""

    def __init__(self, doubt: Doubt, prints: list[tuple[str, float]]) -> None:
        self.came: dict[int, float] = {}
        self.given: dict[int, tuple[float, int]] = {}
        self.order: list[int] = []
        self.left_out_at: list[float] = []
        self.filter, now = PrintFilter(doubt), 0.0
        for number, (price, pause) in enumerate(prints):
            now += pause
            self._expire(now)
            self.came[number] = now
            before = self.filter.left_out
            self._note(self.filter.take(tick(price, number), now), now, number)
            if self.filter.left_out > before:
                self.left_out_at.append(now)
        self._expire(now + 100)

    def _expire(self, now: float) -> None:
        deadline = self.filter.deadline
        if deadline is not None and deadline <= now:
            self._note(self.filter.expire(deadline), deadline, None)

    def _note(self, ticks: object, now: float, present: int | None) -> None:
        for one in ticks:  # type: ignore[attr-defined]
            self.given[one.trade_id] = (now, present if present is not None else max(self.came))
            self.order.append(one.trade_id)


@given(DOUBTS, PRINTS)
def test_no_print_is_held_back_for_more_than_its_ticks_or_its_time(
    doubt: Doubt, prints: list[tuple[str, float]]
) -> None:
    run = Released(doubt, prints)
    assert run.order == sorted(run.order)
    for number, (at, present) in run.given.items():
        assert at <= run.came[number] + doubt.seconds + 1e-9
        assert present - number < doubt.ticks
    # Left out is only what a print near the old price contradicted in time, and not twice within a minute.
    left_out = sorted(set(run.came) - set(run.given))
    assert len(left_out) == run.filter.left_out
    for number in left_out:
        answer = next(later for later in range(number + 1, len(prints)) if later in run.given)
        assert run.came[answer] <= run.came[number] + doubt.seconds + 1e-9
        assert answer - number < doubt.ticks
    assert all(later >= earlier + TRUST_SECONDS for earlier, later in pairwise(run.left_out_at))


@given(PRINTS)
def test_without_a_doubt_everything_passes_at_once(prints: list[tuple[str, float]]) -> None:
    run = Released(Doubt(), prints)
    assert run.order == list(range(len(prints)))
    assert all(at == run.came[number] for number, (at, _) in run.given.items())


@given(DOUBTS, st.integers(0, 20))
def test_a_market_that_falls_for_good_is_believed(doubt: Doubt, calm: int) -> None:
    run = Released(doubt, [("100", 0.1)] * calm + [("90", 0.01)] * 30)
    assert set(run.given) == set(run.came)
