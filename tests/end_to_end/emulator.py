"""`robson emulator` as a process of its own, and what a test asks of it over HTTP."""

import hashlib
import hmac
import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from tests.end_to_end.daemon import PATIENCE_SECONDS, environment

PAIR, ORDER = "BTCUSDT", "/sapi/v1/margin/order"


@contextmanager
def starting(directory: Path, kind: type["Emulator"]) -> Iterator[Callable[..., Any]]:
    """A maker of emulators in a directory; those that still run at the end must end well."""
    started: list[Emulator] = []

    def make(*arguments: str, name: str = "emulator", env: dict[str, str] | None = None) -> Emulator:
        found = kind(directory / name, *arguments, env=env).start()
        started.append(found)
        return found

    yield make
    for emulator in started:
        if emulator.process is not None and emulator.process.poll() is None:
            assert emulator.stop() == 0, emulator.log.read_text()


class Emulator:
    """One `robson emulator` on a free port; `start` returns once it listens."""

    def __init__(self, state: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.state = state
        self.arguments = arguments
        self.env = environment(env)
        self.log = state.with_name(state.name + ".log")
        self.process: subprocess.Popen[str] | None = None
        self.port = 0
        self.said = ""

    def start(self) -> Self:
        """Start it, on the port that it had before if it was started before."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "robson", "emulator", "--listen", f"127.0.0.1:{self.port}"),
                    *("--state-dir", str(self.state), *self.arguments),
                ],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline() + self.process.stdout.readline()
        assert self.said.startswith("listening on http://127.0.0.1:"), (self.said, self.log.read_text())
        self.port = int(self.said.split()[2].rpartition(":")[2])
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return self.process.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """Kill it if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGKILL)

    def request(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """Status and JSON (or text) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), headers or {})
            reply = connection.getresponse()
            content = reply.read()
            return reply.status, json.loads(content) if content.startswith((b"{", b"[")) else content
        finally:
            connection.close()

    def ask(self, method: str, path: str, **parameters: object) -> Any:
        """A signed request."""
        keys = self.state / "credentials"
        secret = (keys / "binance-api-secret").read_text().strip()
        now = self.request("GET", "/api/v3/time")[1]["serverTime"]
        query = urlencode({**parameters, "timestamp": now})
        signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        key = (keys / "binance-api-key").read_text().strip()
        return self.request(method, f"{path}?{query}&signature={signature}", headers={"X-MBX-APIKEY": key})

    def order(self, side: str, quantity: str, **more: object) -> Any:
        """Place a market order on the pair; status and answer."""
        asked = {"symbol": PAIR, "side": side, "type": "MARKET", "quantity": quantity, "isIsolated": "TRUE", **more}
        return self.ask("POST", ORDER, **asked)

    def account(self) -> Any:
        """The pair's isolated account."""
        return self.ask("GET", "/sapi/v1/margin/isolated/account", symbols=PAIR)[1]["assets"][0]

    # --- what a rehearsal needs --------------------------------------------------------------------------------------

    @property
    def credentials(self) -> Path:
        """Where the keys are that it accepts."""
        return self.state / "credentials"

    def settings(self, **more: str) -> str:
        """A robson.toml that points all three addresses here; `more` are lines of `[feed]`."""
        feed = "".join(f"{key} = {value}\n" for key, value in more.items())
        at = f"127.0.0.1:{self.port}"
        return (
            f'mode = "live"\n[feed]\nsource = "binance"\n{feed}[binance]\nrest_url = "http://{at}"\n'
            f'stream_url = "ws://{at}"\nws_api_url = "ws://{at}/ws-api/v3"\n'
        )

    def arm(self, fault: str, **more: object) -> None:
        """Arm a fault."""
        status, reply = self.request("POST", "/control/faults", {"fault": fault, **more})
        assert status == 200, reply

    def clear(self) -> None:
        """Disarm every fault."""
        assert self.request("DELETE", "/control/faults")[0] == 200

    def fired(self) -> dict[str, int]:
        """How often each fault was met."""
        found: dict[str, int] = self.request("GET", "/control/faults")[1]["fired"]
        return found

    def trade_at(self, price: Decimal, symbol: str = PAIR) -> None:
        """Make up one trade at a price (quote per base)."""
        status, reply = self.request("POST", "/control/price", {"symbol": symbol, "price": str(price)})
        assert status == 200, reply

    def orders(self) -> list[Any]:
        """Every order on the pair, oldest first."""
        status, found = self.ask("GET", "/sapi/v1/margin/allOrders", symbol=PAIR, isIsolated="TRUE")
        assert status == 200, found
        orders: list[Any] = found
        return orders
