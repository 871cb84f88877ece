"""What one client may hold up the loop for: one heavy step a turn, whoever else asks at the same time."""

import os
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing

from robson.control import connection
from robson.control.connection import _BLANKS_AT_ONCE, _SHORT_BYTES
from robson.control.lines import LineSplitter
from robson.control.sequence import BATCH_ROWS
from robson.protocol.reading import read_request
from tests.unit.control.conftest import Client, Served

CLIENTS = 8
ARM = '{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}'
LONG = b'{"id":"' + b"x" * _SHORT_BYTES + b'","cmd":"ping"}'


class Turns(trio.abc.Instrument):
    """Counts, for each turn of the loop, how often something was done in it."""

    def __init__(self) -> None:
        self.turn = 0
        self.done: dict[str, Counter[int]] = {}

    def before_io_wait(self, timeout: float) -> None:
        self.turn += 1

    def note(self, what: str) -> None:
        self.done.setdefault(what, Counter())[self.turn] += 1

    def most(self, what: str) -> int:
        return max(self.done[what].values())


@pytest.fixture
async def turns() -> AsyncIterator[Turns]:
    counting = Turns()
    trio.lowlevel.add_instrument(counting)
    yield counting
    trio.lowlevel.remove_instrument(counting)


async def crowd(served: Served) -> list[Client]:
    return [await served.connect() for _ in range(CLIENTS)]


async def test_long_lines_of_many_clients_are_read_one_a_turn(
    served: Served, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_request

    def noted(line: bytes) -> object:
        turns.note("long" if len(line) > _SHORT_BYTES else "short")
        return read(line)

    monkeypatch.setattr(connection, "read_request", noted)
    clients = await crowd(served)
    for client in clients:
        await client.send(LONG, LONG)
    for client in clients:
        assert (await client.reply())["ok"]
        assert (await client.reply())["ok"]
    assert sum(turns.done["long"].values()) == 2 * CLIENTS
    assert turns.most("long") == 1


@pytest.mark.parametrize("line", ['{"cmd":"events"}', '{"cmd":"subscribe","from_seq":1}'])
async def test_pages_and_subscribers_who_catch_up_take_one_batch_a_turn(
    served: Served, turns: Turns, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    for _ in range(3 * BATCH_ROWS):
        served.operations.commit("feed_stale")
    read = served.operations.read_events

    def noted(*, from_seq: int, limit: int, position_id: str | None = None) -> object:
        turns.note("batch")
        return read(from_seq=from_seq, limit=limit, position_id=position_id)

    monkeypatch.setattr(served.operations, "read_events", noted)
    clients = await crowd(served)
    for client in clients:
        await client.send(line)
    for client in clients:
        assert (await client.reply())["ok"]
        if "subscribe" in line:
            assert [(await client.reply())["seq"] for _ in range(3 * BATCH_ROWS)] == list(range(1, 3 * BATCH_ROWS + 1))
    assert sum(turns.done["batch"].values()) >= 3 * CLIENTS
    # A subscriber who has caught up looks once more, for nothing.
    assert turns.most("batch") <= (1 if "events" in line else CLIENTS)
    assert len(turns.done["batch"]) >= 3 * CLIENTS


async def test_blank_lines_let_others_in_between(served: Served, turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    take = LineSplitter.next_line

    def noted(self: LineSplitter) -> bytes | None:
        turns.note("line")
        return take(self)

    monkeypatch.setattr(LineSplitter, "next_line", noted)
    client = await served.connect()
    await client.stream.send_all(b"\n" * 10_000)
    assert (await client.ask('{"cmd":"ping"}'))["ok"]
    assert sum(turns.done["line"].values()) > 10_000
    # The end of one chunk and the beginning of the next may share a turn.
    assert turns.most("line") <= _BLANKS_AT_ONCE + 2


async def test_a_status_of_many_positions_is_what_it_was_in_one_piece(served: Served, client: Client) -> None:
    ids = [(await client.ask(ARM))["result"]["position_id"] for _ in range(50)]
    for line in ('{"cmd":"status"}', '{"cmd":"status","all":true}'):
        status = (await client.ask(line))["result"]
        assert [view["position_id"] for view in status["positions"]] == ids
        assert list(status)[-3:] == ["positions", "time_to_protected_seconds", "paused"]
    (one,) = (await client.ask(f'{{"cmd":"status","position_id":"{ids[7]}"}}'))["result"]["positions"]
    assert one == status["positions"][7]


async def test_a_page_is_given_up_when_its_client_hangs_up(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(150 * BATCH_ROWS):
        served.operations.commit("feed_stale")
    read, batches = served.operations.read_events, 0

    def noted(*, from_seq: int, limit: int, position_id: str | None = None) -> object:
        nonlocal batches
        batches += 1
        if batches == 2:
            client.stream.socket.close()
        return read(from_seq=from_seq, limit=limit, position_id=position_id)

    monkeypatch.setattr(served.operations, "read_events", noted)
    await client.send('{"cmd":"events","limit":10000}')
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert 2 <= batches < 50
    assert (await (await served.connect()).ask('{"cmd":"ping"}'))["ok"]


async def test_a_half_closed_client_still_gets_its_page(served: Served, client: Client) -> None:
    for _ in range(20 * BATCH_ROWS):
        served.operations.commit("feed_stale")
    await client.send('{"cmd":"events","limit":10000}')
    await client.stream.send_eof()
    assert len((await client.reply())["result"]["events"]) == 20 * BATCH_ROWS


async def test_of_requests_that_came_together_one_is_answered_a_turn(
    served: Served, turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_request

    def noted(line: bytes) -> object:
        turns.note("line")
        return read(line)

    monkeypatch.setattr(connection, "read_request", noted)
    client = await served.connect()
    await client.stream.send_all(b'{"cmd":"ping"}\n' * 50)
    for _ in range(50):
        assert (await client.reply())["ok"]
    assert sum(turns.done["line"].values()) == 50
    assert turns.most("line") == 1


async def test_what_the_socket_does_not_take_at_once_follows(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def some(descriptor: int, octets: bytes) -> int:
        if len(octets) % 2:
            raise BlockingIOError
        return write(descriptor, octets[:5])

    monkeypatch.setattr(os, "write", some)
    for number in range(4):
        assert (await client.ask(f'{{"cmd":"ping","id":"{"x" * number}"}}'))["id"] == "x" * number
