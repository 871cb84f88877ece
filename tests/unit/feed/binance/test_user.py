"""The user's own events: each report wakes somebody once, and nothing that goes wrong here reaches the daemon."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from robson.domain.errors import Unreachable
from robson.feed.binance import user, user_codec
from robson.feed.binance.codec import MalformedFrame, OtherFrame, RequestRefused, ServerShutdown, to_stamp
from robson.feed.binance.user import UserStream
from robson.venue.binance.listen_token import ListenToken
from tests.exchange import DAY_SECONDS, Exchange, ServedLine
from tests.rig import SimulatedClock

LIFE = timedelta(hours=1)


class Account(Exchange):
    """The WebSocket API of an exchange, with tokens that end."""

    def __init__(self, nursery: trio.Nursery) -> None:
        super().__init__(nursery, SimulatedClock())
        self.tokens: dict[str, datetime] = {}
        self.subscriptions: list[tuple[float, str]] = []
        self.refusals = 0
        self.is_down = False
        self.in_microseconds = True
        self.terminated: list[int] = []
        self.ends: dict[tuple[ServedLine, str, int], datetime] = {}

    async def listen_token(self, symbol: str) -> ListenToken:
        await trio.lowlevel.checkpoint()
        if self.is_down:
            raise Unreachable("no answer")
        token = f"{symbol}-{len(self.tokens)}"
        self.tokens[token] = self.now() + LIFE
        return ListenToken(token=token, expires_at=self.tokens[token])

    def take(self, line: ServedLine, message: dict[str, Any]) -> None:
        assert message["method"] == "userDataStream.subscribe.listenToken"
        token = message["params"]["listenToken"]
        if self.refusals:
            self.refusals -= 1
            answer = {"status": 400, "error": {"code": -1209, "msg": f"Invalid listenToken {token}."}}
            line.send({"id": message["id"], **answer})
            return
        number = len(self.subscriptions)
        symbol = token.partition("-")[0]
        self.subscriptions.append((trio.current_time(), symbol))
        # A subscription prolongs the one before it.
        for one in [one for one in self.ends if one[:2] == (line, symbol)]:
            del self.ends[one]
        self.ends[line, symbol, number] = self.tokens[token]
        stamp = to_stamp(self.tokens[token]) * (1000 if self.in_microseconds else 1)
        result = {"subscriptionId": number, "expirationTime": stamp}
        line.send({"id": message["id"], "status": 200, "result": result, "rateLimits": []})

    async def expire(self) -> None:
        """End each subscription whose token is over, as the exchange does."""
        while True:
            await trio.sleep(10)
            for (line, symbol, number), at in list(self.ends.items()):
                if at <= self.now() or not line.is_open:
                    del self.ends[line, symbol, number]
                    self.terminate(line, number)

    def terminate(self, line: ServedLine, number: int) -> None:
        if line.is_open:
            self.terminated.append(number)
        line.send({"subscriptionId": number, "event": {"e": "eventStreamTerminated", "E": to_stamp(self.now())}})


def report(order: str, execution: int = 1, *, original: str = "", **more: Any) -> dict[str, Any]:
    body = {"e": "executionReport", "E": 1770123456789, "s": "BTCUSDT", "c": order, "C": original, "i": 7}
    return {**body, "x": "TRADE", "X": "FILLED", "I": execution, "t": 5, "l": "0.1", **more}


class Listener:
    """A stream that runs, and what it told."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.account = Account(nursery)
        self.hints: list[str] = []
        self.fails = False
        self.stream = UserStream(
            "ws://exchange.test/ws-api/v3",
            self.account,
            self.hint,
            connect=self.account.connect,
            random=lambda: 0.0,
        )
        self.nursery = nursery

    def hint(self, client_order_id: str) -> None:
        self.hints.append(client_order_id)
        if self.fails:
            raise ValueError("nobody home")

    async def begin(self, *symbols: str) -> "Listener":
        self.nursery.start_soon(self.stream.run)
        self.nursery.start_soon(self.account.expire)
        for symbol in symbols or ("BTCUSDT",):
            self.stream.follow(symbol)
        await trio.sleep(1)
        return self


Begin = Callable[[], Listener]


@pytest.fixture
def listener(nursery: trio.Nursery) -> Begin:
    return lambda: Listener(nursery)


async def test_each_report_is_told_once_wrapped_or_bare(autojump_clock: object, listener: Begin) -> None:
    here = await listener().begin()
    (line,) = here.account.open_lines
    line.send({"subscriptionId": 0, "event": report("rb-1")})
    line.send(report("rb-1"))
    line.send(report("rb-1", 2))
    line.send({"subscriptionId": 0, "event": report("cancel-9", 3, original="rb-2", x="CANCELED")})
    line.send({"subscriptionId": 0, "event": {"e": "outboundAccountPosition", "E": 1, "B": []}})
    await wait_all_tasks_blocked()
    assert here.hints == ["rb-1", "rb-1", "rb-2"]


async def test_subscriptions_are_renewed_before_they_end(autojump_clock: object, listener: Begin) -> None:
    here = await listener().begin("BTCUSDT", "ETHUSDT")
    assert here.stream.listening == {"BTCUSDT", "ETHUSDT"}
    await trio.sleep(10 * 3600)
    assert not here.account.terminated
    moments = [at for at, symbol in here.account.subscriptions if symbol == "BTCUSDT"]
    # Five minutes before the end of each hour.
    assert [round(at / 60) for at in moments] == [55 * n for n in range(11)]
    assert len(here.account.lines) == 1


@pytest.mark.parametrize("in_microseconds", [True, False])
async def test_a_subscription_that_ends_is_asked_for_again(
    autojump_clock: object, listener: Begin, in_microseconds: bool
) -> None:
    here = listener()
    here.account.in_microseconds = in_microseconds
    await here.begin()
    here.account.terminate(here.account.open_lines[0], 0)
    await trio.sleep(1)
    assert [symbol for _, symbol in here.account.subscriptions] == ["BTCUSDT", "BTCUSDT"]
    assert len(here.account.lines) == 1


async def test_a_refused_token_is_replaced_and_quoted_nowhere(
    autojump_clock: object, listener: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The suite silences what is not critical.
    monkeypatch.setattr(user, "_log", structlog.wrap_logger(None, wrapper_class=structlog.BoundLogger))
    here = listener()
    here.account.refusals = 3
    with structlog.testing.capture_logs() as logged:
        await here.begin()
        assert here.stream.listening == frozenset()
        await trio.sleep(10)
    assert here.stream.listening == {"BTCUSDT"}
    assert len(here.account.tokens) == 4
    said = str(logged)
    assert "Invalid listenToken (hidden)" in said
    assert not [token for token in here.account.tokens if token in said]


async def test_without_tokens_it_goes_on_trying_and_does_not_reconnect(autojump_clock: object, listener: Begin) -> None:
    here = listener()
    here.account.is_down = True
    await here.begin()
    await trio.sleep(600)
    assert len(here.account.lines) == 1
    here.account.is_down = False
    await trio.sleep(31)
    assert here.stream.listening == {"BTCUSDT"}


async def test_a_dead_api_changes_nothing_and_is_found_again(autojump_clock: object, listener: Begin) -> None:
    here = listener()
    here.account.is_closed = True
    await here.begin()
    await trio.sleep(3600)
    assert here.hints == []
    here.account.is_closed = False
    await trio.sleep(31)
    assert here.stream.listening == {"BTCUSDT"}
    here.account.lines[-1].cut()
    await trio.sleep(5)
    here.account.open_lines[0].send(report("rb-3"))
    await wait_all_tasks_blocked()
    assert here.hints == ["rb-3"]


@pytest.mark.parametrize("cause", ["shutdown", "age"])
async def test_the_next_connection_listens_before_the_old_one_is_closed(
    autojump_clock: object, listener: Begin, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await listener().begin()
    overlaps: list[int] = []
    real = here.account.take

    def take(line: ServedLine, message: dict[str, Any]) -> None:
        overlaps.append(len(here.account.open_lines))
        real(line, message)
        if len(here.account.open_lines) == 2:
            for one in here.account.open_lines:
                one.send({"subscriptionId": 0, "event": report("rb-4")})

    monkeypatch.setattr(here.account, "take", take)
    if cause == "shutdown":
        here.account.open_lines[0].send({"event": {"e": "serverShutdown", "E": 1770123456789}})
        await trio.sleep(5)
    else:
        await trio.sleep(DAY_SECONDS + 60)
    assert 2 in overlaps
    assert [line.number for line in here.account.open_lines] == [2]
    assert here.hints == ["rb-4"]
    assert not here.account.terminated


async def test_a_hint_that_fails_breaks_nothing(autojump_clock: object, listener: Begin) -> None:
    here = await listener().begin()
    here.fails = True
    (line,) = here.account.open_lines
    line.send(report("rb-5"))
    line.send(report("rb-6", 2))
    line.outgoing.send_nowait("{")
    await wait_all_tasks_blocked()
    assert here.hints == ["rb-5", "rb-6"]
    assert line.is_open


async def test_nobody_is_listened_to_unless_asked(autojump_clock: object, listener: Begin) -> None:
    here = listener()
    here.nursery.start_soon(here.stream.run)
    await trio.sleep(100)
    assert not here.account.lines
    here.stream.follow("BTCUSDT")
    await trio.sleep(1)
    here.stream.follow("ETHUSDT")
    await trio.sleep(1)
    assert here.stream.listening == {"BTCUSDT", "ETHUSDT"}
    here.stream.leave("BTCUSDT")
    await trio.sleep(7200)
    assert here.stream.listening == {"ETHUSDT"}
    assert [symbol for _, symbol in here.account.subscriptions].count("BTCUSDT") == 1


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        (
            '{"id":"1","status":200,"result":{"subscriptionId":1,"expirationTime":1749094553955907},"rateLimits":[]}',
            user_codec.Subscribed(
                request_id="1",
                subscription_id=1,
                expires_at=datetime(2025, 6, 5, 3, 35, 53, 955907, tzinfo=UTC),
            ),
        ),
        (
            '{"id":2,"status":200,"result":{"expirationTime":"1749094553955"}}',
            user_codec.Subscribed(request_id=2, expires_at=datetime(2025, 6, 5, 3, 35, 53, 955000, tzinfo=UTC)),
        ),
        (
            '{"id":"3","status":400,"error":{"code":-1209,"msg":"Invalid listenToken."}}',
            RequestRefused(request_id="3", code=-1209, message="Invalid listenToken."),
        ),
        ('{"event":{"e":"serverShutdown","E":1770123456789}}', ServerShutdown()),
        ('{"e":"eventStreamTerminated","E":1}', user_codec.Terminated(subscription_id=None)),
        ('{"e":"balanceUpdate","a":"BTC"}', OtherFrame(kind="balanceUpdate")),
        (
            json.dumps(report("rb")),
            user_codec.OrderNews(symbol="BTCUSDT", client_order_id="rb", order_id=7, execution=1),
        ),
    ],
)
def test_frames_of_the_websocket_api(text: str, frame: object) -> None:
    assert user_codec.decode(text) == frame


def test_a_report_without_an_execution_id_is_told_by_its_trade() -> None:
    bare = {key: value for key, value in report("rb").items() if key != "I"}
    first = user_codec.decode(json.dumps(bare))
    second = user_codec.decode(json.dumps({**bare, "t": 6}))
    assert first != second


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(ListenToken(token="secret"))
    with pytest.raises(MalformedFrame) as error:
        user_codec.decode('{"listenToken":"secret"')
    assert "secret" not in str(error.value)
