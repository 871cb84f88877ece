"""What a trade costs from the socket to ten watches, beside a bare trio-websocket with a msgspec decoder behind it.

The feed is the daemon's own, the trades come over loopback from another process, and what is counted is the time that
this process had the processor, in the kernel too. Every round is also a proof: each trade came, once and in order.
"""

import gc
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx
import msgspec
import trio

from robson.bench.certificate import trusted_certificate
from robson.bench.feed_sender import FIRST_ID
from robson.bench.feed_sender import __name__ as sender_module
from robson.bench.figure import Figure, Target
from robson.bench.setting import Setting
from robson.domain.market import Tick
from robson.domain.values import Side

SYMBOL = "BTCUSDT"
WATCHES = 10
SLOW, FAST = 1_000, 5_000
BURST = 100_000
_PATIENCE_SECONDS = 120.0
_MILLION = 1_000_000
_BURST_NOTE = "the burst is sent as fast as the socket takes it; every trade was counted and in order"


def measure(setting: Setting) -> Iterable[Figure]:
    """Microseconds of processor time a trade, paced and in a burst, without and with TLS."""
    with _market() as market:
        for rate, target in ((SLOW, None), (FAST, Target(1.4, beyond=1.0))):
            count = setting.size(rate * 3 // 2, rate // 10)
            ours, bare = setting.in_turn(
                partial(_cost, _ours, market, rate, count), partial(_cost, _bare, market, rate, count)
            )
            what = f"ingest, CPU a trade at {rate:,}/s, {WATCHES} watches"
            yield Figure(f"feed.at_{rate}", what, "us", ours, bare, target, "bare: trio-websocket + msgspec, no watch")
        yield from _burst(setting, market)
    with _trusted(setting) as certificate, _market(certificate) as safe, _market() as market:
        count = setting.size(FAST, FAST // 10)
        ours, bare = setting.in_turn(partial(_cost, _ours, safe, FAST, count), partial(_cost, _bare, safe, FAST, count))
        yield Figure("feed.tls", f"the same over TLS at {FAST:,}/s", "us", ours, bare, None, "bare: over TLS, too")
        ours, plain = setting.in_turn(
            partial(_cost, _ours, safe, FAST, count), partial(_cost, _ours, market, FAST, count)
        )
        yield Figure(
            "feed.tls_added", f"TLS beside none at {FAST:,}/s", "us", ours, plain, None, "bare: ours without TLS"
        )


def _burst(setting: Setting, market: "_Sender") -> Iterable[Figure]:
    count = setting.size(BURST, BURST // 20)
    taken: dict[Callable[..., object], list[_Taken]] = {_ours: [], _bare: []}

    def cost(read: "_Read") -> float:
        one = _run(read, market, 0, count)
        taken[read].append(one)
        return one.cpu_us

    ours, bare = setting.in_turn(partial(cost, _ours), partial(cost, _bare))
    waiting = max(one.waiting for one in taken[_ours])
    note = f"{_BURST_NOTE}; when its last byte was sent, {waiting:,} trades at most were still in the sockets' buffers"
    yield Figure("feed.burst", f"ingest, CPU a trade in a burst of {count:,}", "us", ours, bare, None, note)
    seconds = [tuple(one.seconds for one in taken[read][1:]) for read in (_ours, _bare)]
    yield Figure("feed.burst_seconds", f"until the last of {count:,} was observed", "s", seconds[0], seconds[1])


@dataclass
class _Taken:
    """How a stream of trades was taken: the readings at the first, at the last, and when each thousandth came."""

    count: int
    next_id: int = FIRST_ID
    began: float = 0.0
    cpu_began: float = 0.0
    seconds: float = 0.0
    cpu_us: float = 0.0
    # Trades that the sender had handed over before they were observed, at the most.
    waiting: int = 0
    came: list[float] = field(default_factory=list)
    done: trio.Event = field(default_factory=trio.Event)

    def take(self, trade_id: int | None) -> None:
        """Take the next one; any other than that is a fault."""
        if trade_id != self.next_id:
            raise AssertionError(f"trade {self.next_id} was due, {trade_id} came")
        self.next_id += 1
        number = self.next_id - FIRST_ID
        if number == 1:
            self.began, self.cpu_began = time.monotonic(), time.process_time()
        if not number % 1000 or number == self.count:
            self.came.append(time.monotonic())
        if number == self.count:
            self.seconds = time.monotonic() - self.began
            self.cpu_us = (time.process_time() - self.cpu_began) * _MILLION / (self.count - 1)
            self.done.set()


@dataclass
class _Sender:
    """The process that sends, and where it listens."""

    process: subprocess.Popen[str]
    url: str

    def say(self, line: str) -> None:
        """One line to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def told(self) -> dict[str, float]:
        """The next line from it."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the sender has ended"
        return msgspec.json.decode(line, type=dict[str, float])


@contextmanager
def _market(certificate: Path | None = None) -> Iterator[_Sender]:
    """A sender, over TLS where there is a certificate."""
    command = [sys.executable, "-m", sender_module, *([str(certificate)] if certificate is not None else [])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            sender = _Sender(process, "")
            scheme = "ws" if certificate is None else "wss"
            sender.url = f"{scheme}://127.0.0.1:{sender.told()['port']:.0f}"
            yield sender
        finally:
            process.kill()


_Read = Callable[[str, _Taken], Awaitable[None]]


def _cost(read: _Read, sender: _Sender, rate: int, count: int) -> float:
    return _run(read, sender, rate, count).cpu_us


def _run(read: _Read, sender: _Sender, rate: int, count: int) -> _Taken:
    """One round in a loop of its own; AssertionError where a trade is missing, doubled, late or out of order."""
    sender.say("next")
    # As the daemon does: what is loaded by now is not looked through again while trades come.
    gc.collect()
    gc.freeze()
    try:
        taken = trio.run(_within, read, f"{sender.url}/{rate}/{count}", count)
    finally:
        gc.unfreeze()
    assert taken.next_id == FIRST_ID + count, taken.next_id
    told = sender.told()
    after = sum(1 for at in taken.came if at > told["sent_at"])
    taken.waiting = min(after * 1000, count)
    room = _buffers() // (int(told["bytes"]) // count) + 1000
    assert taken.waiting <= room, f"{taken.waiting} trades came after the last was sent, the sockets hold {room}"
    return taken


async def _within(read: _Read, url: str, count: int) -> _Taken:
    taken = _Taken(count)
    with trio.fail_after(_PATIENCE_SECONDS):
        await read(url, taken)
    return taken


def _buffers() -> int:
    """The most bytes that the kernel keeps between two sockets of this machine."""
    places = ("/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem")
    return sum(int(Path(place).read_text("ascii").split()[2]) for place in places)


async def _ours(url: str, taken: _Taken) -> None:
    """The daemon's feed and fan-out, with ten stops behind the market."""
    from robson.clock import RunClock
    from robson.config import Binance, Feed
    from robson.engine.trailing import Watch
    from robson.feed.binance.opening import open_prices
    from robson.feed.fanout import FanOut
    from robson.venue.binance.client import Client

    clock = RunClock()
    client = Client("http://exchange.invalid", None, clock, transport=_Rest())
    feed = open_prices(Feed(), Binance(stream_url=url), client)
    fan_out = FanOut(feed, clock, Feed().stale_after_seconds)

    class Counted:
        """The market, with a look at each trade on its way."""

        def observe(self, tick: Tick) -> bool:
            if not tick.polled:
                taken.take(tick.trade_id)
            return fan_out.observe(tick)

        def interrupted(self, symbol: str, reason: str) -> None:
            # Before the first, the sender is still making them up.
            if taken.began and not taken.done.is_set():
                raise AssertionError(f"{symbol} was interrupted: {reason}")

    await fan_out.subscribe(SYMBOL)
    watches = [Watch(Side.LONG, Decimal(90_000), Decimal(97_000), Decimal(7_000)) for _ in range(WATCHES)]
    attached = [fan_out.attach(SYMBOL, watch, _never) for watch in watches]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed.run, Counted())
        nursery.start_soon(fan_out.make_up)
        await taken.done.wait()
        nursery.cancel_scope.cancel()
    for watch, attachment in zip(watches, attached, strict=True):
        assert watch.trade_id == FIRST_ID + taken.count - 1, watch.trade_id
        attachment.detach()
    assert fan_out.states()[SYMBOL].dropped == 0
    await client.aclose()


def _never(_crossing: object) -> None:
    raise AssertionError("a stop far behind the market was hit")


class _Rest(httpx.AsyncBaseTransport):
    """The exchange's REST API, which has no trades: what the stream leaves out would be missed for good."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.extensions["trace"]("http11.send_request_headers.started", {})
        answer = b'{"serverTime":1732300000000}' if request.url.path.endswith("time") else b"[]"
        return httpx.Response(200, stream=httpx.ByteStream(answer))


class _Trade(msgspec.Struct):
    symbol: str = msgspec.field(name="s")
    trade_id: int = msgspec.field(name="a")
    price: Decimal = msgspec.field(name="p")
    quantity: Decimal = msgspec.field(name="q")
    at: int = msgspec.field(name="T")


class _Frame(msgspec.Struct):
    stream: str
    data: _Trade


async def _bare(url: str, taken: _Taken) -> None:
    """trio-websocket with a large queue and large reads, one decoder, and nobody who watches."""
    from trio_websocket import open_websocket_url

    decoder = msgspec.json.Decoder(_Frame)
    tls = ssl.create_default_context() if url.startswith("wss") else None
    async with open_websocket_url(f"{url}/stream", tls, message_queue_size=64, receive_buffer_size=1 << 16) as socket:
        await socket.send_message('{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}')
        await socket.get_message()
        while not taken.done.is_set():
            taken.take(decoder.decode(await socket.get_message()).data.trade_id)


@contextmanager
def _trusted(setting: Setting) -> Iterator[Path]:
    with setting.place("tls") as place, trusted_certificate(place) as certificate:
        yield certificate
