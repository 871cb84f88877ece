"""Market streams and the WebSocket API, heard by a client of another library."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from robson.emulator.faults import Fault
from tests.unit.emulator.bench import PAIR, SECRET, Bench, sign
from tests.unit.emulator.doors import Hall, hall, hear, request

AGGREGATE = "btcusdt@aggTrade"


async def is_closed(connection: WebSocketConnection) -> bool:
    """Whether the server has ended the connection."""
    with trio.move_on_after(0.5):
        try:
            while True:
                await connection.get_message()
        except ConnectionClosed:
            return True
    return False


async def ids(connection: WebSocketConnection, count: int) -> list[int]:
    """The ids of the next aggregate trades."""
    return [(await hear(connection))["a"] for _ in range(count)]


async def test_a_raw_stream_gives_each_trade_in_order(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket(f"/ws/{AGGREGATE}") as client:
        for price in ("95001", "95000", "95002"):
            doors.bench.tick(price)
        frames = [await hear(client) for _ in range(3)]
        assert [frame["p"] for frame in frames] == ["95001.00000000", "95000.00000000", "95002.00000000"]
        first = frames[0]["a"]
        assert [frame["a"] for frame in frames] == [first, first + 1, first + 2]
        assert frames[1]["m"] is True
        assert set(frames[0]) == {"e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"}
        rows = (await doors.bench.get("/api/v3/aggTrades", symbol=PAIR, fromId=first, limit=2)).json
        assert [row["a"] for row in rows] == [first, first + 1], "a gap can be filled by REST"


async def test_a_combined_stream_wraps_and_takes_subscriptions(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket(f"/stream?streams={AGGREGATE}/btcusdt@bookTicker") as client:
        doors.bench.tick("95001")
        assert [(await hear(client))["stream"] for _ in range(2)] == [AGGREGATE, "btcusdt@bookTicker"]
        assert await request(client, method="LIST_SUBSCRIPTIONS", id=3) == {
            "result": [AGGREGATE, "btcusdt@bookTicker"],
            "id": 3,
        }
        gone = await request(client, method="UNSUBSCRIBE", params=[AGGREGATE, "btcusdt@bookTicker"], id="a-1")
        assert gone == {"result": None, "id": "a-1"}
        assert await request(client, method="SUBSCRIBE", params=["ethusdt@trade", "no@such"], id=None) == {
            "result": None,
            "id": None,
        }
        doors.bench.tick("95002")
        doors.bench.tick("3300", symbol="ETHUSDT")
        frame = await hear(client)
        assert (frame["stream"], frame["data"]["e"], frame["data"]["p"]) == ("ethusdt@trade", "trade", "3300.00000000")
        assert "ETHUSDT" in doors.bench.feed.subscribed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"method":"SUBSCRIBE","id":1.5,"params":["x"]}', 2),
        ('{"method":"SUBSCRIBE","id":1}', 2),
        ('{"method":"DANCE","id":1}', 2),
    ],
)
async def test_what_is_no_request_gets_an_error(tmp_path: Path, text: str, code: int) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws") as client:
        await client.send_message(text)
        assert (await hear(client))["code"] == code


async def test_more_than_five_messages_in_a_second_end_the_connection(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws") as client:
        for number in range(5):
            assert (await request(client, method="LIST_SUBSCRIPTIONS", id=number))["id"] == number
        await trio.sleep(1)
        for number in range(5):
            assert (await request(client, method="LIST_SUBSCRIPTIONS", id=number))["id"] == number
        await client.send_message('{"method":"LIST_SUBSCRIPTIONS","id":6}')
        with pytest.raises(ConnectionClosed) as closed:
            await hear(client)
        assert closed.value.reason.code == 1008


async def test_1024_streams_and_no_more(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws") as client:
        names = [f"x{number}@trade" for number in range(1024)]
        assert (await request(client, method="SUBSCRIBE", params=names, id=1))["result"] is None
        await client.send_message(json.dumps({"method": "SUBSCRIBE", "params": ["one@more"], "id": 2}))
        assert await is_closed(client)


async def test_pings_come_every_20_seconds_and_who_stays_silent_is_cut_after_60(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with hall(tmp_path) as doors:
        stream = doors.connect()
        handshake = (
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await stream.send_all(handshake)
        answer = await stream.receive_some()
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
        pings, started = [], trio.current_time()
        while received := await stream.receive_some():
            pings.append(round(trio.current_time() - started))
            assert received[0] == 0x89, received
        assert pings == [20, 40, 60]
        assert round(trio.current_time() - started) == 80, "the look after 60 seconds without a pong"


async def test_a_client_that_answers_pings_lives_for_24_hours(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws") as client:
        started = trio.current_time()
        with pytest.raises(ConnectionClosed) as closed:
            await client.get_message()
        assert trio.current_time() - started == pytest.approx(24 * 3600)
        assert closed.value.reason.code == 1001


async def test_a_slow_reader_is_cut_alone(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket(f"/ws/{AGGREGATE}") as quick:
        session = next(iter(doors.doors._streams._open))
        for _ in range(10_001):
            session.socket.say("{}")
        assert await is_closed(quick)
        async with doors.websocket(f"/ws/{AGGREGATE}") as other:
            doors.bench.tick("95001")
            assert (await hear(other))["e"] == "aggTrade"


async def test_candles_form_and_close(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws/btcusdt@kline_1s") as client:
        doors.bench.tick("95010", quantity="0.2")
        doors.bench.tick("94990", quantity="0.3")
        frames = [await hear(client) for _ in range(3)]
        assert all(frame["e"] == "kline" for frame in frames)
        closed = [frame["k"] for frame in frames if frame["k"]["x"]]
        assert closed
        assert closed[0]["T"] - closed[0]["t"] == 999


class Frames:
    """What the faults of streams do to the next six trades."""

    def __init__(self, doors: Hall, client: WebSocketConnection) -> None:
        self.doors, self.client = doors, client

    async def after(self, fault: str, expected: int, **more: Any) -> list[int]:
        armed = Fault(fault=fault, **more)
        if not self.doors.doors.now(armed):
            self.doors.bench.exchange.faults.arm(armed)
        for number in range(6):
            self.doors.bench.tick(str(95_000 + number))
        found = await ids(self.client, expected)
        return [number - min(found) for number in found]


async def test_gaps_duplicates_and_disorder(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket(f"/ws/{AGGREGATE}") as client:
        frames = Frames(doors, client)
        assert await frames.after("gap", 4, times=2) == [0, 1, 2, 3]
        last = doors.bench.market.known(PAIR).last.trade_id
        assert await frames.after("duplicate", 8, times=2) == [0, 0, 1, 1, 2, 3, 4, 5]
        assert await frames.after("reorder", 6, times=1) == [1, 0, 2, 3, 4, 5]
        rows = (await doors.bench.get("/api/v3/aggTrades", symbol=PAIR, fromId=last - 5, limit=6)).json
        assert [row["a"] for row in rows] == list(range(last - 5, last + 1)), "REST still has what the stream left out"


async def test_a_mute_socket_stays_open(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path) as doors, doors.websocket(f"/ws/{AGGREGATE}") as client:
        assert doors.doors.now(Fault(fault="mute", seconds=90))
        doors.bench.tick("95001")
        with trio.move_on_after(80) as silence:
            await hear(client)
        assert silence.cancelled_caught, "pings were answered, nothing was heard"
        await trio.sleep(10)
        doors.bench.tick("95002")
        assert (await hear(client))["p"] == "95002.00000000"


async def test_a_cut_and_an_announced_shutdown(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path) as doors:
        async with doors.websocket(f"/stream?streams={AGGREGATE}") as client, doors.websocket("/ws-api/v3") as api:
            await request(api, id=1, method="ping")
            assert doors.doors.now(Fault(fault="shutdown", seconds=5))
            told = await hear(client)
            assert (told["stream"], told["data"]["e"]) == ("!serverShutdown", "serverShutdown")
            assert (await hear(api))["event"]["e"] == "serverShutdown"
            await trio.sleep(5.1)
            assert await is_closed(client)
            assert await is_closed(api)
        async with doors.websocket(f"/ws/{AGGREGATE}") as client:
            assert doors.doors.now(Fault(fault="cut"))
            assert await is_closed(client)


async def token(bench: Bench, **more: object) -> str:
    reply = await bench.ask("POST", "/sapi/v1/userListenToken", symbol=PAIR, isIsolated="true", **more)
    found: str = reply.json["token"]
    return found


async def test_isolated_events_come_wrapped_with_their_subscription(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws-api/v3") as api:
        opened = await request(
            api,
            id="s",
            method="userDataStream.subscribe.listenToken",
            params={"listenToken": await token(doors.bench)},
        )
        assert (opened["id"], opened["status"], opened["result"]["subscriptionId"]) == ("s", 200, 0)
        left_seconds = opened["result"]["expirationTime"] / 1e6 - doors.bench.now_ms / 1e3
        assert left_seconds == pytest.approx(86_400, abs=60), "in microseconds here"
        order = (await doors.bench.order("BUY", "0.5", newClientOrderId="mine")).json
        events = [await hear(api) for _ in range(3)]
        assert {event["subscriptionId"] for event in events} == {0}
        new, trade, position = [event["event"] for event in events]
        assert (new["e"], new["x"], new["X"], new["c"], new["t"]) == ("executionReport", "NEW", "NEW", "mine", -1)
        assert (trade["x"], trade["X"], trade["t"], trade["i"]) == ("TRADE", "FILLED", 1, order["orderId"])
        assert (trade["n"], trade["N"], trade["z"]) == ("0.00050000", "BTC", "0.50000000")
        assert new["I"] != trade["I"]
        assert position["e"] == "outboundAccountPosition"
        assert "s" not in position
        await doors.bench.order("BUY", "0.1", type="LIMIT", timeInForce="GTC", price="90000", newClientOrderId="rest")
        assert [(await hear(api))["event"]["e"] for _ in range(2)] == ["executionReport", "outboundAccountPosition"]
        doors.bench.arm("partial")
        await doors.bench.order("BUY", "0.1")
        kinds = [(await hear(api))["event"].get("x") for _ in range(4)]
        assert kinds == ["NEW", "TRADE", "EXPIRED", None]
        doors.bench.tick("3300", symbol="ETHUSDT")
        assert (await doors.bench.order("BUY", "1", symbol="ETHUSDT")).status == 200, "another account's events"
        assert (await request(api, id=2, method="userDataStream.unsubscribe", params={"subscriptionId": 0}))[
            "status"
        ] == 200
        gone = await request(api, id=3, method="userDataStream.unsubscribe", params={"subscriptionId": 0})
        assert gone["error"]["code"] == -2035


async def test_tokens_expire_and_a_newer_one_extends(tmp_path: Path, autojump_clock: object) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws-api/v3") as api:
        method = "userDataStream.subscribe.listenToken"
        short = await token(doors.bench, validity=60_000)
        assert (await request(api, id=1, method=method, params={"listenToken": short}))["result"]["subscriptionId"] == 0
        await trio.sleep(50)
        longer = await token(doors.bench, validity=120_000)
        assert (await request(api, id=2, method=method, params={"listenToken": longer}))["result"][
            "subscriptionId"
        ] == 0
        started = trio.current_time()
        ended = await hear(api)
        assert (ended["subscriptionId"], ended["event"]["e"]) == (0, "eventStreamTerminated")
        assert trio.current_time() - started == pytest.approx(120, abs=0.1)
        refused = await request(api, id=3, method=method, params={"listenToken": longer})
        assert (refused["status"], refused["error"]["code"]) == (400, -1209)
        fresh = await token(doors.bench)
        await request(api, id=4, method=method, params={"listenToken": fresh})
        assert doors.doors.now(Fault(fault="token_expiry"))
        assert (await hear(api))["event"]["e"] == "eventStreamTerminated"
        assert (await request(api, id=5, method=method, params={"listenToken": fresh}))["error"]["code"] == -1209
        refused = await doors.bench.ask(
            "POST", "/sapi/v1/userListenToken", symbol=PAIR, isIsolated="true", validity=86_400_001
        )
        assert refused.error[0] == -1130


async def test_the_socket_api_answers_and_refuses(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors, doors.websocket("/ws-api/v3") as api:
        assert (await request(api, id=1, method="time"))["result"].keys() == {"serverTime"}
        assert (await request(api, id=1, method="session.status"))["result"]["userDataStream"] is False
        assert (await request(api, id=1, method="order.place"))["error"]["code"] == -1020
        await api.send_message("nonsense")
        assert (await hear(api))["error"]["code"] == -1135
        stamp = doors.bench.now_ms
        payload = f"apiKey=key-of-the-bench&timestamp={stamp}"
        params = {"apiKey": "key-of-the-bench", "timestamp": stamp, "signature": sign(payload)}
        method = "userDataStream.subscribe.signature"
        assert (await request(api, id=1, method=method, params=params))["result"] == {"subscriptionId": 0}
        bad = await request(api, id=1, method=method, params={**params, "signature": "00"})
        assert bad["error"]["code"] == -1022
        bad = await request(api, id=1, method=method, params={**params, "apiKey": "other"})
        assert (bad["status"], bad["error"]["code"]) == (401, -2015)
        assert SECRET not in json.dumps(bad)


async def test_other_paths_are_no_websockets(tmp_path: Path) -> None:
    async with hall(tmp_path) as doors:
        raw = (
            b"GET /elsewhere HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert (await doors.say(raw)).startswith(b"HTTP/1.1 404")
