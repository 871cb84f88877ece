"""One connection by itself: it answers the exchange's pings, and ends when its own are not answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import trio

from robson.feed.binance import connection
from robson.feed.binance.line import Line
from robson.feed.binance.wire import Socket, speak
from tests.unit.emulator.doors import hall

STREAM = "btcusdt@aggTrade"


class Deaf:
    """A peer that confirms a subscription and then says nothing any more, not even to a ping."""

    def __init__(self) -> None:
        self.pinged_at: list[float] = []
        self.answers, self.given = trio.open_memory_channel[str](5)

    async def receive(self) -> list[str]:
        return [await self.given.receive()]

    async def send(self, text: str) -> None:
        await self.answers.send('{"result":null,"id":1}')

    async def ping(self) -> None:
        self.pinged_at.append(trio.current_time())
        await trio.sleep_forever()


async def test_the_exchanges_pings_are_answered(
    tmp_path: Path, autojump_clock: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other end is the emulator, which ends a connection that owes it a pong for a minute."""
    # Only the exchange's pings keep it alive.
    monkeypatch.setattr(connection, "PING_SECONDS", 10 * 3600.0)
    async with hall(tmp_path) as doors, trio.open_nursery() as nursery:

        @asynccontextmanager
        async def connect(url: str) -> AsyncIterator[Socket]:
            async with speak(cast("trio.SocketStream", doors.connect()), "x", url) as socket:
                yield socket

        line = Line("/stream", connect, [STREAM], lambda _frame: False)
        nursery.start_soon(line.run)
        await line.settled.wait()
        assert line.is_ready, line.reason
        await trio.sleep(2 * 3600)
        assert not line.is_over, line.reason
        line.close("enough")


async def test_a_connection_that_answers_no_ping_is_over(autojump_clock: object, nursery: trio.Nursery) -> None:
    peer = Deaf()

    @asynccontextmanager
    async def connect(url: str) -> AsyncIterator[Socket]:
        await trio.lowlevel.checkpoint()
        yield peer

    line = Line("ws://exchange.test/stream", connect, [STREAM], lambda _frame: False)
    nursery.start_soon(line.run)
    await line.settled.wait()
    assert line.is_ready
    with trio.fail_after(connection.PING_SECONDS + connection.PONG_SECONDS + 1):
        await line.succeed.wait()
    assert line.is_over
    assert line.reason == "a ping was not answered within 10 s"
    assert len(peer.pinged_at) == 1
