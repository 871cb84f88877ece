"""Short scripted lives, each with a moment at which a crash would hurt."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal

import trio

from robson.domain.errors import RuleError
from robson.domain.values import Side
from tests.rig import Rig

Script = Callable[[Rig, Callable[[bool], None]], Awaitable[None]]


async def long_and_short(rig: Rig, _disk: Callable[[bool], None]) -> None:
    """A long that trails out, and a short that is closed by panic."""
    rig.tick("95000")
    long = await rig.arm()
    rig.tick("95000")
    await rig.signal(long, "95000", "93500")
    short = await rig.arm("ETHUSDT", Side.SHORT)
    rig.tick("3300", "ETHUSDT")
    await rig.signal(short, "3300", "3333")
    for price in ("95200", "96000", "96500", "96100"):
        await trio.sleep(0.4)
        rig.tick(price)
        rig.tick(str(3300 - (Decimal(price) - 95000) / 100), "ETHUSDT")
    await trio.sleep(20)
    rig.tick("96300")
    rig.tick("94900")
    await trio.sleep(3)
    await rig.panic()


async def shared_longs(rig: Rig, _disk: Callable[[bool], None]) -> None:
    """Two longs on one pair: one is closed while the other trails out."""
    first, second = await rig.arm(), await rig.arm()
    rig.tick("95000")
    await rig.signal(first, "95000", "93500")
    rig.tick("95100")
    await rig.signal(second, "95100", "94100")
    await trio.sleep(1)
    rig.tick("95600")
    await trio.sleep(0.5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_close, rig, first)
        await trio.sleep(0.02)
        rig.tick("94500")
    await trio.sleep(15)


async def shared_shorts(rig: Rig, _disk: Callable[[bool], None]) -> None:
    """Two shorts on one pair, both stopped out by one price."""
    first, second = await rig.arm(side=Side.SHORT), await rig.arm(side=Side.SHORT)
    rig.tick("95000")
    await rig.signal(first, "95000", "95500")
    rig.tick("95000")
    await rig.signal(second, "95000", "95500")
    await trio.sleep(1)
    rig.tick("95700")
    await trio.sleep(25)


async def panic_while_entering(rig: Rig, _disk: Callable[[bool], None]) -> None:
    """Panic while an entry is on its way, another position is Armed and a third one leaves."""
    leaving, entering, _armed = await rig.arm(), await rig.arm("ETHUSDT", Side.SHORT), await rig.arm("ETHUSDT")
    rig.tick("95000")
    rig.tick("3300", "ETHUSDT")
    await rig.signal(leaving, "95000", "93500")
    await trio.sleep(0.5)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_close, rig, leaving)
        rig.tick("3300", "ETHUSDT")
        nursery.start_soon(_signal, rig, entering, "3300", "3333")
        await trio.sleep(0.15)
        await rig.panic()


async def full_disk(rig: Rig, disk: Callable[[bool], None]) -> None:
    """The disk fills up while a position is entering, and is emptied before it leaves."""
    long = await rig.arm()
    rig.tick("95000")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_signal, rig, long, "95000", "93500")
        await trio.sleep(0.25)
        disk(False)
        await trio.sleep(1)
        rig.tick("95500")
        await trio.sleep(1)
        disk(True)
    await trio.sleep(2)
    rig.tick("96000")
    await trio.sleep(1)
    await _close(rig, long)


async def _close(rig: Rig, position_id: str) -> None:
    with suppress(RuleError):
        await rig.close(position_id)


async def _signal(rig: Rig, position_id: str, entry: str, stop: str) -> None:
    with suppress(RuleError):
        await rig.signal(position_id, entry, stop)
