"""The course of a life: what each state waits for and does, until the position is Closed."""

from collections.abc import Awaitable, Callable
from typing import assert_never

import trio

from robson.daemon.leaving import leave
from robson.daemon.life import Life
from robson.daemon.second_attempt import keep_account_read
from robson.daemon.seeking import seek
from robson.domain.position import Active, Armed, Closed, Entering, Error, Exiting, State

Work = Callable[[Life], Awaitable[object]]


async def run(life: Life) -> None:
    """Live until Closed; `life.alive` says whether somebody would act on a hit."""
    life.alive = True
    life.on_change(life)
    try:
        with life.pulse.running():
            while not isinstance(life.position.state, Closed):
                await _live(life, life.position.state)
    finally:
        life.alive = False
        life.on_change(life)


async def _live(life: Life, state: State) -> None:
    match state:
        case Armed():
            await _until_out_of(life, Armed, seek)
        case Entering():
            await _out_of(life, Entering)
        case Active():
            await _guard(life)
        case Exiting():
            await _until_out_of(life, Exiting, leave)
        case Error():
            await _out_of(life, Error)
        case Closed():
            pass
        case _ as never:
            assert_never(never)


async def _until_out_of(life: Life, state: type[object], work: Work) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, life)
        await _out_of(life, state)
        nursery.cancel_scope.cancel()


async def _out_of(life: Life, state: type[object]) -> None:
    while isinstance(life.position.state, state):
        life.pulse.beat()
        await life.news()


async def _guard(life: Life) -> None:
    """Wait for the hit; only a hit (or the end of Active) wakes this task. What the exit needs to know is kept read."""
    life.watch()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_account_read, life)
        await _until_hit(life)
        nursery.cancel_scope.cancel()


async def _until_hit(life: Life) -> None:
    while isinstance(life.position.state, Active):
        life.pulse.beat()
        hit = life.take_hit()
        if hit is not None:
            life.feel(hit)
            return
        await life.news()
