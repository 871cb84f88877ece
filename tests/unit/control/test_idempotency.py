"""One key, one effect: whatever is repeated, at once, later or after a restart."""

from pathlib import Path

import pytest
import trio
import trio.testing

from robson.control import serve
from robson.domain.errors import JournalUnwritable, RuleError
from robson.domain.sequence import StoredReply
from tests.unit.control.conftest import Client, Served
from tests.unit.control.fake_operations import FakeOperations, StillClock


def arm(request_id: int, key: str, symbol: str = "BTCUSDT") -> str:
    return (
        f'{{"id":{request_id},"cmd":"arm","symbol":"{symbol}","side":"long","strategy":"signal",'
        f'"idempotency_key":"{key}"}}'
    )


async def test_the_same_key_and_body_get_the_stored_result_under_their_own_id(served: Served, client: Client) -> None:
    first = await client.ask(arm(1, "k"))
    second = await client.ask(arm(2, "k", symbol="btcusdt"))
    assert (first["id"], second["id"]) == (1, 2)
    assert first["result"] == second["result"] == {"position_id": "p001"}
    assert len(served.operations.asked) == 1


async def test_another_body_is_a_conflict_and_another_key_is_another_request(served: Served, client: Client) -> None:
    await client.ask(arm(1, "k"))
    conflict = await client.ask(arm(2, "k", symbol="ETHUSDT"))
    assert conflict["error"]["code"] == "idempotency_conflict"
    assert (await client.ask(arm(3, "other")))["result"] == {"position_id": "p002"}
    cancelled = await client.ask('{"cmd":"panic","idempotency_key":"k"}')
    assert cancelled["error"]["code"] == "idempotency_conflict"
    assert not served.operations.latched


async def test_two_at_once_have_one_effect_and_one_result(served: Served) -> None:
    line = '{"cmd":"close","position_id":"p","idempotency_key":"k"}'
    clients = [await served.connect() for _ in range(3)]
    for client in clients:
        await client.send(line)
    await served.operations.close_begun.wait()
    await trio.testing.wait_all_tasks_blocked()
    served.operations.let_close_go.set()
    replies = [await client.reply() for client in clients]
    assert all(reply == replies[0] and reply["ok"] for reply in replies)
    assert len(served.operations.asked) == 1


async def test_a_lasting_refusal_is_stored_and_a_retryable_one_is_not(served: Served, client: Client) -> None:
    served.operations.refusal = RuleError("recovering", "stops are being rebuilt", retryable=True)
    assert (await client.ask(arm(1, "k")))["error"]["code"] == "recovering"
    served.operations.refusal = RuleError("panic_latched", "the latch was set")
    assert (await client.ask(arm(2, "k")))["error"]["code"] == "panic_latched"
    served.operations.refusal = None
    again = await client.ask(arm(3, "k"))
    assert (again["id"], again["error"]["code"]) == (3, "panic_latched")


async def test_the_reply_survives_a_restart(
    served: Served, client: Client, nursery: trio.Nursery, tmp_path: Path
) -> None:
    await client.ask(arm(1, "k"))
    reborn = FakeOperations()
    reborn.replies = served.operations.replies
    await nursery.start(serve, tmp_path / "2.sock", reborn, StillClock())
    second = Served(tmp_path / "2.sock", reborn)
    assert (await (await second.connect()).ask(arm(2, "k")))["result"] == {"position_id": "p001"}
    assert reborn.asked == []
    await second.aclose()


async def test_a_sealed_reply_is_not_stored_twice(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[StoredReply] = []
    remember = served.operations.remember

    def count(reply: StoredReply) -> None:
        kept.append(reply)
        remember(reply)

    monkeypatch.setattr(served.operations, "remember", count)
    await client.ask(arm(1, "sealed"))
    await client.ask('{"cmd":"resume","idempotency_key":"unsealed"}')
    assert [reply.key for reply in kept] == ["sealed", "unsealed"]


async def test_what_was_committed_is_answered_even_if_something_fails_afterwards(
    served: Served, client: Client
) -> None:
    served.operations.refusal_after_commit = ZeroDivisionError()
    assert (await client.ask(arm(1, "k")))["result"] == {"position_id": "p001"}
    assert (await client.ask(arm(2, "k")))["result"] == {"position_id": "p001"}
    assert len(served.operations.asked) == 1


async def test_a_reply_that_cannot_be_stored_still_tells_the_outcome(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(reply: StoredReply) -> None:
        raise JournalUnwritable("disk full")

    monkeypatch.setattr(served.operations, "remember", refuse)
    assert (await client.ask('{"cmd":"panic","idempotency_key":"k"}'))["result"]["latched"]


async def test_a_client_that_leaves_finds_its_outcome_under_its_key(served: Served, client: Client) -> None:
    line = '{"cmd":"close","position_id":"p","idempotency_key":"k"}'
    await client.send(line)
    await served.operations.close_begun.wait()
    await client.stream.aclose()
    other = await served.connect()
    await other.send(line)
    served.operations.let_close_go.set()
    assert (await other.reply())["result"]["outcome"] == "closed"
    assert len(served.operations.asked) == 1
