"""Ten thousand lines of rubbish over several connections at once, and a reader who falls far behind: nobody else minds.

Nothing here is timed: `make storm` measures how long others wait, and makes the slow reader's sequence 100,000 long.
`ROBSON_TEST_STORM_EVENTS` and `ROBSON_TEST_STORM_SEED` choose other numbers; what was counted is printed.
"""

import json
import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from robson.control.lines import LINE_BYTES_MAX
from tests.end_to_end.daemon import PATIENCE_SECONDS, Client, Daemon, daemon
from tests.rubbish import HEAVY, rubbish

LINES = 10_000
EVENTS = int(os.environ.get("ROBSON_TEST_STORM_EVENTS", "5000"))
SEED = int(os.environ.get("ROBSON_TEST_STORM_SEED", "20261122"))
VOLLEY = 40
# Of what is sent byte by byte or cut in half; the rest goes in whole lines.
SMALL = 300
# What a Python process may keep of many short-lived objects; a leak of 10,000 lines of 64 KiB would be 650 MB.
MEMORY_SLACK_BYTES = 48 << 20
QUIET = ("--feed", "synthetic")
UNLIMITED = {"ROBSON_CONTROL_REQUESTS_PER_SECOND": "1000000", "ROBSON_FEED_STALE_AFTER_SECONDS": "3600"}


def resident_bytes(running: Daemon) -> int:
    for line in Path(f"/proc/{running.running.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("VmRSS")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    # Thousands of durable commits: in memory where there is such a place, for it is not the disk that is tried here.
    memory = Path("/dev/shm")
    directory = memory if memory.is_dir() and os.access(memory, os.W_OK) else tmp_path
    with TemporaryDirectory(dir=directory) as place, daemon(Path(place) / "state", *QUIET, env=UNLIMITED) as started:
        yield started
        assert not started.logged("command_failed")
        assert not started.logged("client_failed")
        assert started.stop() == 0


class Talk:
    """One connection of the storm."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._unread = b""

    async def say(self, octets: bytes) -> None:
        # A client that was cut has its answer waiting all the same.
        with suppress(trio.BrokenResourceError):
            await self.stream.send_all(octets)

    async def reply(self) -> bytes:
        """The next reply, empty at the end; some rubbish subscribes."""
        while (line := await self.line()).startswith(b'{"event":'):
            pass
        return line

    async def line(self) -> bytes:
        """The next line, empty at the end."""
        while b"\n" not in self._unread:
            try:
                chunk = await self.stream.receive_some(1 << 20)
            except trio.BrokenResourceError:
                return b""
            if not chunk:
                return b""
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line


class Storm:
    """Sends lines on connections of its own, each of its methods in another manner, and counts what came back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers = 0
        self.codes: set[str] = set()
        self.cut = 0

    async def connect(self) -> Talk:
        raw = trio.socket.socket(socket.AF_UNIX)
        await raw.connect(str(self.path))
        return Talk(trio.SocketStream(raw))

    def count(self, reply: bytes, to: bytes) -> None:
        assert reply, (to[:100], "neither answered nor told why")
        answer = json.loads(reply)
        self.answers += 1
        if not answer["ok"]:
            assert set(answer["error"]) == {"code", "message", "hint", "retryable"}, answer
            assert len(reply) < 2000 + len(to), "an error says more than it must"
            self.codes.add(answer["error"]["code"])

    async def one_by_one(self, lines: list[bytes]) -> None:
        """Each answered before the next is sent."""
        await self.in_volleys(lines, volley=1)

    async def in_volleys(self, lines: list[bytes], volley: int = VOLLEY) -> None:
        """Many lines in one write; every one is answered, in order, until one that is too long cuts the client."""
        talk = await self.connect()
        for begin in range(0, len(lines), volley):
            some = lines[begin : begin + volley]
            too_long = next((number for number, line in enumerate(some) if len(line) > LINE_BYTES_MAX), None)
            answered = some if too_long is None else some[: too_long + 1]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(talk.say, b"".join(line + b"\n" for line in some))
                for line in answered:
                    self.count(await talk.reply(), line)
            if too_long is not None:
                self.cut += 1
                assert await talk.reply() == b""
                await trio.aclose_forcefully(talk.stream)
                talk = await self.connect()
        await trio.aclose_forcefully(talk.stream)

    async def byte_by_byte(self, lines: list[bytes]) -> None:
        """One byte a write."""
        talk = await self.connect()
        for line in lines:
            for octet in line + b"\n":
                await talk.say(bytes([octet]))
            self.count(await talk.reply(), line)
        await trio.aclose_forcefully(talk.stream)

    async def halves(self, lines: list[bytes]) -> None:
        """Half a line, then the end of it: by hanging up, or by saying so and waiting for the answer."""
        for number, line in enumerate(lines):
            talk, half = await self.connect(), line[: len(line) // 2]
            await talk.say(half)
            if number % 2:
                await talk.stream.send_eof()
                if half.strip():
                    self.count(await talk.line(), half)
                assert await talk.line() == b""
            await trio.aclose_forcefully(talk.stream)

    async def rage(self, lines: list[bytes]) -> None:
        """All manners at once."""
        small = [line for line in lines if len(line) < 200][:SMALL]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.one_by_one, lines[0::3])
            nursery.start_soon(self.in_volleys, lines[1::3])
            nursery.start_soon(self.in_volleys, lines[2::3])
            nursery.start_soon(self.byte_by_byte, small[0::2])
            nursery.start_soon(self.halves, small[1::2])


class Bystander:
    """Asks one thing after the other while the storm rages."""

    def __init__(self, storm: Storm) -> None:
        self.storm = storm
        self.answered = 0

    async def ask(self, *, until: trio.Event) -> None:
        talk = await self.storm.connect()
        while not until.is_set():
            await talk.say(b'{"cmd":"ping"}\n')
            assert json.loads(await talk.line())["ok"]
            self.answered += 1
        await trio.aclose_forcefully(talk.stream)


async def storm(running: Daemon, lines: list[bytes]) -> tuple[Storm, Bystander]:
    raging, over = Storm(running.socket), trio.Event()
    bystander = Bystander(raging)
    async with trio.open_nursery() as outer:
        outer.start_soon(lambda: bystander.ask(until=over))
        with trio.fail_after(20 * PATIENCE_SECONDS):
            await raging.rage(lines)
        over.set()
    return raging, bystander


async def test_ten_thousand_lines_of_rubbish_are_answered_and_hurt_nobody(running: Daemon) -> None:
    armed = running.arm()
    print("seed", SEED)
    lines = rubbish(LINES, SEED)
    # What a first storm leaves is the process's normal size; a second one must leave nothing more.
    warm, _ = await storm(running, random.Random(SEED).sample(lines, LINES // 4) + list(HEAVY))
    before = resident_bytes(running)
    raging, bystander = await storm(running, lines)
    grew = resident_bytes(running) - before
    print("storm", json.dumps({"grew_bytes": grew, "bystander": bystander.answered, "cut": raging.cut}))
    print(raging.answers, sorted(raging.codes))
    assert raging.answers > LINES * 0.9
    assert {"bad_json", "bad_request", "bad_number", "not_utf8", "too_deep", "duplicate_key", "unknown_position"} <= (
        raging.codes | warm.codes
    )
    assert "internal_error" not in raging.codes | warm.codes
    assert raging.cut > 3
    # Somebody else was served all the while.
    assert bystander.answered > LINES / 20
    assert grew < MEMORY_SLACK_BYTES
    status = running.ok("status")
    assert [view["position_id"] for view in status["positions"]] == [armed]
    assert (status["panic_latched"], status["paused"]) == (False, False)
    assert [line["event"] for line in running.events() if line["position_id"] == armed] == ["position_armed"]


def test_a_reader_who_stops_for_a_while_loses_nothing_and_delays_nobody(running: Daemon) -> None:
    slow = running.connect()
    slow.send('{"cmd":"subscribe","from_seq":1}')
    before, answered = resident_bytes(running), 0
    with running.connect() as writer, running.connect() as other:
        while writer.ok("events", from_seq=1, limit=1)["last_seq"] < EVENTS:
            _make_events(writer)
            assert other.ok("ping")
            answered += 1
    grew = resident_bytes(running) - before
    last = running.ok("events", from_seq=2**63 - 1)["last_seq"]
    print("slow reader", json.dumps({"events": last, "grew_bytes": grew, "others were answered": answered}))
    assert slow.reply()["ok"]
    assert [slow.line()["seq"] for _ in range(last)] == list(range(1, last + 1))
    # It has caught up, and follows.
    running.ok("pause")
    assert (slow.line()["event"], slow.events) == ("entries_paused", [])
    slow.socket.close()
    assert grew < MEMORY_SLACK_BYTES


def _make_events(writer: Client) -> None:
    """A few hundred events, asked for in one go."""
    pairs = ('{"cmd":"pause"}', '{"cmd":"unpause"}')
    writer.send(*(pairs * 200))
    for _ in range(400):
        assert writer.reply()["ok"]
