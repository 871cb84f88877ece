"""The emulator that a live daemon under test trades with: another real process, with faults, that is killed as well."""

import re
import ssl
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import trio

from robson.commands.selftest.child import Child, SelftestFailed
from robson.commands.selftest.weather import weather
from robson.domain.values import plain

ACCOUNT_FILE = "emulator.db"
_LISTENING_SECONDS = 60.0
_AGAIN_SECONDS = 0.2
_LOOK_SECONDS = 0.02
_ANSWER_SECONDS = 10.0
# Reading the list of authorities takes a while; a plain address does without.
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# Little money, so that longs borrow, too; and low fees, so that it lasts.
_SETTINGS = {"ROBSON_PAPER_COLLATERAL": "20000", "ROBSON_PAPER_FEE_RATE": "0.0002"}
# In turn, one for each start: what an order brings in pays its fee, or a third asset does.
_FEE_ASSETS = ("", "BNB")
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+) ")
_CONFIGURATION = """\
mode = "live"
[feed]
source = "binance"
stale_after_seconds = 3
[binance]
rest_url = "http://127.0.0.1:{port}"
stream_url = "ws://127.0.0.1:{port}"
ws_api_url = "ws://127.0.0.1:{port}/ws-api/v3"
"""


class EmulatedCounterpart:
    """One emulator: its account, its keys, its port and its faults outlive each of its processes."""

    settings: Mapping[str, str] = {}

    def __init__(self, place: Path, seed: str) -> None:
        """Everything of it lies below `place`."""
        self.account = place / "emulator" / ACCOUNT_FILE
        self.fired: Counter[str] = Counter()
        self.strikes = 0
        self._state = place / "emulator"
        self._configuration = place / "robson.toml"
        self._log = place / "emulator.log"
        self._seed = seed
        self._child = Child("emulator", self._log, _SETTINGS)
        self._port = 0

    def flags(self, run: int) -> Sequence[str]:
        """The daemon's flags: where the emulator is, and its keys."""
        return ("--config", str(self._configuration), "--credentials-dir", str(self._state / "credentials"))

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._child.is_running

    def running(self) -> AbstractAsyncContextManager[None]:
        """Whatever was started in the block is killed at its end."""
        return self._child.running()

    async def start(self) -> None:
        """Start its next process on the same port, and have the next faults drawn; raises SelftestFailed."""
        with trio.move_on_after(_LISTENING_SECONDS):
            while True:
                read = self._log.stat().st_size if self._log.exists() else 0
                fee_asset = _FEE_ASSETS[self._child.starts % len(_FEE_ASSETS)]
                await self._child.start(
                    *("--listen", f"127.0.0.1:{self._port}", "--state-dir", str(self._state), "--control"),
                    *("--seed", self._seed, "--log-level", "warning"),
                    settings={"ROBSON_PAPER_FEE_ASSET": fee_asset} if fee_asset else {},
                )
                if await self._listens(read):
                    await self._ask("POST", "random", weather(f"{self._seed}-{self._child.starts}"))
                    return
                # A connection that somebody tried meanwhile may hold the port for a moment.
                await self._child.kill()
                await trio.sleep(_AGAIN_SECONDS)
        raise SelftestFailed(
            f"robson emulator did not listen within {_LISTENING_SECONDS:g} s:\n{self._child.log_tail()}"
        )

    async def count(self) -> None:
        """Take the faults that this process has met, which it is about to forget; once for each process."""
        self.fired.update((await self._ask("GET", "faults"))["fired"])

    async def strike(self) -> None:
        """SIGKILL; raises SelftestFailed when it was dead already."""
        await self._child.strike()
        self.strikes += 1

    async def calm(self) -> None:
        """Clear all faults, the last process's count of them taken."""
        self.fired.update((await self._ask("DELETE", "faults"))["fired"])

    async def stop(self) -> None:
        """SIGTERM; raises SelftestFailed unless it ends in time and with 0."""
        await self._child.stop()

    async def trade(self, symbol: str, price: Decimal) -> None:
        """One trade at this price (quote per base), if anybody is there to make it."""
        with suppress(SelftestFailed):
            await self._ask("POST", "price", {"symbol": symbol, "price": plain(price)})

    async def _listens(self, read: int) -> bool:
        """Wait until the process says where it listens; False when it has ended."""
        while self._child.is_running:
            found = _LISTENING.search(self._log.read_bytes()[read:].decode("utf-8", "replace"))
            if found is not None:
                self._port = int(found[1])
                self._configuration.write_text(_CONFIGURATION.format(port=self._port))
                return True
            await trio.sleep(_LOOK_SECONDS)
        return False

    async def _ask(self, method: str, path: str, value: object = None) -> Any:
        """One control request; raises SelftestFailed without a good answer."""
        address = f"http://127.0.0.1:{self._port}/control/{path}"
        content = msgspec.json.encode(value) if value is not None else None
        try:
            async with httpx.AsyncClient(timeout=_ANSWER_SECONDS, trust_env=False, verify=_PLAIN) as client:
                answer = await client.request(method, address, content=content)
                answer.raise_for_status()
        except httpx.HTTPError as error:
            raise SelftestFailed(f"the emulator did not answer {method} {path}: {error!r}") from error
        return answer.json()
