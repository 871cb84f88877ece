"""A crowd comes to what each of its watches would come to alone, whatever the prices and whoever comes and goes."""

from decimal import Decimal
from random import Random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from robson.domain.values import Side
from robson.engine.crowd import Crowd
from robson.engine.trailing import Watch

# Few prices, so that they meet: equal extremes, stops that are hit exactly, groups that overtake each other.
prices = st.integers(900, 1100).map(lambda cents: Decimal(cents) / 10)
distances = st.integers(1, 120).map(lambda cents: Decimal(cents) / 10)
# How much tighter than its distance a stop begins; the technical stop may be so, and below zero it is looser.
tighter = st.sampled_from(["0", "0", "0", "0.5", "3", "20", "-0.7"]).map(Decimal)

steps = st.one_of(
    st.tuples(st.just("tick"), prices, st.booleans()),
    st.tuples(st.just("walk"), st.lists(st.integers(-4, 5), min_size=1, max_size=30)),
    st.tuples(st.just("poll"), prices),
    st.tuples(st.just("join"), prices, distances, tighter),
    st.tuples(st.just("join"), prices, distances, tighter),
    st.tuples(st.just("leave"), st.integers(0, 50)),
    st.tuples(st.just("again"), st.integers(0, 50)),
    st.tuples(st.just("tighten"), st.integers(0, 50), distances),
    st.tuples(st.just("read"), st.integers(0, 50)),
    st.tuples(st.just("take")),
)


class Both:
    """A crowd, and beside it watches that observe each on its own."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.crowd = Crowd(is_long=side is Side.LONG)
        self.together: dict[int, Watch] = {}
        self.alone: dict[int, Watch] = {}
        self.moved: set[int] = set()
        self.gone: list[tuple[Watch, Watch]] = []
        self.trade_id = 0
        self.price = Decimal(100)
        self.numbers = 0

    def tick(self, price: Decimal, *, has_id: bool = True) -> None:
        self.price = price
        self.trade_id += 1
        trade_id = self.trade_id if has_id else None
        expected = []
        for number, watch in self.alone.items():
            before = watch.moves
            if watch.observe(price, trade_id):
                expected.append(number)
            elif watch.moves != before:
                self.moved.add(number)
        self._gone([seat.number for seat in self.crowd.observe(price, trade_id)], expected)

    def poll(self, price: Decimal) -> None:
        expected = [number for number, watch in self.alone.items() if watch.glance(price)]
        self._gone([seat.number for seat in self.crowd.glance(price)], expected)

    def _gone(self, hit: list[int], expected: list[int]) -> None:
        assert hit == expected
        if len(hit) > 1:
            event("hit together")
        for number in hit:
            self.moved.discard(number)
            pair = self.together.pop(number), self.alone.pop(number)
            assert pair[0].seat is None
            self.gone.append(pair)

    def join(self, watch: Watch) -> None:
        self.numbers += 1
        self.together[self.numbers], self.alone[self.numbers] = watch, watch.copy()
        self.alone[self.numbers].adopt(watch)
        self.crowd.join(watch, self.numbers)

    def enter(self, price: Decimal, distance: Decimal, by: Decimal) -> None:
        stop = price - (distance - min(by, distance)) * self.side.sign
        self.join(Watch(self.side, stop, price, distance))

    def leave(self, which: int) -> Watch | None:
        if not self.together:
            return None
        number = list(self.together)[which % len(self.together)]
        watch, alone = self.together.pop(number), self.alone.pop(number)
        assert self.crowd.leave(watch) == (number in self.moved)
        assert same(watch, alone)
        self.moved.discard(number)
        return watch

    def tighten(self, which: int, away: Decimal) -> None:
        if not self.together:
            return
        number = list(self.together)[which % len(self.together)]
        watch, alone = self.together[number], self.alone[number]
        stop = self.price - away * self.side.sign
        if (stop - alone.stop) * self.side.sign >= 0:
            watch.tighten(stop)
            alone.tighten(stop)
            # The decision has written it.
            self.moved.discard(number)

    def take(self) -> None:
        assert self.crowd.has_moved or not self.moved
        assert self.crowd.take_moved() == sorted(self.moved)
        assert not self.crowd.has_moved
        self.moved.clear()

    def check(self) -> None:
        for pair in [*zip(self.together.values(), self.alone.values(), strict=True), *self.gone]:
            assert same(*pair)


def same(one: Watch, other: Watch) -> bool:
    """Also by their digits: what is written to the journal must not depend on who observed."""
    ours, theirs = (
        (str(watch.stop), str(watch.extreme), watch.moves, watch.trade_id, watch.distance) for watch in (one, other)
    )
    return ours == theirs


@settings(max_examples=400)
@given(st.sampled_from(Side), st.lists(steps, max_size=60))
def test_together_as_alone(side, done):
    both = Both(side)
    for step in done:
        match step:
            case ("tick", price, has_id):
                both.tick(price, has_id=has_id)
            case ("walk", changes):
                for change in changes:
                    both.tick(both.price + Decimal(change) / 10)
            case ("poll", price):
                both.poll(price)
            case ("join", price, distance, by):
                both.enter(price, distance, by)
            case ("leave", which):
                both.leave(which)
            case ("again", which):
                watch = both.leave(which)
                if watch is not None:
                    both.join(watch)
            case ("tighten", which, away):
                both.tighten(which, away)
            case ("read", which):
                if both.together:
                    assert list(both.together.values())[which % len(both.together)].stop is not None
            case _:
                both.take()
    both.check()
    both.take()


@settings(max_examples=30)
@given(st.sampled_from(Side), st.integers(0, 2**32))
def test_hundreds_come_and_go(side, seed):
    """Long enough that what was left empty is cleared away."""
    both, random = Both(side), Random(seed)
    for _ in range(1_500):
        both.tick(both.price + Decimal(random.randint(-6, 6)) / 10)
        chance = random.random()
        if chance < 0.5:
            by = Decimal(random.choice(["0", "0", "0", "0.4", "2"]))
            both.enter(both.price, Decimal(random.randint(1, 60)) / 10, by)
        elif chance < 0.6:
            both.leave(random.randint(0, 500))
        elif chance < 0.63:
            both.take()
        if random.random() < 0.02:
            both.check()
    both.check()
    both.take()
