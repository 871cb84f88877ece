"""How long anybody waits while others storm the socket: `python -m tests.bench.storm [EVENTS] [CLOSED]`.

A real daemon, 31 clients that do their worst in one way after the other, and one that only pings; beside it a bare echo
shows what the machine itself is late by. The stopwatch in the daemon tells which turn of its loop, and which step of
which task, took longest. The last way is a subscriber that does not read while EVENTS (100,000) are committed.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import trio

from tests.bench import paced
from tests.end_to_end.daemon import ROOT, Daemon, environment
from tests.rubbish import HEAVY, rubbish

CLIENTS = 30
SEED = 20261122
SECONDS = 8.0
SLOW_SECONDS = 10.0
VOLLEY = 400
ENV = {"ROBSON_CONTROL_REQUESTS_PER_SECOND": "1000000", "ROBSON_FEED_STALE_AFTER_SECONDS": "3600"}
PAUSES = b'{"cmd":"pause"}\n{"cmd":"unpause"}\n' * (VOLLEY // 2)
PAGES = tuple(
    line.encode()
    for line in (
        '{"cmd":"events","limit":10000}',
        '{"cmd":"status","all":true}',
        '{"cmd":"schema","of":"replies"}',
        '{"cmd":"help"}',
        '{"cmd":"journal"}',
        '{"cmd":"health"}',
    )
)


class Paced(Daemon):
    """A daemon with the stopwatch in it."""

    def launch(self) -> None:
        """Start it without waiting."""
        with self.log.open("ab") as log:
            arguments = [str(self.report), "run", "--state-dir", str(self.state), *self.arguments]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.paced", *arguments],
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def report(self) -> Path:
        """What the stopwatch wrote."""
        return self.state.with_name("paced.json")


@contextmanager
def bystander(running: Daemon, place: Path) -> Iterator[Path]:
    """A second client, in a process of its own; gives where its times will be."""
    told = place / "bystander.jsonl"
    with told.open("w") as out:
        asking = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bystander", str(running.socket), str(place / "y.sock")],
            stdout=out,
            env=environment(),
            cwd=ROOT,
        )
    running.wait_until(lambda: told.stat().st_size > 0, "the bystander")
    try:
        yield told
    finally:
        asking.terminate()
        asking.wait(30)


async def _send_and_swallow(place: Path, lines: Callable[[], Iterator[bytes]], ends: float) -> None:
    """Send as fast as it goes and read whatever comes; connect again when cut off."""
    source = lines()
    while time.monotonic() < ends:
        raw = trio.socket.socket(socket.AF_UNIX)
        await raw.connect(str(place))
        async with trio.SocketStream(raw) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(_swallow, stream, nursery.cancel_scope)
            with suppress(trio.BrokenResourceError):
                while time.monotonic() < ends:
                    await stream.send_all(next(source))
            nursery.cancel_scope.cancel()


async def _swallow(stream: trio.SocketStream, client: trio.CancelScope) -> None:
    with suppress(trio.BrokenResourceError):
        while await stream.receive_some(1 << 20):
            pass
    client.cancel()


def _over_and_over(lines: tuple[bytes, ...] | list[bytes]) -> Callable[[], Iterator[bytes]]:
    def repeat() -> Iterator[bytes]:
        while True:
            yield from (line + b"\n" for line in lines)

    return repeat


WAYS: dict[str, Callable[[], Iterator[bytes]]] = {
    "nobody": _over_and_over([]),
    "rubbish": _over_and_over(rubbish(10_000, SEED)),
    "heavy lines": _over_and_over(HEAVY[:-1]),
    "blank lines": _over_and_over([b"\n" * 65_535]),
    "big replies": _over_and_over(PAGES),
}


async def _storm(running: Daemon, way: str) -> None:
    ends = time.monotonic() + SECONDS
    # Whoever asks for more than can be answered would wait for minutes until the last of it can be sent.
    with trio.move_on_after(SECONDS + 1):
        async with trio.open_nursery() as nursery:
            for _ in range(0 if way == "nobody" else CLIENTS):
                nursery.start_soon(_send_and_swallow, running.socket, WAYS[way], ends)
            await trio.sleep(SECONDS)


def _has_room(running: Daemon) -> bool:
    with ExitStack() as held:
        try:
            clients = [held.enter_context(running.connect()) for _ in range(CLIENTS)]
            for client in clients:
                client.send('{"cmd":"ping"}')
            return all(client.reply()["ok"] for client in clients)
        except OSError:
            return False


def resident_bytes(running: Daemon) -> int:
    """What of the daemon's memory is in the machine's."""
    status = Path(f"/proc/{running.running.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


def slow_reader(running: Daemon, events: int) -> dict[str, Any]:
    """A subscriber that sleeps while the sequence grows, for ten seconds at least; then it must get everything."""
    began, most = time.monotonic(), 0
    with running.connect() as slow, running.connect() as writer:
        first = running.ok("events", limit=1)["last_seq"] + 1
        slow.send(json.dumps({"cmd": "subscribe", "from_seq": first}))
        before = resident_bytes(running)
        while writer.ok("events", limit=1)["last_seq"] < first + events or time.monotonic() - began < SLOW_SECONDS:
            writer.socket.sendall(PAUSES)
            assert all(writer.reply()["ok"] for _ in range(VOLLEY))
            most = max(most, resident_bytes(running))
        last, slept = running.ok("events", limit=1)["last_seq"], time.monotonic() - began
        assert slow.reply()["ok"]
        seqs = [slow.line()["seq"] for _ in range(last - first + 1)]
    assert seqs == list(range(first, last + 1)), "something was lost or twice there"
    caught_up = time.monotonic() - began - slept
    return {"events": len(seqs), "not read for s": slept, "caught up in s": caught_up, "grew MB": (most - before) / 1e6}


def _longest(rows: list[list[Any]], begins: float, ends: float) -> list[Any] | None:
    return max((row for row in rows if begins <= row[0] < ends), key=lambda row: float(row[1]), default=None)


def report(marks: list[tuple[str, float, int]], asked: list[list[float]], found: dict[str, Any]) -> None:
    """One line a way: what the bystander waited, what the bare echo did, and the daemon's own stopwatch (ms)."""
    heads = ("ping p50", "p99", "worst", "echo worst", "turn cpu", "step cpu", "gc cpu")
    print(f"{'(ms)':12}" + "".join(f"{head:>11}" for head in heads) + "  the longest step")
    for (way, begins, before), (_, ends, after) in pairwise(marks):
        rows = [row for row in asked if begins <= row[0] < ends]
        pings = sorted(row[1] for row in rows)
        short = [0, paced.WORTH_SECONDS, 0, "none worth a line"]
        turn, step, garbage = (
            _longest(found[what], begins, ends) or short for what in ("turns", "steps", "collections")
        )
        echo = max(row[2] for row in rows)
        numbers = (
            statistics.median(pings),
            pings[int(len(pings) * 0.99)],
            pings[-1],
            echo,
            turn[1],
            step[1],
            garbage[1],
        )
        print(
            f"{way:12}" + "".join(f"{number * 1000:11.1f}" for number in numbers),
            f" {step[3]}; {len(pings)} pings, memory {(after - before) / 1e6:+.1f} MB",
        )


def main(events: int, closed: int) -> None:
    """Run every way and print what was found."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        place = Path(name)
        running = Paced(place / "state", "--feed", "synthetic", env=ENV)
        try:
            running.start()
            with running.connect() as client:
                for _ in range(closed):
                    armed = client.ok("arm", symbol="BTCUSDT", side="long", strategy="signal")
                    client.ok("disarm", position_id=armed["position_id"])
            with bystander(running, place) as told:
                marks = []
                for way in WAYS:
                    marks.append((way, time.monotonic(), resident_bytes(running)))
                    trio.run(_storm, running, way)
                    running.wait_until(lambda: _has_room(running), "the storm's clients to be gone")
                marks.append(("slow reader", time.monotonic(), resident_bytes(running)))
                slow = slow_reader(running, events)
                marks.append(("", time.monotonic(), resident_bytes(running)))
            asked = [json.loads(line) for line in told.read_text().splitlines() if line.endswith("]")]
            assert running.stop() == 0, running.tail()
            report(marks, asked, json.loads(running.report.read_text()))
            print("slow reader:", ", ".join(f"{key} {value:.1f}" for key, value in slow.items()))
            print(f"seed {SEED}, {CLIENTS} clients, {SECONDS:g} s each way, {closed} closed positions")
            print(f"load of the machine {os.getloadavg()[0]:.1f}")
        finally:
            running.end()


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    main(*numbers, *(100_000, 1000)[len(numbers) :])
