"""The shipped strategies on a written market and a virtual clock."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest
import trio
import trio.testing

from robson.detectors.registry import Registry
from robson.detectors.sma_cross import crossed, fast_is_above
from robson.domain.errors import RuleError
from robson.domain.market import Candle
from robson.domain.values import Side
from robson.ports.detector import DetectedSignal
from tests.unit.detectors.market import WrittenMarket, candle, candles_closing, flat_history

LONG, SHORT = Side.LONG, Side.SHORT
REGISTRY = Registry()


class Watch:
    """A detector at work, and what came of it."""

    def __init__(self, market: WrittenMarket, strategy: str, params: Mapping[str, str]) -> None:
        self._market = market
        self._detector = REGISTRY.create(strategy, params)
        self._outcome: DetectedSignal | RuleError | None = None

    async def run(self) -> None:
        """Detect once."""
        try:
            self._outcome = await self._detector.detect(self._market)
        except RuleError as error:
            self._outcome = error

    def waits(self) -> bool:
        """Whether nothing has come of it yet."""
        return self._outcome is None

    def fired(self) -> DetectedSignal:
        """The signal; fails when there is none."""
        assert isinstance(self._outcome, DetectedSignal), self._outcome
        return self._outcome

    def refused(self) -> RuleError:
        """The refusal; fails when there is none."""
        assert isinstance(self._outcome, RuleError), self._outcome
        return self._outcome


async def watch(nursery: trio.Nursery, market: WrittenMarket, strategy: str, **params: object) -> Watch:
    """Start a detector and let it come to rest."""
    started = Watch(market, strategy, {name: str(text) for name, text in params.items()})
    nursery.start_soon(started.run)
    await trio.testing.wait_all_tasks_blocked()
    return started


@pytest.mark.parametrize("strategy", ["delay", "test"])
async def test_delay_fires_after_its_seconds(autojump_clock: trio.testing.MockClock, strategy: str) -> None:
    market = WrittenMarket(LONG, price=1000, history=flat_history())
    started = trio.current_time()
    signal = await REGISTRY.create(strategy, {"seconds": "7.5"}).detect(market)
    assert trio.current_time() - started == pytest.approx(7.5)
    assert (signal.entry_price, signal.technical_stop) == (Decimal(1000), Decimal(985))
    assert signal.evidence["trigger"] == {"strategy": "delay", "seconds": "7.5"}
    assert signal.evidence["technical_stop"]["method"] == "true_range"


async def test_delay_takes_the_price_of_its_end_and_waits_for_a_fresh_one(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    market = WrittenMarket(SHORT, history=flat_history())
    started = await watch(nursery, market, "delay", seconds=3600)
    await trio.sleep(7200)
    assert started.waits()
    assert market.asked == [], "no history is fetched while the feed is silent"
    market.show(1010)
    await trio.testing.wait_all_tasks_blocked()
    signal = started.fired()
    assert (signal.entry_price, signal.technical_stop) == (Decimal(1010), Decimal(1025))


async def test_immediate_fires_at_the_first_fresh_price(nursery: trio.Nursery) -> None:
    market = WrittenMarket(LONG, history=flat_history())
    started = await watch(nursery, market, "immediate")
    assert started.waits()
    assert market.asked == [], "no history is fetched while the feed is silent"
    market.show(1000)
    await trio.testing.wait_all_tasks_blocked()
    signal = started.fired()
    assert signal.technical_stop == 985
    assert market.asked == [(900, 100)]


async def test_the_price_is_read_after_the_candles_which_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    market = WrittenMarket(LONG, price=1000, history=flat_history())
    fetch = market.closed_candles

    async def fetch_slowly(interval_seconds: int, count: int) -> Sequence[Candle]:
        market.show(1001)
        return await fetch(interval_seconds, count)

    monkeypatch.setattr(market, "closed_candles", fetch_slowly)
    signal = await REGISTRY.create("immediate", {}).detect(market)
    assert (signal.entry_price, signal.technical_stop) == (Decimal(1001), Decimal(986))


@pytest.mark.parametrize(("side", "stop"), [(LONG, 995), (SHORT, 1005)])
async def test_a_fixed_percentage_needs_no_history(side: Side, stop: int) -> None:
    market = WrittenMarket(side, price=1000)
    signal = await REGISTRY.create("immediate", {"stop_percent": "0.5"}).detect(market)
    assert signal.technical_stop == stop
    assert signal.evidence["technical_stop"]["method"] == "percent"
    assert market.asked == []


async def test_the_stop_parameters_reach_the_search() -> None:
    lows = [low for depth in (990, 980, 970) for low in (2000, 2000, depth)] + [2000, 2000]
    history = [candle(index, low, low + 1) for index, low in enumerate(lows)]
    market = WrittenMarket(LONG, price=1000, history=history)
    signal = await REGISTRY.create("immediate", {"level": "3"}).detect(market)
    assert signal.technical_stop == 970
    signal = await REGISTRY.create("immediate", {"level": "1", "tolerance_percent": "1"}).detect(market)
    assert signal.technical_stop == 980


async def test_without_a_stop_the_detector_refuses(nursery: trio.Nursery) -> None:
    started = await watch(nursery, WrittenMarket(LONG, price=1000, history=flat_history(3)), "immediate")
    assert started.refused().code == "no_technical_stop"


async def test_signal_never_fires_by_itself(autojump_clock: trio.testing.MockClock) -> None:
    market = WrittenMarket(LONG, price=1000, history=flat_history())
    with trio.move_on_after(10_000_000) as scope:
        await REGISTRY.create("signal", {}).detect(market)
    assert scope.cancelled_caught


# Three falling closes, then a rising one: fast 1 of slow 2 comes above on the last.
FALLING = [1003, 1002, 1001]


@pytest.mark.parametrize(
    ("side", "closes", "fires"),
    [
        (LONG, [3, 2, 1, 4], True),
        (LONG, [1, 2, 3, 4], False),
        (LONG, [2, 2, 2, 3], True),
        (LONG, [3, 2, 1, 1], False),
        (SHORT, [1, 2, 3, 1], True),
        (SHORT, [3, 2, 1, 0], False),
        (SHORT, [1, 2, 3, 3], True),
        (SHORT, [2, 2, 2, 1], False),
        (LONG, [1, 4], False),
        (SHORT, [3, 1], False),
    ],
)
def test_a_cross_is_a_change_and_equal_counts_as_not_above(side: Side, closes: Sequence[int], fires: bool) -> None:
    assert crossed(side, [Decimal(close) for close in closes], 1, 2) is fires


def test_averages_are_compared_without_rounding() -> None:
    # One third against one third: equal, unless somebody divides.
    thirds = [Decimal(1), Decimal(0), Decimal(0)]
    assert not fast_is_above([*thirds, *thirds], 3, 6)
    assert fast_is_above([*thirds, Decimal("1.00000000000000000001"), Decimal(0), Decimal(0)], 3, 6)


async def test_sma_cross_fires_on_the_candle_that_closes_after_arming(nursery: trio.Nursery) -> None:
    market = WrittenMarket(LONG, history=candles_closing([*range(1040, 1010, -1)]))
    started = await watch(nursery, market, "sma_cross")
    assert market.asked == [(900, 0), (900, 22)], "it follows before it looks back"
    await market.close_candle(*candles_closing([1010], first=30))
    assert started.waits()
    await market.close_candle(*candles_closing([1200], first=31))
    signal = started.fired()
    assert signal.entry_price == 1200
    assert signal.evidence["trigger"] == {
        "strategy": "sma_cross",
        "fast": 9,
        "slow": 21,
        "interval_seconds": 900,
        "candle_opened_at": "2024-01-01T07:45:00+00:00",
        "close": "1200",
    }
    assert market.unfollowed


async def test_a_cross_before_arming_is_history(nursery: trio.Nursery) -> None:
    market = WrittenMarket(LONG, history=candles_closing([*FALLING, 1010]))
    started = await watch(nursery, market, "sma_cross", fast=1, slow=2)
    await market.close_candle(*candles_closing([1020], first=4))
    assert started.waits()


async def test_a_short_enters_when_the_fast_average_is_no_longer_above(nursery: trio.Nursery) -> None:
    market = WrittenMarket(SHORT, history=candles_closing([1000] * 17 + [1001, 1002, 1003]))
    started = await watch(nursery, market, "sma_cross", fast=1, slow=2)
    await market.close_candle(*candles_closing([1004], first=20))
    assert started.waits()
    await market.close_candle(*candles_closing([1003], first=21))
    signal = started.fired()
    assert signal.technical_stop is not None
    assert signal.technical_stop > signal.entry_price == 1003


async def test_without_history_it_waits_for_slow_and_one_closes(nursery: trio.Nursery) -> None:
    market = WrittenMarket(LONG)
    started = await watch(nursery, market, "sma_cross", fast=2, slow=3, interval_minutes=1)
    for index, close in enumerate([1003, 1002, 1001]):
        await market.close_candle(*candles_closing([close], first=index, seconds=60), recorded=False)
    assert started.waits()
    await market.close_candle(*candles_closing([1050], first=3, seconds=60), recorded=False)
    assert started.refused().code == "no_technical_stop", (
        "the cross was seen, but there is no 15-minute history for a stop"
    )


async def test_a_candle_that_is_in_history_and_in_the_news_is_new_and_counted_once(nursery: trio.Nursery) -> None:
    market = WrittenMarket(LONG, price=1010, history=candles_closing([*[1000] * 17, *FALLING, 1010]))
    market.announce(market.history[-1])
    started = await watch(nursery, market, "sma_cross", fast=1, slow=2)
    assert started.fired().entry_price == 1010


async def test_a_hole_in_the_news_is_filled_from_history(nursery: trio.Nursery) -> None:
    market = WrittenMarket(LONG, history=candles_closing([1000] * 17 + FALLING))
    started = await watch(nursery, market, "sma_cross", fast=1, slow=2)
    market.history += candles_closing([1010, 1020], first=20)
    await market.close_candle(*candles_closing([1030], first=22))
    assert started.waits(), "the cross fell into the hole: the last candle did not cross"
    assert len(market.asked) == 3
    await market.close_candle(*candles_closing([1015], first=23))
    await market.close_candle(*candles_closing([1040], first=24))
    assert started.fired().entry_price == 1040
    assert len(market.asked) == 4, "only the technical stop asked again"


@pytest.mark.parametrize("strategy", ["sma_cross", "breakout"])
async def test_at_the_end_of_the_tape_it_goes_on_waiting(nursery: trio.Nursery, strategy: str) -> None:
    market = WrittenMarket(LONG, history=candles_closing([1000] * 30))
    started = await watch(nursery, market, strategy)
    await market.end()
    assert started.waits()
    assert market.unfollowed


def resting(count: int) -> list[Candle]:
    """Candles between 990 and 1010."""
    return [candle(index, 990, 1010, 1000) for index in range(count)]


@pytest.mark.parametrize(
    ("side", "on_it", "beyond", "stop_is_beyond"), [(LONG, "1010", "1010.01", False), (SHORT, "990", "989.99", True)]
)
async def test_breakout_fires_on_a_close_beyond_the_extreme(
    nursery: trio.Nursery, side: Side, on_it: str, beyond: str, stop_is_beyond: bool
) -> None:
    market = WrittenMarket(side, history=resting(20))
    started = await watch(nursery, market, "breakout")
    assert market.asked == [(900, 0), (900, 21)], "it follows before it looks back"
    await market.close_candle(candle(20, 990, 1010, on_it))
    assert started.waits()
    await market.close_candle(candle(21, 980, 1020, beyond))
    signal = started.fired()
    assert signal.entry_price == Decimal(beyond)
    assert signal.technical_stop is not None
    assert (signal.technical_stop > signal.entry_price) is stop_is_beyond
    assert signal.evidence["trigger"]["extreme"] == on_it


async def test_breakout_looks_only_at_its_n_candles_and_needs_them_all(nursery: trio.Nursery) -> None:
    market = WrittenMarket(LONG, history=[candle(0, 900, 1500), *resting(3)[1:]])
    started = await watch(nursery, market, "breakout", n=2)
    await market.close_candle(candle(3, 990, 1020, 1015))
    assert not started.waits(), "the high of 1500 is three candles back"
    short_history = WrittenMarket(LONG, history=resting(2))
    waiting = await watch(nursery, short_history, "breakout", n=3)
    await short_history.close_candle(candle(2, 990, 1020, 1015))
    assert waiting.waits()


def test_fast_must_be_less_than_slow() -> None:
    with pytest.raises(RuleError) as refused:
        REGISTRY.validate("sma_cross", {"fast": "21"})
    assert refused.value.code == "bad_parameter"
    assert refused.value.message == "fast of strategy sma_cross was 21, which must be less than slow, which was 21"
