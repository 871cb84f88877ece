"""One client after another, and what each may do to the others: nothing."""

import os
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import structlog
import trio
import trio.testing
from structlog.testing import capture_logs

from robson.control import commands, connection
from robson.control.lines import LINE_BYTES_MAX
from robson.control.server import CLIENTS_MAX
from robson.domain.errors import (
    Banned,
    Fatal,
    InDoubt,
    JournalUnusable,
    JournalUnwritable,
    RateLimited,
    Rejected,
    RuleError,
    Unreachable,
)
from tests.unit.control.conftest import Client, Served

ARM = '{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}'


async def test_every_query_is_answered(client: Client) -> None:
    asked = {
        "hello": {"protocol": 1, "version": "0", "mode": "paper", "state": "live", "paused": False},
        "ping": {"at": "2026-11-22T12:00:00Z"},
        "health": {"live": True, "ready": True, "checks": {"feed": {"ok": True, "detail": "0.2 s"}}},
        "resume": {"panic_latched": False},
        "panic": {"latched": True, "positions": []},
    }
    for cmd, result in asked.items():
        assert await client.ask(f'{{"id":"{cmd}","cmd":"{cmd}"}}') == {"id": cmd, "ok": True, "result": result}


async def test_help_and_schema_come_from_the_table(client: Client) -> None:
    commands = (await client.ask('{"cmd":"help"}'))["result"]["commands"]
    schema = (await client.ask('{"cmd":"schema"}'))["result"]
    assert {row["cmd"] for row in commands} == set(schema["discriminator"]["mapping"])
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


async def test_decimals_have_no_exponent_and_times_are_utc(client: Client) -> None:
    await client.ask(ARM)
    line = '{"cmd":"plan","symbol":"btcusdt","side":"long","entry_price":"95000","stop_price":"93500"}'
    plan = (await client.ask(line))["result"]
    assert (plan["fees_estimate"], plan["stop_distance"], plan["cut_by"]) == ("0.00000001", "1500", None)
    (position,) = (await client.ask('{"cmd":"status"}'))["result"]["positions"]
    assert position["capital"] == "10000"
    assert position["armed_at"] == "2026-11-22T12:00:00Z"
    assert position["closed_at"] is None


async def test_pipelined_requests_are_answered_in_order_with_their_ids(client: Client) -> None:
    await client.send('{"id":1,"cmd":"ping"}', "", "  \r", '{"id":"two","cmd":"nope"}', "[]", '{"id":-3,"cmd":"ping"}')
    replies = [await client.reply() for _ in range(4)]
    assert [(reply["id"], reply["ok"]) for reply in replies] == [(1, True), ("two", False), (None, False), (-3, True)]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\xff\xfe", "not_utf8"),
        (b"{", "bad_json"),
        (b'{"cmd":"ping"} {"cmd":"ping"}', "bad_json"),
        (b"NaN", "bad_json"),
        (b"[1,2]", "bad_request"),
        (b"7", "bad_request"),
        (b"null", "bad_request"),
        (b"[" * 60_000, "too_deep"),
        (b'{"a":' * 10_000, "too_deep"),
        (b'{"cmd":"ping","cmd":"panic"}', "duplicate_key"),
        (b'{"cmd":"stauts"}', "unknown_command"),
    ],
)
async def test_malformed_lines_are_answered_and_the_connection_kept(client: Client, line: bytes, code: str) -> None:
    assert (await client.ask(line))["error"]["code"] == code
    assert (await client.ask('{"cmd":"ping"}'))["ok"]


async def test_a_line_of_64_kib_is_answered_and_a_longer_one_ends_the_connection(
    served: Served, client: Client
) -> None:
    longest = b'{"id":1,"cmd":"ping"}'.ljust(LINE_BYTES_MAX)
    assert (await client.ask(longest))["ok"]
    await client.send(longest + b" ")
    reply = await client.reply()
    assert (reply["id"], reply["error"]["code"]) == (None, "line_too_long")
    await client.stream.send_eof()
    assert await client.line() == b""
    assert (await (await served.connect()).ask('{"cmd":"ping"}'))["ok"]


async def test_a_client_that_goes_on_sending_its_long_line_still_gets_its_reply(client: Client) -> None:
    # Closing at once would break its pipe, and a blocking client would never read why.
    await client.stream.send_all(b"x" * 4_000_000)
    await client.stream.send_eof()
    assert (await client.reply())["error"]["code"] == "line_too_long"
    assert await client.line() == b""


async def test_replies_still_come_after_the_clients_end_of_input(served: Served, client: Client) -> None:
    await client.stream.send_all(b'{"id":1,"cmd":"close","position_id":"p"}\n{"id":2,"cmd":"ping"}')
    await client.stream.send_eof()
    await served.operations.close_begun.wait()
    served.operations.let_close_go.set()
    assert [(await client.reply())["id"] for _ in range(2)] == [1, 2]
    assert await client.line() == b""


async def test_a_client_that_leaves_in_the_middle_of_a_line_does_nothing(served: Served, client: Client) -> None:
    await client.stream.send_all(b'{"cmd":"panic"')
    await client.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert (await (await served.connect()).ask('{"cmd":"ping"}'))["ok"]
    assert served.operations.asked == []


async def test_a_slow_close_holds_up_nobody_else(served: Served, client: Client) -> None:
    await client.send('{"id":1,"cmd":"close","position_id":"p"}', '{"id":2,"cmd":"ping"}')
    await served.operations.close_begun.wait()
    other = await served.connect()
    assert (await other.ask('{"cmd":"ping"}'))["ok"]
    served.operations.let_close_go.set()
    assert (await client.reply())["result"] == {"position_id": "p", "outcome": "closed", "detail": ""}
    assert (await client.reply())["id"] == 2


async def test_a_close_goes_on_when_its_client_leaves(served: Served, client: Client) -> None:
    # The subscription makes the server notice at once that the client has gone.
    await client.ask('{"cmd":"subscribe"}')
    await client.send('{"cmd":"close","position_id":"p"}')
    await served.operations.close_begun.wait()
    await client.stream.aclose()
    served.operations.commit("feed_stale")
    await trio.testing.wait_all_tasks_blocked()
    served.operations.let_close_go.set()
    with trio.fail_after(5):
        await served.operations.closed.wait()
    assert (await (await served.connect()).ask('{"cmd":"ping"}'))["ok"]


async def test_the_33rd_client_is_told_and_room_is_made_when_one_leaves(served: Served) -> None:
    clients = [await served.connect() for _ in range(CLIENTS_MAX)]
    for one in clients:
        assert (await one.ask('{"cmd":"ping"}'))["ok"]
    late = await served.connect()
    error = (await late.reply())["error"]
    assert (error["code"], error["retryable"]) == ("too_many_clients", True)
    await late.stream.send_eof()
    assert await late.line() == b""
    await clients[0].stream.send_eof()
    assert await clients[0].line() == b""
    assert (await (await served.connect()).ask('{"cmd":"ping"}'))["ok"]


async def test_a_client_that_leaves_its_reply_unread_is_cut_off_alone(
    autojump_clock: trio.abc.Clock, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "monotonic", trio.current_time)
    for _ in range(5000):
        served.operations.commit("feed_stale", note="x" * 200)
    deaf = await served.connect()
    await deaf.send('{"cmd":"events","limit":5000}', '{"cmd":"panic"}')
    other = await served.connect()
    assert (await other.ask('{"cmd":"ping"}'))["ok"]
    began = trio.current_time()
    await trio.sleep(36)
    assert (await other.ask('{"cmd":"ping"}'))["ok"]
    assert trio.current_time() - began < 40
    # Its socket still holds what fitted; after that comes the end, not the rest.
    received = b""
    with suppress(trio.BrokenResourceError), trio.fail_after(5):
        while chunk := await deaf.stream.receive_some():
            received += chunk
    assert received
    assert b"\n" not in received
    assert served.operations.asked == []


async def test_a_clock_that_races_cuts_nobody_off_who_reads(
    autojump_clock: trio.abc.Clock, served: Served, client: Client
) -> None:
    # On a tape's clock a minute passes whenever everybody waits, here for the client to read on.
    for _ in range(5000):
        served.operations.commit("feed_stale", note="x" * 200)
    await client.send('{"cmd":"events","limit":5000}')
    await trio.sleep(600)
    assert len((await client.reply())["result"]["events"]) == 5000


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (
            RuleError("pair_busy", "the pair was busy", hint="wait", retryable=True),
            {"code": "pair_busy", "message": "the pair was busy", "hint": "wait", "retryable": True},
        ),
        (RateLimited("-1003", "slow down", retry_after_seconds=7), {"code": "venue_rate_limited", "retryable": True}),
        (
            Banned("-1003", "banned", retry_after_seconds=120),
            {"code": "venue_rate_limited", "hint": "ask again in 120 s"},
        ),
        (Rejected("-1121", "Invalid symbol."), {"code": "venue_rejected", "retryable": False, "hint": ""}),
        (
            Fatal("-2015", "Invalid API-key, IP, or permissions for action."),
            {
                "code": "venue_rejected",
                "retryable": False,
                "hint": "the exchange does not accept the API key: look at its permissions and its list of addresses",
            },
        ),
        (Unreachable("no route"), {"code": "venue_unreachable", "retryable": True}),
        (InDoubt("timeout"), {"code": "in_doubt", "retryable": False}),
        (JournalUnwritable("disk full"), {"code": "journal_unwritable", "message": "disk full", "retryable": True}),
        (JournalUnusable("gone"), {"code": "storage", "retryable": True}),
        (ZeroDivisionError("oops"), {"code": "internal_error", "retryable": False}),
    ],
)
@pytest.mark.parametrize("line", [ARM, '{"cmd":"status"}'])
async def test_faults_become_replies(
    served: Served, client: Client, fault: Exception, error: dict[str, Any], line: str
) -> None:
    served.operations.refusal = fault
    reply = await client.ask(line)
    assert not reply["ok"]
    assert {name: reply["error"][name] for name in error} == error
    assert set(reply["error"]) == {"code", "message", "hint", "retryable"}
    served.operations.refusal = None
    assert (await client.ask('{"cmd":"ping"}'))["ok"]


async def test_every_mutation_is_logged_with_its_caller_and_queries_are_not(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The suite silences what is not critical.
    monkeypatch.setattr(commands, "_log", structlog.wrap_logger(None, wrapper_class=structlog.BoundLogger))
    with capture_logs() as logs:
        await client.ask('{"cmd":"status"}')
        await client.ask(ARM)
    asked, answered = logs
    caller = {"peer_uid": os.getuid(), "peer_gid": os.getgid(), "peer_pid": os.getpid()}
    assert asked.items() >= {"event": "mutation_requested", "cmd": "arm", **caller}.items()
    assert answered.items() >= {"event": "mutation_answered", "cmd": "arm", **caller}.items()
    assert msgspec.json.decode(answered["reply"]) == {"ok": True, "result": {"position_id": "p001"}}
    assert served.operations.callers[-1].uid == os.getuid()
