"""Faults drawn from a seed: how often, which, for which requests, and that the books add up under all of them."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import trio

from robson.emulator.faults import ONLY_ORDERS, ORDER, REPAY, REQUEST_FAULTS, Chance, Fault, Faults
from robson.emulator.refusals import Cut
from tests.unit.emulator.bench import PAIR, opened
from tests.unit.emulator.doors import hall


def test_random_faults_are_the_same_for_the_same_seed() -> None:
    def draw(seed: str) -> list[list[str]]:
        faults = Faults()
        faults.randomise(Chance(seed=seed, probability=0.5))
        return [sorted(faults.plan(ORDER, is_signed=True)) for _ in range(200)]

    drawn = draw("a")
    assert drawn == draw("a")
    assert drawn != draw("b")
    assert 60 < sum(map(len, drawn)) < 140


def test_random_faults_meet_other_signed_requests_more_rarely_and_only_where_they_mean_something() -> None:
    faults = Faults()
    faults.randomise(Chance(seed="s", probability=0.5, others=0.1, lengths={"late_reply": (0.25, 0.75)}))
    drawn: dict[str, list[Fault]] = {}
    for endpoint, is_signed in ((ORDER, True), (REPAY, True), ("GET /sapi/x", True), ("GET /api/v3/time", False)):
        plans = [faults.plan(endpoint, is_signed=is_signed) for _ in range(1000)]
        drawn[endpoint] = [fault for plan in plans for fault in plan.values()]
    assert 400 < len(drawn[ORDER]) < 600
    assert 60 < len(drawn[REPAY]) < 140
    assert 60 < len(drawn["GET /sapi/x"]) < 140
    assert drawn["GET /api/v3/time"] == []
    met = {endpoint: {fault.fault for fault in found} for endpoint, found in drawn.items()}
    assert met[ORDER] == set(REQUEST_FAULTS)
    assert met[REPAY] == set(REQUEST_FAULTS) - ONLY_ORDERS
    assert met["GET /sapi/x"] == set(REQUEST_FAULTS) - ONLY_ORDERS
    late = [fault.length_seconds for fault in drawn[ORDER] if fault.fault == "late_reply"]
    assert 0.25 <= min(late) < max(late) <= 0.75
    assert max(late) - min(late) > 0.2


@pytest.mark.parametrize(
    "chance",
    [
        {"switches": ["cut"]},
        {"lengths": {"nonsense": [1, 2]}},
        {"lengths": {"late": [2, 1]}},
        {"others": 1.5},
        {"switch_seconds": 0},
    ],
)
def test_random_faults_that_cannot_be_drawn_are_refused(chance: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"seed": "s", **chance}, type=Chance)


async def test_random_switches_go_on_and_off_again(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path) as doors:
        faults = doors.bench.exchange.faults
        faults.randomise(Chance(seed="s", switches=("query_lag",), switch_seconds=3, lengths={"query_lag": (1.5, 1.5)}))
        doors.doors.chance_changed()
        on = []
        for _ in range(600):
            await trio.sleep(1)
            fault = faults.switch("query_lag")
            assert fault is None or fault.length_seconds == 1.5
            on.append(fault is not None)
        assert 0 < faults.fired["query_lag"] < 60
        assert sum(on) == pytest.approx(3 * faults.fired["query_lag"], abs=3)
        faults.clear()
        doors.doors.chance_changed()
        await trio.sleep(600)
        assert faults.switch("query_lag") is None


async def test_random_faults_that_were_cleared_do_not_come_any_more(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path, control=True) as doors:
        asked = b'{"seed": "s", "stream_faults": ["mute"], "stream_every_seconds": 5}'
        head = b"POST /control/random HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        assert b" 200 " in await doors.say(head % len(asked) + asked)
        clear = b"DELETE /control/faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert b" 200 " in await doors.say(clear)
        await trio.sleep(600)
        assert doors.bench.exchange.faults.fired == {}


async def test_under_random_faults_the_books_still_add_up(tmp_path: Path, autojump_clock: object) -> None:
    seed = "20261122"
    print("seed", seed)
    outcomes: dict[str, str] = {}
    async with trio.open_nursery() as nursery:
        with opened(tmp_path) as bench:
            bench.exchange.work_in(nursery)
            bench.exchange.faults.randomise(Chance(seed=seed, probability=0.6))
            for number in range(200):
                identity, side = f"n{number}", "BUY" if number % 2 == 0 else "SELL"
                effect = "MARGIN_BUY" if number % 3 == 0 else "AUTO_REPAY"
                try:
                    reply = await bench.order(side, "0.02", effect, newClientOrderId=identity)
                    answered = reply.status == 200
                    outcomes[identity] = reply.json["status"] if answered else str(reply.status)
                except Cut:
                    outcomes[identity] = "cut"
                await trio.sleep(1)
            await trio.sleep(5)
            fired = bench.exchange.faults.fired
            assert set(fired) == set(Chance(seed="").faults), "every fault has come up"
            orders = {order.ticket.client_order_id: order for order in bench.exchange.file.orders(PAIR)}
            assert len(orders) == len(bench.exchange.file.orders(PAIR)), "no request has traded twice"
            for identity, outcome in outcomes.items():
                if outcome in {"FILLED", "EXPIRED"}:
                    assert orders[identity].status.value == outcome
                elif outcome in {"403", "418", "429", "400"}:
                    assert identity not in orders, (identity, outcome)
            moved = borrowed = Decimal(0)
            for execution in bench.exchange.file.executions(PAIR):
                moved += execution.quantity - execution.fee if execution.side.value == "buy" else -execution.quantity
            for loan in bench.exchange.file.loans(PAIR):
                if loan.asset == "BTC":
                    borrowed += loan.principal if loan.kind.value == "BORROW" else -loan.principal - loan.interest
            base = bench.exchange.read(PAIR).account.base
            assert base.total == moved + borrowed
