"""With the off-market filter on, a stop that the market has passed is hit within its ticks or its time, gaps or not."""

from decimal import Decimal

import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from robson.domain.market import Tick
from robson.feed.binance.off_market import Doubt
from tests.exchange import Exchange, feed_of
from tests.rig import SimulatedClock

STOP = Decimal(95)
NOW_AND_THEN = 1e-6

# A market that is calm around 100 and then falls for good; each trade comes so long after the one before, or is lost.
# It never comes back by more than the filter's share: then prints would be left out, rightly.
CALM = st.lists(st.tuples(st.sampled_from(["100", "100.2", "99.9"]), st.floats(0, 0.3), st.booleans()), max_size=8)
FALL = st.lists(st.tuples(st.sampled_from(["90", "89.9", "89.5"]), st.floats(0, 0.4), st.booleans()), max_size=25)
DOUBTS = st.builds(
    Doubt, percent=st.sampled_from([Decimal(1), Decimal(4)]), ticks=st.integers(1, 20), seconds=st.floats(0.05, 2.0)
)


class Hit:
    """A market with one long's stop: when a price at or below it is first shown, polled or not."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.ids: list[int] = []

    def observe(self, tick: Tick) -> bool:
        if self.at is None and tick.price <= STOP:
            self.at = trio.current_time()
        if not tick.polled and tick.trade_id is not None:
            self.ids.append(tick.trade_id)
        return False

    def interrupted(self, symbol: str, reason: str) -> None:
        """Not of interest here."""


@given(doubt=DOUBTS, calm=CALM, fall=FALL, rest_answers=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_stop_is_hit_within_the_ticks_or_the_time_of_the_first_print_beyond_it(
    doubt: Doubt, calm: list[tuple[str, float, bool]], fall: list[tuple[str, float, bool]], rest_answers: bool
) -> None:
    came: list[float] = []
    market = Hit()

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            clock = SimulatedClock()
            exchange = Exchange(nursery, clock)
            feed = feed_of(exchange, clock, doubt=doubt, stale_after_seconds=1000.0)
            nursery.start_soon(feed.run, market)
            await feed.subscribe("BTCUSDT")
            await trio.sleep(1)
            exchange.trade("100")
            await trio.sleep(0.1)
            if not rest_answers:
                exchange.status = 503
            for price, pause, is_lost in [*calm, *fall]:
                await trio.sleep(pause)
                exchange.trade(price, streamed=not is_lost)
                if Decimal(price) <= STOP and not is_lost:
                    came.append(trio.current_time())
            await trio.sleep(10)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=MockClock(autojump_threshold=0))
    if not came:
        return
    assert market.at is not None
    by_time = came[0] + doubt.seconds
    by_count = came[doubt.ticks - 1] if len(came) >= doubt.ticks else by_time
    assert market.at <= min(by_time, by_count) + NOW_AND_THEN
    assert market.ids == sorted(set(market.ids))
    if rest_answers:
        assert market.ids == list(range(market.ids[0], market.ids[-1] + 1))
