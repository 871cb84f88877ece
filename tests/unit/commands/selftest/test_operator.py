"""What the operator of a self-test counts."""

import trio
from trio.testing import MockClock

from robson.commands.selftest.operator import Count


async def test_a_count_is_waited_for_however_it_grows(autojump_clock: MockClock) -> None:
    count = Count()

    async def grow() -> None:
        for _ in range(3):
            await trio.sleep(1)
            count.add()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(grow)
        await count.reach(0)
        assert trio.current_time() == 0
        await count.reach(2)
        assert (count.reached, trio.current_time()) == (2, 2)
        # Told from elsewhere, it may jump.
        count.reached = 9
        await count.reach(9)
