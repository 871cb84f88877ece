"""A daemon whose replies are written before they are asked for, and robsonctl run against it."""

import io
import signal
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.protocol.replies import ErrorBody, address, failure, success
from robson.protocol.results import FeedView, PositionView, StatusResult
from robsonctl.cli import run
from robsonctl.connection import Daemon
from robsonctl.session import Session

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_interrupts() -> Iterator[None]:
    """A command that is run in this process must not keep what Ctrl-C does to the tests."""
    kept = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, kept)


class ScriptedDaemon:
    """The far end of robsonctl's connection; its replies wait in the socket."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()

    def reply(self, result: object) -> None:
        self.say(address(None, success(result)))

    def refuse(self, code: str, message: str = "it was refused", hint: str = "") -> None:
        self.say(address(None, failure(ErrorBody(code=code, message=message, hint=hint))))

    def say(self, octets: bytes) -> None:
        self.far.sendall(octets)

    def hang_up(self) -> None:
        self.far.shutdown(socket.SHUT_WR)

    def asked(self) -> list[dict[str, Any]]:
        """Everything that robsonctl sent."""
        self.near.close()
        received = b""
        while chunk := self.far.recv(65_536):
            received += chunk
        return [msgspec.json.decode(line) for line in received.splitlines() if line.strip()]

    def close(self) -> None:
        self.near.close()
        self.far.close()


class Robsonctl:
    """Runs command lines and keeps what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: str) -> int:
        try:
            code = run(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        self.out, self.err = self._capsys.readouterr()
        return code


class Terminal(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedDaemon]:
    scripted = ScriptedDaemon()
    monkeypatch.setattr(Session, "present", lambda self: NOON)
    monkeypatch.setattr(Daemon, "connected", lambda self: scripted.near)
    yield scripted
    scripted.close()


@pytest.fixture
def robsonctl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Robsonctl:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    for name in ("ROBSON_SOCKET", "ROBSON_STATE_DIR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Robsonctl(capsys)


def position(position_id: str = "p-1", **changes: Any) -> PositionView:
    view = PositionView(
        position_id=position_id,
        symbol="BTCUSDT",
        side="long",
        state="Armed",
        strategy="signal",
        capital=Decimal(10000),
        risk_percent=Decimal(1),
        armed_at=NOON - timedelta(minutes=4, seconds=8),
    )
    return msgspec.structs.replace(view, **changes)


def status(*positions: PositionView, **changes: Any) -> StatusResult:
    result = StatusResult(
        mode="paper",
        state="live",
        panic_latched=False,
        feed={"BTCUSDT": FeedView(age_seconds=0.25, last_price=Decimal("95010.10"), stale=False)},
        unprotected_seconds=0.0,
        positions=positions,
    )
    return msgspec.structs.replace(result, **changes)
