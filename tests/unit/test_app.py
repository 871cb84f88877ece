"""The composition root's own tasks."""

from collections.abc import Sequence

import trio
from trio.testing import MockClock

from robson.app import FEED_RESTART_SECONDS, _deliver
from tests.rig import ScriptedFeed
from tests.unit.feed.markets import Recorder


class Fragile(ScriptedFeed):
    """Fails once, then delivers nothing for good."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[float] = []

    async def run(self, market: object) -> None:
        self.runs.append(trio.current_time())
        if len(self.runs) == 1:
            raise KeyError("price")
        await trio.sleep_forever()


async def test_a_feed_that_fails_interrupts_every_symbol_and_runs_again(autojump_clock: MockClock) -> None:
    feed, market = Fragile(), Recorder()

    def symbols() -> Sequence[str]:
        return ["BTCUSDT", "ETHUSDT"]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_deliver, feed, market, symbols)
        await trio.sleep(FEED_RESTART_SECONDS + 1)
        nursery.cancel_scope.cancel()
    assert market.interruptions == [("BTCUSDT", "the feed has failed"), ("ETHUSDT", "the feed has failed")]
    assert [later - feed.runs[0] for later in feed.runs] == [0, FEED_RESTART_SECONDS]
