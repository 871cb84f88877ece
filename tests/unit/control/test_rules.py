"""What a socket lets its clients do: monitoring only, by uid, for how long in silence, and how often."""

import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from robson.config import Control
from robson.control import rules as rules_module
from robson.control import serve
from robson.control.rules import BURST_SECONDS, Rules, doors_of, uids_of
from robson.domain.errors import ConfigurationError
from robson.protocol.requests import PanicRequest
from robson.protocol.table import COMMANDS
from tests.unit.control.conftest import Client, Served
from tests.unit.control.fake_operations import FakeOperations, StillClock

ME = os.getuid()
NOBODY_ELSE = frozenset({ME})
SOMEBODY_ELSE = frozenset({ME + 1})
ANSWERED = "hello ping schema help version health status show why chart events subscribe"
ARM = '{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}'


class RealTime:
    """The steady clock of this machine, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def real_time(monkeypatch: pytest.MonkeyPatch) -> RealTime:
    moved = RealTime()
    monkeypatch.setattr(rules_module, "monotonic", moved)
    return moved


@asynccontextmanager
async def door(path: Path, rules: Rules) -> AsyncIterator[tuple[Served, Client]]:
    operations = FakeOperations()
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, path, operations, StillClock(), rules)
        served = Served(path, operations)
        try:
            yield served, await served.connect()
        finally:
            await served.aclose()
            nursery.cancel_scope.cancel()


async def test_the_read_only_socket_answers_what_monitoring_needs_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "look.sock"
    async with door(path, Rules(read_only=True)) as (served, client):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert [name for name, command in COMMANDS.items() if command.monitoring] == ANSWERED.split()
        for name, command in COMMANDS.items():
            reply = await client.ask(command.example)
            if command.monitoring:
                assert reply["ok"] or reply["error"]["code"] == "unknown_position", reply
            else:
                assert reply["error"]["code"] == "read_only", reply
                assert name in reply["error"]["message"]
                assert "status" in reply["error"]["hint"]
        assert not any(type(request).__name__ in {"ArmRequest", "PanicRequest"} for request in served.operations.asked)


async def test_the_control_socket_is_not_for_everybody(tmp_path: Path) -> None:
    async with door(tmp_path / "r.sock", Rules()):
        assert stat.S_IMODE((tmp_path / "r.sock").stat().st_mode) == 0o660


@pytest.mark.parametrize(
    ("rules", "arms", "panics"),
    [
        (Rules(), True, True),
        (Rules(arm_uids=NOBODY_ELSE, panic_uids=NOBODY_ELSE), True, True),
        (Rules(arm_uids=SOMEBODY_ELSE), False, True),
        (Rules(panic_uids=SOMEBODY_ELSE), True, False),
        (Rules(arm_uids=SOMEBODY_ELSE, panic_uids=SOMEBODY_ELSE), False, False),
    ],
)
async def test_who_may_arm_and_who_may_panic(tmp_path: Path, rules: Rules, arms: bool, panics: bool) -> None:
    async with door(tmp_path / "r.sock", rules) as (served, client):
        served.operations.let_close_go.set()
        for name, command in COMMANDS.items():
            if name in {"signal", "subscribe"}:
                continue
            reply = await client.ask(command.example)
            allowed = {"arm": arms, "panic": panics, None: True}[command.right]
            refused = not reply["ok"] and reply["error"]["code"] == "not_permitted"
            assert refused is not allowed, reply
            assert (command.right is not None) is command.mutating, name
            if refused:
                assert (str(ME), name) == (
                    reply["error"]["message"].split()[1],
                    reply["error"]["message"].split()[8][:-1],
                )
                assert f"{command.right}_users" in reply["error"]["hint"]
        assert any(isinstance(request, PanicRequest) for request in served.operations.asked) is panics
        assert bool(served.operations.positions) is arms


async def test_a_refusal_for_rights_does_not_spend_the_key(tmp_path: Path) -> None:
    async with door(tmp_path / "r.sock", Rules(arm_uids=SOMEBODY_ELSE)) as (served, client):
        line = ARM.replace("}", ',"idempotency_key":"k"}')
        assert (await client.ask(line))["error"]["code"] == "not_permitted"
        assert served.operations.replies == {}


async def test_a_silent_client_is_told_and_closed(tmp_path: Path, real_time: RealTime, autojump_clock: object) -> None:
    async with door(tmp_path / "r.sock", Rules(idle_seconds=60)) as (served, client):
        follower = await served.connect()
        assert (await follower.ask('{"cmd":"subscribe"}'))["ok"]
        real_time.seconds += 59
        await trio.sleep(200)
        assert (await client.ask('{"cmd":"ping"}'))["ok"]
        await trio.testing.wait_all_tasks_blocked()
        # Bytes that are no request yet do not count.
        real_time.seconds += 59
        await client.stream.send_all(b'{"cmd":')
        real_time.seconds += 1
        error = (await client.reply())["error"]
        assert (error["code"], "60 s" in error["message"]) == ("idle", True)
        assert await client.line() == b""
        await trio.sleep(5)
        served.operations.commit("feed_stale")
        assert (await follower.reply())["seq"] == 1
        assert (await follower.ask('{"cmd":"ping"}'))["ok"]


async def test_a_client_that_waits_for_its_answer_is_not_silent(
    tmp_path: Path, real_time: RealTime, autojump_clock: object
) -> None:
    async with door(tmp_path / "r.sock", Rules(idle_seconds=60)) as (served, client):
        await client.send('{"cmd":"close","position_id":"p"}')
        await served.operations.close_begun.wait()
        real_time.seconds += 3600
        served.operations.let_close_go.set()
        assert (await client.reply())["ok"]
        assert (await client.ask('{"cmd":"ping"}'))["ok"]


async def test_without_a_limit_silence_lasts(tmp_path: Path, real_time: RealTime, autojump_clock: object) -> None:
    async with door(tmp_path / "r.sock", Rules(idle_seconds=0)) as (_, client):
        real_time.seconds += 1e9
        await trio.sleep(80_000)
        assert (await client.ask('{"cmd":"ping"}'))["ok"]


async def test_too_many_requests_are_refused_one_by_one_and_panic_never_is(tmp_path: Path, real_time: RealTime) -> None:
    async with door(tmp_path / "r.sock", Rules(requests_per_second=5)) as (served, client):
        other = await served.connect()
        for _ in range(5 * BURST_SECONDS):
            assert (await client.ask('{"cmd":"ping"}'))["ok"]
        for line in ('{"id":1,"cmd":"ping"}', '{"id":1,"cmd":"subscribe"}', '{"id":1,"cmd":"nonsense"}'):
            reply = await client.ask(line)
            assert (reply["id"], reply["error"]["code"]) == (1, "too_many_requests")
            assert (reply["error"]["retryable"], "5 requests" in reply["error"]["message"]) == (True, True)
        assert (await client.ask('{"cmd":"panic"}'))["ok"]
        assert served.operations.latched
        assert (await other.ask('{"cmd":"ping"}'))["ok"]
        real_time.seconds += 0.41
        answers = [(await client.ask('{"cmd":"ping"}'))["ok"] for _ in range(3)]
        assert answers == [True, True, False]


def test_uids_are_given_by_name_or_number() -> None:
    assert uids_of("arm_users", "") is None
    assert uids_of("arm_users", "root, 1000 1001") == {0, 1000, 1001}
    with pytest.raises(ConfigurationError, match=r"arm_users named 'no-such-user'"):
        uids_of("arm_users", "no-such-user")


def test_the_doors_are_made_of_the_settings(tmp_path: Path) -> None:
    place, look = tmp_path / "r.sock", tmp_path / "look.sock"
    assert doors_of(Control(), place) == [(place, Rules())]
    (_, control), (second, monitoring) = doors_of(
        Control(read_only_socket=str(look), arm_users="0", idle_seconds=5, requests_per_second=7), place
    )
    assert control == Rules(arm_uids=frozenset({0}), idle_seconds=5, requests_per_second=7)
    assert (second, monitoring.read_only, monitoring.idle_seconds) == (look, True, 5)
    for wrong, told in (
        (Control(idle_seconds=-1), "idle_seconds was -1"),
        (Control(requests_per_second=0), "requests_per_second was 0"),
        (Control(read_only_socket=str(place)), "read_only_socket"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            doors_of(wrong, place)


async def test_the_caller_is_who_the_kernel_says(tmp_path: Path) -> None:
    async with door(tmp_path / "r.sock", Rules()) as (served, client):
        await client.ask('{"cmd":"status"}')
        (caller,) = served.operations.callers
        assert (caller.uid, caller.pid) == (ME, os.getpid())
        assert client.stream.socket.family == socket.AF_UNIX
