"""The fan-out with gaps: whatever the stream loses, each watch ends as if it had seen every trade, one by one."""

from datetime import timedelta
from decimal import Decimal

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from robson.domain.market import Tick
from robson.domain.values import Side
from robson.engine.missed import Crossing, Seen
from robson.engine.trailing import Watch
from robson.feed.attachment import Attachment
from robson.feed.fanout import FanOut
from tests.unit.feed.markets import START, HandFeed, tick

prices = st.integers(900, 1100).map(lambda cents: Decimal(cents) / 10)
steps = st.one_of(
    st.tuples(st.sampled_from(["live", "live", "live", "lost", "polled"]), prices),
    st.tuples(st.just("walk"), st.lists(st.integers(-5, 6), min_size=1, max_size=15)),
    st.tuples(st.just("attach"), st.sampled_from(Side), st.integers(5, 90), st.integers(0, 8)),
    st.tuples(st.just("detach"), st.integers(0, 9)),
    st.tuples(st.just("settle")),
)


class Clock:
    def now(self):
        return START + timedelta(seconds=trio.current_time())

    def monotonic(self):
        return trio.current_time()


class Market:
    """A source, its stream through the fan-out, and beside it watches that are told of every trade."""

    def __init__(self) -> None:
        self.feed = HandFeed()
        self.fanout = FanOut(self.feed, Clock(), 3600)
        self.trades: list[Tick] = []
        self.price = Decimal(100)
        self.watches: list[tuple[Watch, Watch, list[Crossing], list[int]]] = []
        self.attached: dict[int, Attachment] = {}
        self.gone: set[int] = set()
        self.is_broken = False

    def trade(self, price: Decimal, *, delivered: bool = True) -> None:
        self.price = price
        one = tick(price, len(self.trades) + 1, len(self.trades) + 1)
        self.trades.append(one)
        self.feed.trades.append(one)
        for number, (_, alone, _, hits) in enumerate(self.watches):
            if number not in self.gone and not hits and alone.observe(price, one.trade_id):
                hits.append(len(self.trades))
        if not delivered:
            self.is_broken = True
            return
        if self.is_broken:
            self.fanout.interrupted("BTCUSDT", "lost")
            self.is_broken = False
        self.fanout.observe(one)

    def poll(self, price: Decimal) -> None:
        for number, (_, alone, _, hits) in enumerate(self.watches):
            if number not in self.gone and not hits and alone.glance(price):
                hits.append(-1)
        self.fanout.observe(tick(price, None, polled=True))

    def attach(self, side: Side, distance: int, back: int) -> None:
        """A position whose fill is learnt `back` trades late."""
        if not self.trades:
            return
        back = min(back, len(self.trades) - 1)
        fill = self.trades[-1 - back]
        away = Decimal(distance) / 10
        stop = fill.price - away * side.sign
        watch, alone = Watch(side, stop, fill.price, away, fill.trade_id), Watch(side, stop, fill.price, away)
        hits: list[int] = []
        for later in self.trades[len(self.trades) - back :]:
            if not hits and alone.observe(later.price, later.trade_id):
                hits.append(later.trade_id or 0)
        told: list[Crossing] = []
        self.watches.append((watch, alone, told, hits))
        seen = Seen(trade_id=fill.trade_id, at=fill.at)
        number = len(self.watches) - 1
        self.attached[number] = self.fanout.attach("BTCUSDT", watch, told.append, seen=seen, owner=str(number))

    def detach(self, which: int) -> None:
        number = which % max(1, len(self.watches))
        if number in self.attached:
            self.attached.pop(number).detach()
            self.gone.add(number)

    def check(self) -> None:
        for number, (watch, alone, told, hits) in enumerate(self.watches):
            if number in self.gone:
                continue
            assert len(told) == len(hits), (number, told, hits)
            if not hits:
                ours = (str(watch.stop), str(watch.extreme), watch.trade_id)
                assert ours == (str(alone.stop), str(alone.extreme), alone.trade_id or watch.trade_id), number


async def play(done) -> None:
    market = Market()
    await market.fanout.subscribe("BTCUSDT")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(market.fanout.make_up)
        for step in done:
            match step:
                case ("walk", changes):
                    for change in changes:
                        market.trade(market.price + Decimal(change) / 10)
                case ("attach", side, distance, back):
                    market.attach(side, distance, back)
                case ("detach", which):
                    market.detach(which)
                case ("settle",):
                    await wait_all_tasks_blocked()
                case ("polled", price):
                    # What has missed prices may stand elsewhere than it would: then the order of the two matters.
                    await trio.sleep(60)
                    if not market.is_broken:
                        market.poll(price)
                case (kind, price):
                    market.trade(price, delivered=kind == "live")
                case _:
                    raise AssertionError(step)
        market.trade(market.price)
        await trio.sleep(60)
        await wait_all_tasks_blocked()
        market.check()
        for number, one in market.attached.items():
            if not market.watches[number][3]:
                assert one.place == "live", number
        nursery.cancel_scope.cancel()


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=25))
def test_whatever_is_lost_each_ends_as_if_it_had_seen_every_trade(done):
    trio.run(play, done, clock=MockClock(autojump_threshold=0))
