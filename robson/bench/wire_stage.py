"""A daemon in live mode, the venue that it trades at, who tells the time between them, and the bare script beside."""

import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Self

from robson.bench.setting import Setting

PAIR, BARE_PAIR = "BTCUSDT", "ETHUSDT"
PRICE, BARE_PRICE = Decimal(100_000), Decimal(2_001)
PATIENCE_SECONDS = 60.0
# The nearest stop's distance from the entry (quote), and how far each is from the next: one price hits one stop.
NEAREST, APART = Decimal(200), Decimal(1)
# Before each price that hits come some that do not, as in a market.
BEFORE, BETWEEN_SECONDS, PAUSE_SECONDS = 3, 0.0025, 0.01
_MOST = 1200
_CENT = Decimal("0.01")
# `robson run`, but that it may send more requests a minute than the exchange allows.
_UNMETERED = (
    "import sys; from robson.venue.binance.endpoints import Limit; Limit.per_minute = property(lambda _: 10**12);"
    "from robson.__main__ import main; sys.exit(main())"
)


class Stage:
    """Everything that is measured; times in microseconds."""

    def __init__(self, place: Path, stack: ExitStack, profile: Sequence[str] = ()) -> None:
        self._stack = stack
        self._place = place
        venue = self._start("venue", "-m", "robson.bench.wire_venue", str(place / "venue"))
        port = int(_line(venue))
        self._venue = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        self._front = self._start("front", "-m", "robson.bench.wire_front", str(port))
        self._front_port = int(_line(self._front))
        # A pair without a trade has no price to judge an entry by.
        self.trade(PAIR, PRICE)
        self.trade(BARE_PAIR, BARE_PRICE)
        self._start_daemon(profile)
        limit = str(BARE_PRICE - 1)
        credentials = str(place / "venue" / "credentials")
        bare = self._start(
            "bare", "-m", "robson.bench.bare_order", str(self._front_port), str(place), credentials, limit
        )
        assert _line(bare) == "ready"
        self._stops: dict[str, Decimal] = {}

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        (self._place / name).mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("ROBSON_", "STATE_", "RUNTIME_"))}
        environment["ROBSON_LOG_LEVEL"] = "info"
        with (self._place / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
            )
        self._stack.callback(_end, process)
        return process

    def _start_daemon(self, profile: Sequence[str]) -> None:
        at = f"127.0.0.1:{self._front_port}"
        (self._place / "robson.toml").write_text(
            f'mode = "live"\n[feed]\nsource = "binance"\nstale_after_seconds = 600\n[binance]\n'
            f'rest_url = "http://{at}"\nstream_url = "ws://{at}"\nws_api_url = "ws://{at}/ws-api/v3"\n',
            "utf-8",
        )
        self._start(
            "daemon",
            *(*profile, "-c", _UNMETERED, "run", "--config", str(self._place / "robson.toml")),
            *("--state-dir", str(self._place / "state"), "--socket", str(self._place / "s")),
            *("--credentials-dir", str(self._place / "venue" / "credentials")),
        )
        self.asking = self._stack.enter_context(_Line(self._place / "s"))
        self._told = self._stack.enter_context(_Line(self._place / "s"))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.asking.ask(cmd="hello")["state"] != "live":
            assert time.monotonic() < deadline, (self._place / "daemon.log").read_text("utf-8")
            _pause(0.02)
        self._told.ask(cmd="subscribe", types=["entry_filled", "position_closed", "signal_rejected", "position_error"])

    # --- the trader ---------------------------------------------------------------------------------------------------

    def trade(self, symbol: str, price: Decimal) -> None:
        """One trade at the venue."""
        body = json.dumps({"symbol": symbol, "price": str(price)})
        self._venue.request("POST", "/control/price", body)
        reply = self._venue.getresponse()
        told = reply.read()
        assert reply.status == 200, told  # noqa: PLR2004

    def enter(self, count: int) -> None:
        """Let so many longs come into the market, each with a stop of its own."""
        arm = {"cmd": "arm", "symbol": PAIR, "side": "long", "strategy": "signal", "risk_percent": "0.1"}
        armed = [self.asking.ask(**arm)["position_id"] for _ in range(count)]
        _until(self._is_fresh)
        taken = {round(stop) for stop in self._stops.values()}
        free = (stop for number in range(2 * _MOST) if (stop := PRICE - NEAREST - APART * number) not in taken)
        for position_id, stop in zip(armed, free, strict=False):
            told = self.asking.ask(cmd="signal", position_id=position_id, entry_price=str(PRICE), stop_price=str(stop))
            assert told["accepted"], told
        for _ in range(count):
            self._told.event("entry_filled")
        positions = self.asking.ask(cmd="status")["positions"]
        self._stops = {one["position_id"]: Decimal(one["trailing_stop"]) for one in positions}

    def _is_fresh(self) -> bool:
        """Whether the daemon knows the price that entries are to happen at."""
        self.trade(PAIR, PRICE)
        seen = self.asking.ask(cmd="status")["feed"].get(PAIR, {})
        return seen.get("stale") is False and Decimal(seen["last_price"] or 0) == PRICE

    @property
    def active(self) -> int:
        """How many positions are in the market."""
        return len(self._stops)

    def hit_one(self) -> float:
        """Let a price hit the nearest stop; the time from that price until the first byte of the order (us)."""
        position_id, stop = max(self._stops.items(), key=lambda item: item[1])
        hitting = stop.quantize(_CENT, ROUND_FLOOR)
        taken = self._timed(PAIR, near=hitting + _CENT * 30, hitting=hitting)
        del self._stops[position_id]
        self._told.event("position_closed")
        return taken

    def hit_bare(self) -> float:
        """The same of the bare script."""
        return self._timed(BARE_PAIR, near=BARE_PRICE, hitting=BARE_PRICE - 1)

    def _timed(self, symbol: str, *, near: Decimal, hitting: Decimal) -> float:
        _pause(PAUSE_SECONDS)
        for _ in range(BEFORE):
            self.trade(symbol, near)
            _pause(BETWEEN_SECONDS)
        self._forget_orders()
        self.trade(symbol, hitting)
        price_at, order_at = map(int, _line(self._front).split())
        return (order_at - price_at) / 1000

    def _forget_orders(self) -> None:
        assert self._front.stdout is not None
        while select.select([self._front.stdout], [], [], 0)[0]:
            _line(self._front)


class _Line:
    """One connection to the daemon's control socket."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE_SECONDS)
        _until(lambda: self._socket.connect_ex(str(path)) == 0)
        self._lines = self._socket.makefile("rwb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, **request: object) -> Any:
        """The result of a request that must succeed."""
        self._lines.write(json.dumps(request).encode() + b"\n")
        self._lines.flush()
        reply = json.loads(self._lines.readline())
        assert reply["ok"], reply
        return reply["result"]

    def event(self, wanted: str) -> None:
        """Return at the next event, which must be of this kind."""
        event = json.loads(self._lines.readline())
        assert event["event"] == wanted, event


def _pause(seconds: float) -> None:
    select.select([], [], [], seconds)


def _until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        _pause(0.02)


def _line(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], PATIENCE_SECONDS)[0], f"{process.args!r} said nothing"
    return process.stdout.readline().strip()


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()


@contextmanager
def staged(setting: Setting, name: str, profile: Sequence[str] = ()) -> Iterator[Stage]:
    """A stage of its own on the measured disk; everything ends with the block."""
    with setting.place(name) as place, ExitStack() as stack:
        yield Stage(place, stack, profile)
