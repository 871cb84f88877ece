"""The sequence as clients read it: complete, in order, at their own pace."""

import msgspec
import pytest
import trio
import trio.testing

from robson.control.sequence import BATCH_ROWS
from tests.unit.control.conftest import Client, Served


async def seqs(client: Client, count: int) -> list[int]:
    return [(await client.reply())["seq"] for _ in range(count)]


async def test_a_subscription_replays_then_follows_without_gap_or_repetition(served: Served, client: Client) -> None:
    for number in range(3 * BATCH_ROWS):
        served.operations.commit("feed_stale", number=number)
    assert await client.ask('{"id":9,"cmd":"subscribe","from_seq":2}') == {
        "id": 9,
        "ok": True,
        "result": {"from_seq": 2, "oldest_seq": 1},
    }
    assert await seqs(client, 3 * BATCH_ROWS - 1) == list(range(2, 3 * BATCH_ROWS + 1))
    served.operations.commit("position_closed", "p")
    assert await client.reply() == {
        "event": "position_closed",
        "seq": 3 * BATCH_ROWS + 1,
        "at": "2026-11-22T12:00:00Z",
        "position_id": "p",
        "data": {},
    }


async def test_from_seq_zero_is_the_beginning_and_none_is_the_next_one(served: Served, client: Client) -> None:
    served.operations.commit("feed_stale")
    await client.ask('{"cmd":"subscribe","from_seq":0}')
    assert await seqs(client, 1) == [1]
    late = await served.connect()
    assert (await late.ask('{"cmd":"subscribe"}'))["result"] == {"from_seq": 2, "oldest_seq": 1}
    served.operations.commit("feed_recovered")
    assert await seqs(late, 1) == [2]


async def test_a_future_from_seq_is_waited_for(served: Served, client: Client) -> None:
    await client.ask('{"cmd":"subscribe","from_seq":3}')
    for _ in range(3):
        served.operations.commit("feed_stale")
        await trio.testing.wait_all_tasks_blocked()
    assert await seqs(client, 1) == [3]


async def test_only_the_wanted_types_are_sent(served: Served, client: Client) -> None:
    await client.ask('{"cmd":"subscribe","types":["position_closed","unprotected"]}')
    for kind in ("feed_stale", "position_closed", "feed_recovered", "unprotected"):
        served.operations.commit(kind)
    assert await seqs(client, 2) == [2, 4]


async def test_an_unknown_type_is_refused_and_the_connection_may_still_subscribe(client: Client) -> None:
    error = (await client.ask('{"cmd":"subscribe","types":["position_opened"]}'))["error"]
    assert error["code"] == "unknown_event_type"
    assert "position_closed" in error["hint"]
    assert (await client.ask('{"cmd":"subscribe"}'))["ok"]
    assert (await client.ask('{"cmd":"subscribe"}'))["error"]["code"] == "already_subscribed"


async def test_requests_are_answered_between_events(served: Served, client: Client) -> None:
    await client.ask('{"cmd":"subscribe"}')
    served.operations.commit("feed_stale")
    assert await seqs(client, 1) == [1]
    assert (await client.ask('{"id":1,"cmd":"ping"}'))["id"] == 1
    served.operations.commit("feed_recovered")
    assert await seqs(client, 1) == [2]


async def test_a_subscriber_that_does_not_read_loses_nothing_and_holds_up_nobody(
    autojump_clock: trio.abc.Clock, served: Served, client: Client
) -> None:
    await client.ask('{"cmd":"subscribe"}')
    other = await served.connect()
    for round_ in range(40):
        for _ in range(250):
            served.operations.commit("feed_stale", note="x" * 100)
        # Longer than any patience with replies: a subscriber is not cut off for being slow.
        await trio.sleep(10)
        assert (await other.ask('{"cmd":"ping"}'))["ok"], round_
    assert await seqs(client, 10_000) == list(range(1, 10_001))


async def test_after_its_end_of_input_a_subscriber_is_served_until_it_hangs_up(served: Served, client: Client) -> None:
    await client.send('{"cmd":"subscribe"}')
    await client.stream.send_eof()
    assert (await client.reply())["ok"]
    await trio.testing.wait_all_tasks_blocked()
    served.operations.commit("feed_stale")
    assert await seqs(client, 1) == [1]


async def test_a_subscriber_that_hung_up_makes_room_though_nothing_happens(served: Served) -> None:
    for _ in range(70):
        gone = await served.connect()
        assert (await gone.ask('{"cmd":"subscribe"}'))["ok"]
        await gone.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
    assert (await (await served.connect()).ask('{"cmd":"ping"}'))["ok"]


async def test_events_come_in_pages(served: Served, client: Client) -> None:
    assert (await client.ask('{"cmd":"events"}'))["result"] == {
        "events": [],
        "next_seq": 1,
        "last_seq": 0,
        "oldest_seq": 1,
    }
    for number in range(700):
        served.operations.commit("feed_stale", "odd" if number % 2 else "even")
    page = (await client.ask('{"cmd":"events","from_seq":0,"limit":600}'))["result"]
    assert [row["seq"] for row in page["events"]] == list(range(1, 601))
    assert (page["next_seq"], page["last_seq"]) == (601, 700)
    page = (await client.ask('{"cmd":"events","from_seq":601}'))["result"]
    assert [row["seq"] for row in page["events"]] == list(range(601, 701))
    assert (page["next_seq"], page["last_seq"]) == (701, 700)
    odd = (await client.ask('{"cmd":"events","position_id":"odd","from_seq":650}'))["result"]
    assert [row["seq"] for row in odd["events"]] == list(range(650, 701, 2))
    assert odd["next_seq"] == 701
    beyond = (await client.ask(f'{{"cmd":"events","from_seq":{2**63 - 1}}}'))["result"]
    assert (beyond["events"], beyond["last_seq"]) == ([], 700)


@pytest.mark.parametrize("cmd", ["events", "subscribe"])
async def test_what_is_in_the_archive_is_refused_with_the_place_to_begin(
    served: Served, client: Client, cmd: str
) -> None:
    for _ in range(10):
        served.operations.commit("feed_stale")
    served.operations.oldest = 5
    for from_seq in (0, 1, 4):
        error = (await client.ask(f'{{"cmd":"{cmd}","from_seq":{from_seq}}}'))["error"]
        assert error["code"] == "events_archived"
        assert error["hint"].startswith("begin with from_seq 5;")
    result = (await client.ask(f'{{"cmd":"{cmd}","from_seq":5}}'))["result"]
    assert result["oldest_seq"] == 5


async def test_without_a_place_to_begin_events_begin_with_the_oldest(served: Served, client: Client) -> None:
    for _ in range(10):
        served.operations.commit("feed_stale")
    served.operations.oldest = 5
    page = (await client.ask('{"cmd":"events"}'))["result"]
    assert [row["seq"] for row in page["events"]] == [5, 6, 7, 8, 9, 10]
    assert page["oldest_seq"] == 5


async def test_a_subscriber_that_the_archive_overtakes_is_told_and_let_go(served: Served, client: Client) -> None:
    served.operations.commit("feed_stale")
    await client.ask('{"id":7,"cmd":"subscribe","from_seq":1}')
    assert (await client.reply())["seq"] == 1
    served.operations.oldest = 3
    served.operations.commit("feed_stale")
    served.operations.commit("feed_stale")
    told = await client.reply()
    assert (told["id"], told["ok"], told["error"]["code"]) == (7, False, "events_archived")
    assert await client.line() == b""


async def test_show_gives_a_positions_events_in_pages(served: Served, client: Client) -> None:
    armed = (await client.ask('{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}'))["result"]
    own = armed["position_id"]
    for number in range(8 * BATCH_ROWS):
        served.operations.commit("feed_stale", own if number % 2 else None)
    line = f'{{"cmd":"show","position_id":"{own}"'
    whole = (await client.ask(line + "}"))["result"]
    assert (whole["symbol"], whole["next_seq"], len(whole["events"])) == ("BTCUSDT", None, 4 * BATCH_ROWS + 1)
    assert {row["position_id"] for row in whole["events"]} == {own}
    page = (await client.ask(line + ',"limit":3}'))["result"]
    assert [row["seq"] for row in page["events"]] == [1, 3, 5]
    assert page["next_seq"] == 6
    rest = (await client.ask(line + ',"from_seq":6}'))["result"]
    assert page["events"] + rest["events"] == whole["events"]
    served.operations.oldest = 400
    late = (await client.ask(line + "}"))["result"]
    assert (late["events"][0]["seq"], late["oldest_seq"]) == (401, 400)


@pytest.mark.parametrize("limit", [0, -1, 10_001])
async def test_a_limit_out_of_range_is_refused_with_the_range(client: Client, limit: int) -> None:
    error = (await client.ask(f'{{"cmd":"events","limit":{limit}}}'))["error"]
    assert error["message"] == f"limit was {limit}, which must be an integer of 1 to 10000"


async def test_an_event_line_and_a_row_of_events_are_the_same(served: Served, client: Client) -> None:
    served.operations.commit("feed_stale", "p", age_seconds=12)
    await client.ask('{"cmd":"subscribe","from_seq":1}')
    line = msgspec.json.decode(await client.line())
    assert (await client.ask('{"cmd":"events"}'))["result"]["events"] == [line]
