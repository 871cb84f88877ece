"""`robson run` as a process of its own, on a state directory of its own, and the clients that talk to it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from robson.store.seal import forget_seal

ROOT = Path(__file__).resolve().parents[2]
# Generous: a loaded machine must not fail a test, and a passing one never waits for it.
PATIENCE_SECONDS = 30.0
# Between two tries of what cannot be waited for by an event.
TRY_SECONDS = 0.02

Reply = dict[str, Any]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without anything that would steer Robson, and with `extra`."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ROBSON_", "STATE_", "RUNTIME_", "XDG_"))}
    return {**inherited, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **(extra or {})}


def robson(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `robson …` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "robson", *arguments],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


class Client:
    """One connection: JSON lines out, replies and event lines in, never longer than the deadline."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.socket.close()
            raise
        self.events: list[Reply] = []
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, *lines: str | bytes) -> None:
        """Send lines in one go; a line feed is added to each."""
        self.socket.sendall(b"".join((x.encode() if isinstance(x, str) else x) + b"\n" for x in lines))

    def line(self) -> Reply:
        """The next line; EOFError at the daemon's end."""
        while b"\n" not in self._unread:
            chunk = self.socket.recv(1 << 20)
            if not chunk:
                raise EOFError("the daemon closed the connection")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        found: Reply = json.loads(line)
        return found

    def reply(self) -> Reply:
        """The next reply; event lines on the way are kept in `events`."""
        while "event" in (line := self.line()):
            self.events.append(line)
        return line

    def ask(self, cmd: str, **fields: Any) -> Reply:
        """Send one request and wait for its reply."""
        self.send(json.dumps({"id": cmd, "cmd": cmd, **fields}))
        reply = self.reply()
        assert reply["id"] == cmd, reply
        return reply

    def ok(self, cmd: str, **fields: Any) -> Any:
        """The result of a request that must be obeyed."""
        reply = self.ask(cmd, **fields)
        assert reply["ok"], (cmd, fields, reply)
        return reply["result"]

    def error(self, cmd: str, **fields: Any) -> Reply:
        """The error of a request that must be refused."""
        reply = self.ask(cmd, **fields)
        assert not reply["ok"], (cmd, fields, reply)
        found: Reply = reply["error"]
        return found

    def event(self, *types: str, position_id: str | None = None, where: Callable[[Reply], bool] | None = None) -> Reply:
        """Read on until an event of one of the types (of one position) has come; all that pass are kept."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert time.monotonic() < deadline, (types, position_id, [line["event"] for line in self.events[-20:]])
            line = self.line()
            assert "event" in line, line
            self.events.append(line)
            if types and line["event"] not in types:
                continue
            if position_id is not None and line["position_id"] != position_id:
                continue
            if where is None or where(line):
                return line


class Daemon:
    """One `robson run`; `start` returns once it answers."""

    def __init__(self, state: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.state = state
        self.socket = state / "robson.sock"
        self.arguments = arguments
        self.prefix: tuple[str, ...] = ()
        self.env = environment(env)
        self.log = state.with_name(state.name + ".log")
        self.process: subprocess.Popen[bytes] | None = None
        self.followers: list[Client] = []

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """The process, which must have been started."""
        assert self.process is not None, "not started"
        return self.process

    def launch(self) -> None:
        """Start the process without waiting for it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "robson", "run", "--state-dir", str(self.state), *self.arguments],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> Self:
        """Start it and wait until it answers `hello` and has recovered."""
        self.launch()
        self.wait_until(self.answers, "the socket to answer")
        self.wait_until(lambda: self.ok("hello")["state"] != "recovering", "the recovery to end")
        return self

    def answers(self) -> bool:
        """Whether it takes one more client and greets it."""
        try:
            with self.connect() as client:
                client.send('{"cmd":"hello"}')
                return client.reply()["ok"] is True
        except (FileNotFoundError, ConnectionRefusedError, BrokenPipeError):
            return False

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Try until the condition holds; the daemon's own death ends it at once."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS:g} s for {what}\n{self.tail()}"
            try:
                code = self.running.wait(TRY_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the daemon ended with {code} while waiting for {what}\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log, for a failure's message."""
        return self.log.read_text("utf-8", "replace")[-4000:] if self.log.exists() else ""

    def logged(self, event: str) -> list[Reply]:
        """The log's lines about one thing."""
        lines = (json.loads(x) for x in self.log.read_text("utf-8").splitlines() if x.startswith("{"))
        return [line for line in lines if line["event"] == event]

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.running.kill()
        self.running.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """SIGTERM; its exit code, which must come within ten seconds."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(10)

    def end(self) -> None:
        """Kill whatever still runs."""
        for follower in self.followers:
            follower.socket.close()
        if self.process is not None and self.process.poll() is None:
            self.kill()
        forget_seal(self.state)

    # --- talking -----------------------------------------------------------------------------------------------------

    def connect(self) -> Client:
        """A new connection."""
        return Client(self.socket)

    def ok(self, cmd: str, **fields: Any) -> Any:
        """The result of one request on a connection of its own."""
        with self.connect() as client:
            return client.ok(cmd, **fields)

    def ask(self, cmd: str, **fields: Any) -> Reply:
        """The reply to one request on a connection of its own."""
        with self.connect() as client:
            return client.ask(cmd, **fields)

    def error(self, cmd: str, **fields: Any) -> Reply:
        """The error of one request on a connection of its own."""
        with self.connect() as client:
            return client.error(cmd, **fields)

    def position(self, position_id: str) -> Reply:
        """One position as `status` shows it."""
        found: Reply = self.ok("status", position_id=position_id)["positions"][0]
        return found

    def events(self) -> list[Reply]:
        """The whole sequence."""
        found: list[Reply] = self.ok("events", from_seq=1, limit=10_000)["events"]
        return found

    def subscribe(self, from_seq: int = 1) -> Client:
        """A connection that gets every event from `from_seq` on; it is closed with the daemon."""
        client = self.connect()
        self.followers.append(client)
        client.ok("subscribe", from_seq=from_seq)
        return client

    def wait_event(self, *types: str, position_id: str | None = None, from_seq: int = 1) -> Reply:
        """The first event of one of the types from `from_seq` on."""
        with self.subscribe(from_seq) as client:
            return client.event(*types, position_id=position_id)

    def robsonctl(self, *arguments: str, stdin: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        """Run robsonctl against it."""
        return subprocess.run(
            [sys.executable, "-m", "robsonctl", *arguments],
            env={**self.env, "ROBSON_SOCKET": str(self.socket)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
            **options,
        )

    def arm(self, symbol: str = "BTCUSDT", side: str = "long", strategy: str = "signal", **fields: Any) -> str:
        """Arm a position and wait for its first price; its id."""
        position_id: str = self.ok("arm", symbol=symbol, side=side, strategy=strategy, **fields)["position_id"]
        return position_id

    def price(self, symbol: str) -> str:
        """The last price of a subscribed symbol, once there is one."""
        found: list[str] = []

        def look() -> bool:
            price = self.ok("status")["feed"][symbol]["last_price"]
            found.extend([price] if price else [])
            return bool(found)

        self.wait_until(look, f"a price of {symbol}")
        return found[0]


@contextmanager
def daemon(state: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """A started daemon that is killed in the end, whatever happens."""
    running = Daemon(state, *arguments, env=env)
    try:
        yield running.start()
    finally:
        running.end()
