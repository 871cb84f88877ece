"""A real Chromium without a window, driven by its own protocol over a WebSocket on loopback."""

import base64
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from tests.end_to_end.daemon import ROOT

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.1
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
BUILD = ROOT / "build" / "browser"
AXE = "axe-core@4.10.3"
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions")


def missing() -> str | None:
    """Why no browser can be used here; None if one can."""
    if "ROBSON_TEST_BROWSER" not in os.environ:
        return "it is done by `make browser`"
    return None if shutil.which("chromium") else "chromium is not installed"


def axe_source() -> str | None:
    """The accessibility checker axe, from npm the first time; None where it cannot be had."""
    file = BUILD / "axe.min.js"
    if not file.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["npm", "pack", "--silent", AXE], cwd=BUILD, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None
        with tarfile.open(BUILD / done.stdout.strip().splitlines()[-1]) as packed:
            member = packed.extractfile("package/axe.min.js")
            assert member is not None
            file.write_bytes(member.read())
    return file.read_text("utf-8")


class Tab:
    """One page; `complaints` is what its console and its network had to say."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._answered = trio.Event()
        self.complaints: list[str] = []

    async def listen(self) -> None:
        """Take what the browser says until cancelled."""
        while True:
            said = json.loads(await self._socket.get_message())
            if "id" in said:
                self._answers[said["id"]] = said
                self._answered.set()
                self._answered = trio.Event()
                continue
            found, detail = said["method"], said.get("params", {})
            if found == "Log.entryAdded" and detail["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(detail["entry"]["text"])
            elif found == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(detail["exceptionDetails"]))
            elif found == "Runtime.consoleAPICalled" and detail["type"] in {"error", "warning", "assert"}:
                self.complaints.append(json.dumps(detail["args"]))

    async def ask(self, method: str, **arguments: Any) -> Any:
        """The result of one command."""
        number = next(self._numbers)
        with trio.fail_after(PATIENCE_SECONDS):
            await self._socket.send_message(json.dumps({"id": number, "method": method, "params": arguments}))
            while number not in self._answers:
                await self._answered.wait()
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    async def value(self, expression: str) -> Any:
        """What a script in the page says; a promise is waited for."""
        found = await self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a script in the page says something true."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not await self.value(expression):  # noqa: ASYNC110  the page has no event for everything
                await trio.sleep(LOOK_SECONDS)

    async def open(self, address: str) -> None:
        """Go to an address, and wait until all is there."""
        await self.ask("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def show(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """A screen of this size in logical pixels."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.ask("Emulation.setEmulatedMedia", features=features)

    async def picture(self, file: Path) -> None:
        """The whole page as PNG."""
        found = await self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(found["data"]))

    async def press(self, key: str, *, code: int) -> None:
        """One key, down and up."""
        for kind in ("rawKeyDown", "keyUp"):
            await self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)


@asynccontextmanager
async def tab(profile: Path) -> AsyncIterator[Tab]:
    """A browser with one empty page; it is gone afterwards, whatever happened."""
    command = ["chromium", *_FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:  # noqa: ASYNC220
        try:
            address = await _address(profile)
            async with open_websocket_url(address, max_message_size=MESSAGE_BYTES_MAX) as socket:
                made = Tab(socket)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(made.listen)
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        await made.ask(f"{domain}.enable")
                    yield made
                    nursery.cancel_scope.cancel()
        finally:
            browser.kill()


async def _address(profile: Path) -> str:
    """Where the page listens; the browser writes its port into the profile when it does."""
    file = profile / "DevToolsActivePort"
    with trio.fail_after(PATIENCE_SECONDS):
        while True:
            with_port = file.read_text("utf-8").splitlines() if file.exists() else []
            if len(with_port) > 1:
                break
            await trio.sleep(LOOK_SECONDS)
        async with httpx.AsyncClient() as client:
            pages = (await client.get(f"http://127.0.0.1:{with_port[0]}/json/list")).json()
    (page,) = [each for each in pages if each["type"] == "page"]
    found: str = page["webSocketDebuggerUrl"]
    return found
