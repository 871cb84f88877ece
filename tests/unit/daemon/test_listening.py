"""The whole daemon with the user's own events: they hurry what was lost, and their end changes nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.daemon.listening import RESTART_SECONDS, listen
from robson.feed.binance.user import UserStream
from robson.ports import OrderRequest
from robson.protocol import requests as ask
from tests.rig import NOBODY, Rig
from tests.unit.executor.test_executor import faulty
from tests.unit.feed.binance.test_user import Account, report

SYMBOLS = ("BTCUSDT", "ETHUSDT")


class Noted:
    """Events of nobody: keeps what it was asked for."""

    def __init__(self, failures: int = 0) -> None:
        self.asked: list[str] = []
        self.runs: list[float] = []
        self.failures = failures

    def follow(self, symbol: str) -> None:
        self.asked.append(f"+{symbol}")

    def leave(self, symbol: str) -> None:
        self.asked.append(f"-{symbol}")

    async def run(self) -> None:
        self.runs.append(trio.current_time())
        if len(self.runs) <= self.failures:
            raise KeyError("nobody thought of this")
        await trio.sleep_forever()


class Heard:
    """A daemon whose venue tells of each order by the WebSocket API, as long as that lives."""

    def __init__(self, nursery: trio.Nursery, directory: Path) -> None:
        directory.mkdir()
        self.rig, self.venue = faulty(directory)
        self.account = Account(nursery)
        self.nursery = nursery
        self.stream = UserStream(
            "ws://exchange.test/ws-api/v3",
            self.account,
            self.rig.executor.hint,
            connect=self.account.connect,
            random=lambda: 0.0,
        )
        self.venue.on_place = self._placed

    def _placed(self, request: OrderRequest) -> None:
        self.nursery.start_soon(self._tell, request.client_order_id)

    async def _tell(self, client_order_id: str) -> None:
        await trio.sleep(0.05)
        told = report(client_order_id, len(self.venue.requests))
        for line in self.account.open_lines:
            line.send({"subscriptionId": 0, "event": told})
            line.send(told)

    def trouble(self, kind: str) -> None:
        """What the WebSocket API suffers from now on."""
        match kind:
            case "nothing":
                pass
            case "mute":
                for line in self.account.open_lines:
                    line.is_mute = True
            case "cut":
                self.account.is_closed = True
                for line in self.account.open_lines:
                    line.cut()
            case "token expiry":
                self.account.is_down = True
                for line in self.account.open_lines:
                    self.account.terminate(line, 0)
                    line.is_mute = True
            case _:
                raise AssertionError(kind)

    async def seconds_to_close(self, kind: str) -> float:
        """The time that an exit takes whose reply is lost, while the WebSocket API is in trouble."""
        async with self.rig.running(), trio.open_nursery() as nursery:
            nursery.start_soon(listen, self.rig.supervisor, self.stream)
            position_id = await self.rig.active()
            assert self.stream.listening == {"BTCUSDT"}
            self.trouble(kind)
            await trio.sleep(1)
            self.venue.faults.append("reply_lost")
            began = trio.current_time()
            self.rig.tick("93000")
            await self.rig.until(position_id, "Closed")
            nursery.cancel_scope.cancel()
        return trio.current_time() - began


Hearing = Callable[[str], Heard]


@pytest.fixture
def hearing(nursery: trio.Nursery, tmp_path: Path) -> Hearing:
    return lambda name: Heard(nursery, tmp_path / name)


@pytest.mark.parametrize("kind", ["mute", "cut", "token expiry"])
async def test_a_position_closes_with_the_stream_dead_and_sooner_with_it_alive(
    autojump_clock: MockClock, hearing: Hearing, kind: str
) -> None:
    alive = await hearing("alive").seconds_to_close("nothing")
    dead = await hearing("dead").seconds_to_close(kind)
    assert dead < 5
    assert dead / alive > 2


async def test_each_pair_with_a_position_is_followed_once_and_left_after_the_last(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    rig, events = Rig(tmp_path), Noted()
    async with rig.running(), trio.open_nursery() as nursery:
        nursery.start_soon(listen, rig.supervisor, events)
        first = [await rig.arm(symbol) for symbol in SYMBOLS]
        second = await rig.arm("BTCUSDT")
        await trio.sleep(1)
        assert sorted(events.asked) == ["+BTCUSDT", "+ETHUSDT"]
        for position_id in (*first, second):
            await rig.desk.disarm(ask.DisarmRequest(position_id=position_id), NOBODY, None)
            await trio.sleep(1)
        await rig.arm("SOLUSDT")
        await trio.sleep(1)
        assert sorted(events.asked[2:]) == ["+SOLUSDT", "-BTCUSDT", "-ETHUSDT"]
        nursery.cancel_scope.cancel()


async def test_a_stream_that_fails_is_tried_again_and_nothing_else_notices(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    rig, events = Rig(tmp_path), Noted(failures=2)
    async with rig.running(), trio.open_nursery() as nursery:
        nursery.start_soon(listen, rig.supervisor, events)
        began = trio.current_time()
        position_id = await rig.active()
        await trio.sleep(3 * RESTART_SECONDS)
        assert [round(at - began) for at in events.runs] == [0, RESTART_SECONDS, 2 * RESTART_SECONDS]
        await rig.close(position_id)
        await rig.until(position_id, "Closed")
        nursery.cancel_scope.cancel()
