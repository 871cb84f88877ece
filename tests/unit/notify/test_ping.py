"""The ping: while the daemon is ready and not otherwise, on time whatever the server does, and to nobody else."""

from collections import deque
from typing import Any

import trio
from trio.testing import MockClock

from robson.notify.http import Http
from robson.notify.message import Refused, Unsent
from robson.notify.notifier import Notifier
from robson.notify.ping import Ping
from robson.venue.binance.secret import Secret
from tests.rig import SimulatedClock
from tests.unit.notify.servers import http_server
from tests.unit.notify.test_http import PATIENCE_SECONDS

ADDRESS = "http://127.0.0.1:9/ping/AAsecretsecret"


class Line(Http):
    """Notes when it is asked; its script says what comes of it: an exception to raise, or "hang"."""

    def __init__(self, *script: Any) -> None:
        self.script: deque[Any] = deque(script)
        self.asked: list[float] = []

    async def ask(self, method: str, url: str, **_: Any) -> None:
        await trio.lowlevel.checkpoint()
        assert (method, url) == ("GET", ADDRESS)
        self.asked.append(trio.current_time())
        todo = self.script.popleft() if self.script else None
        if todo == "hang":
            await trio.sleep_forever()
        if isinstance(todo, Exception):
            raise todo


class Health:
    """Whether the daemon is ready."""

    def __init__(self) -> None:
        self.ready: bool | Exception = True

    async def is_ready(self) -> bool:
        await trio.lowlevel.checkpoint()
        if isinstance(self.ready, Exception):
            raise self.ready
        return self.ready


def ping(line: Http, health: Health, address: str = ADDRESS, **given: float) -> Ping:
    times = {"seconds": 60.0, "timeout_seconds": 15.0, **given}
    return Ping(line, Secret(address.encode()), is_ready=health.is_ready, **times)


async def run_for(seconds: float, pinging: Ping) -> None:
    with trio.move_on_after(seconds):
        await pinging.run()


async def test_it_goes_out_once_a_minute(autojump_clock: MockClock) -> None:
    line = Line()
    pinging = ping(line, Health())
    await run_for(300.5, pinging)
    assert line.asked == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]
    assert (pinging.sent, pinging.failed, pinging.withheld, pinging.trouble) == (6, 0, 0, None)


async def test_it_is_withheld_while_the_daemon_is_not_ready_and_goes_on_after(autojump_clock: MockClock) -> None:
    line, health = Line(), Health()
    pinging = ping(line, health)
    health.ready = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pinging.run)
        await trio.sleep(130)
        assert (line.asked, pinging.withheld, pinging.trouble) == ([], 3, "the daemon is not ready")
        health.ready = True
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    assert line.asked == [180.0]
    assert (pinging.sent, pinging.trouble) == (1, None)


async def test_a_server_that_hangs_or_fails_costs_its_own_turn_alone(autojump_clock: MockClock) -> None:
    line = Line("hang", Unsent("HTTP 500"), Refused("HTTP 410"))
    pinging = ping(line, Health())
    await run_for(200, pinging)
    assert line.asked == [0.0, 60.0, 120.0, 180.0]
    assert (pinging.sent, pinging.failed) == (1, 3)


async def test_what_fails_is_told(autojump_clock: MockClock) -> None:
    for script, told in (("hang", "no answer in time"), (Unsent("HTTP 500"), "HTTP 500")):
        pinging = ping(Line(script), Health())
        await run_for(59, pinging)
        assert pinging.trouble == told


async def test_a_server_that_is_slower_than_the_period_is_left_in_time(autojump_clock: MockClock) -> None:
    line = Line("hang", "hang")
    await run_for(25, ping(line, Health(), seconds=10, timeout_seconds=120))
    assert line.asked == [0.0, 10.0, 20.0]


async def test_a_health_that_breaks_ends_nothing(autojump_clock: MockClock) -> None:
    line, health = Line(), Health()
    health.ready = RuntimeError("broken")
    notifier = Notifier([], ping(line, health), trouble=None, clock=SimulatedClock(), mode="paper")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(notifier.run)
        await trio.sleep(12)
        assert line.asked == []
        health.ready = True
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert len(line.asked) == 1


async def test_over_the_wire_it_is_one_get_and_its_address_is_told_to_nobody() -> None:
    async with http_server((500, {}, b"you asked for /ping/AAsecretsecret")) as server:
        pinging = ping(Http(SimulatedClock()), Health(), f"{server.url}/ping/AAsecretsecret")
        with trio.fail_after(PATIENCE_SECONDS):
            await pinging._once()
            assert pinging.failed == 1
            assert pinging.trouble == "HTTP 500: you asked for (hidden)"
            await pinging._once()
    assert [(got.method, got.target, got.body) for got in server.got] == [("GET", "/ping/AAsecretsecret", b"")] * 2
    assert (pinging.sent, pinging.trouble) == (1, None)
