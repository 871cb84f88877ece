"""The window of closed candles keeps up, fills holes, and forgets nothing that only it knows."""

from robson.detectors.window import CandleWindow
from robson.domain.values import Side
from tests.unit.detectors.market import WrittenMarket, candles_closing


async def closes_after(window: CandleWindow, close: int, *, at: int) -> list[int]:
    """The closes of the window after a candle."""
    (candle,) = candles_closing([close], first=at)
    return [int(one.close) for one in await window.extend(candle)]


async def test_it_is_as_long_as_asked_for() -> None:
    market = WrittenMarket(Side.LONG, history=candles_closing([1, 2, 3, 4]))
    window = CandleWindow(market, 900, 3)
    await window.load()
    assert await closes_after(window, 5, at=4) == [3, 4, 5]
    assert await closes_after(window, 6, at=5) == [4, 5, 6]
    assert market.asked == [(900, 3)]


async def test_a_hole_that_the_source_cannot_fill_loses_nothing() -> None:
    market = WrittenMarket(Side.LONG)
    window = CandleWindow(market, 900, 4)
    assert await closes_after(window, 1, at=0) == [1]
    assert await closes_after(window, 2, at=1) == [1, 2]
    assert await closes_after(window, 5, at=4) == [1, 2, 5]
    assert len(market.asked) == 2, "one look for the first candle and one for the hole"


async def test_what_the_source_knows_replaces_what_was_heard() -> None:
    market = WrittenMarket(Side.LONG)
    window = CandleWindow(market, 900, 4)
    assert await closes_after(window, 1, at=0) == [1]
    market.history = candles_closing([10, 20, 30])
    assert await closes_after(window, 40, at=3) == [10, 20, 30, 40]


async def test_history_that_runs_ahead_of_the_news_waits_for_it() -> None:
    market = WrittenMarket(Side.LONG, history=candles_closing([1, 2, 3, 4, 5]))
    window = CandleWindow(market, 900, 5)
    await window.load()
    assert await closes_after(window, 4, at=3) == [1, 2, 3, 4]
    assert await closes_after(window, 5, at=4) == [1, 2, 3, 4, 5]
    assert len(market.asked) == 1
