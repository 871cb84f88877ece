"""A daemon in live mode, the venue that it trades at, who tells the time between them, and the bare script beside."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from robson.bench.certificate import trusted_certificate
from robson.bench.setting import Setting
from robson.bench.wire_line import PATIENCE_SECONDS, Told, end, has_line, line, pause, quiet, start, until

OUTSIDE = "outside"
PAIR, BARE_PAIR = "BTCUSDT", "ETHUSDT"
PRICE, BARE_PRICE = Decimal(100_000), Decimal(2_001)
# The nearest stop's distance from the entry (quote), and how far each is from the next: one price hits one stop.
NEAREST, APART = Decimal(200), Decimal(1)
# Before each price that hits come some that do not, as in a market.
BEFORE, BETWEEN_SECONDS, PAUSE_SECONDS = 3, 0.0025, 0.01
_MOST = 1200
# Clients that arm and signal at once: the daemon answers each in its order.
_TRADERS = 16
_CENT = Decimal("0.01")
# `robson run`, but that it may send more requests a minute than the exchange allows, and trusts this run's certificate.
_UNMETERED = (
    "import os, sys; from robson.venue.binance.endpoints import Limit; Limit.per_minute = property(lambda _: 10**12);"
    "import certifi; own = os.environ.get('SSL_CERT_FILE'); certifi.where = (lambda: own) if own else certifi.where;"
    "from robson.__main__ import main; sys.exit(main())"
)


class Stage:
    """Everything that is measured; times in microseconds."""

    def __init__(
        self, place: Path, stack: ExitStack, profile: Sequence[str] = (), certificate: Path | None = None
    ) -> None:
        self._stack = stack
        self._place = place
        self._working: list[int] = []
        # Of ours, since `ways` was last asked: each position, and how long its exit took (us).
        self._hits: dict[str, float] = {}
        venue = self._start("venue", "-m", "robson.bench.wire_venue", str(place / "venue"))
        port = int(line(venue))
        self._venue = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        self._safe = "s" if certificate is not None else ""
        tls = () if certificate is None else (str(certificate),)
        self._front = self._start("front", "-m", "robson.bench.wire_front", str(port), *tls)
        self._front_port = int(line(self._front))
        # A pair without a trade has no price to judge an entry by.
        self.trade(PAIR, PRICE)
        self.trade(BARE_PAIR, BARE_PRICE)
        self._start_daemon(profile)
        limit = str(BARE_PRICE - 1)
        credentials = str(place / "venue" / "credentials")
        bare = self._start(
            *("bare", "-m", "robson.bench.bare_order", str(self._front_port), str(place), credentials, limit, *tls)
        )
        assert line(bare) == "ready"
        self._stops: dict[str, Decimal] = {}

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        (self._place / name).mkdir(exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("ROBSON_", "STATE_", "RUNTIME_"))}
        environment |= {"ROBSON_LOG_LEVEL": "info", "ROBSON_CONTROL_REQUESTS_PER_SECOND": "1000000"}
        with (self._place / f"{name}.log").open("wb") as log:
            process = start([sys.executable, *arguments], log, environment)
        self._stack.callback(end, process)
        self._working.append(process.pid)
        return process

    def _start_daemon(self, profile: Sequence[str]) -> None:
        at = f"127.0.0.1:{self._front_port}"
        (self._place / "robson.toml").write_text(
            f'mode = "live"\n[feed]\nsource = "binance"\nstale_after_seconds = 600\n[binance]\n'
            f'rest_url = "http{self._safe}://{at}"\nstream_url = "ws{self._safe}://{at}"\n'
            f'ws_api_url = "ws{self._safe}://{at}/ws-api/v3"\n',
            "utf-8",
        )
        self._start(
            "daemon",
            *(*profile, "-c", _UNMETERED, "run", "--config", str(self._place / "robson.toml")),
            *("--state-dir", str(self._place / "state"), "--socket", str(self._place / "s")),
            *("--credentials-dir", str(self._place / "venue" / "credentials")),
        )
        self.asking = self._stack.enter_context(Told(self._place / "s"))
        self._told = self._stack.enter_context(Told(self._place / "s"))
        self._traders = [self._stack.enter_context(Told(self._place / "s")) for _ in range(_TRADERS)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.asking.ask(cmd="hello")["state"] != "live":
            assert time.monotonic() < deadline, (self._place / "daemon.log").read_text("utf-8")
            pause(0.02)
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
        armed = [told["position_id"] for told in self._ask_all([arm] * count)]
        until(self._is_fresh)
        taken = {round(stop) for stop in self._stops.values()}
        free = (stop for number in range(2 * _MOST) if (stop := PRICE - NEAREST - APART * number) not in taken)
        signals = [
            {"cmd": "signal", "position_id": position_id, "entry_price": str(PRICE), "stop_price": str(stop)}
            for position_id, stop in zip(armed, free, strict=False)
        ]
        for told in self._ask_all(signals):
            assert told["accepted"], told
        for _ in range(count):
            self._told.event("entry_filled")
        positions = self.asking.ask(cmd="status")["positions"]
        self._stops = {one["position_id"]: Decimal(one["trailing_stop"]) for one in positions}

    def _ask_all(self, requests: Sequence[Mapping[str, object]]) -> Iterator[Any]:
        """The result of each, asked by several traders at once."""
        for begin in range(0, len(requests), _TRADERS):
            some = requests[begin : begin + _TRADERS]
            for trader, request in zip(self._traders, some, strict=False):
                trader.send(request)
            for trader, _ in zip(self._traders, some, strict=False):
                yield trader.result()

    def settle(self) -> bool:
        """Wait until what came before has no consequences any longer; whether that was reached in time."""
        return quiet(self._working)

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
        self._hits[position_id] = taken
        return taken

    def ways(self) -> list[dict[str, float]]:
        """Each hit of ours since this was last asked, by stage (us), and what of it was outside of the daemon."""
        found: list[dict[str, float]] = []
        for position_id, taken in self._hits.items():
            stages = self.asking.ask(cmd="why", position_id=position_id)["exit"]["stages_us"]
            if stages is not None:
                found.append({**stages, OUTSIDE: taken - sum(stages.values())})
        self._hits.clear()
        return found

    def hit_bare(self) -> float:
        """The same of the bare script."""
        return self._timed(BARE_PAIR, near=BARE_PRICE, hitting=BARE_PRICE - 1)

    def _timed(self, symbol: str, *, near: Decimal, hitting: Decimal) -> float:
        pause(PAUSE_SECONDS)
        for _ in range(BEFORE):
            self.trade(symbol, near)
            pause(BETWEEN_SECONDS)
        self._forget_orders()
        self.trade(symbol, hitting)
        price_at, order_at = map(int, line(self._front).split())
        return (order_at - price_at) / 1000

    def _forget_orders(self) -> None:
        while has_line(self._front):
            line(self._front)


@contextmanager
def staged(setting: Setting, name: str, profile: Sequence[str] = (), *, tls: bool = False) -> Iterator[Stage]:
    """A stage of its own on the measured disk, over TLS where that is asked for; everything ends with the block."""
    with setting.place(name) as place, ExitStack() as stack:
        certificate = stack.enter_context(trusted_certificate(place)) if tls else None
        yield Stage(place, stack, profile, certificate)
