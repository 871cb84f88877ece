"""The control socket as scripts use it: real sockets, real robsonctl processes, socat, nc and the standard library."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from robson.control import serve
from tests.unit.control.conftest import Lines, Served
from tests.unit.control.fake_operations import FakeOperations, StillClock

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "PROTOCOL.md").read_text("utf-8")


@pytest.fixture
async def served(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Served]:
    operations = FakeOperations()
    await nursery.start(serve, tmp_path / "robson.sock", operations, StillClock())
    server = Served(tmp_path / "robson.sock", operations)
    yield server
    await server.aclose()


async def process(
    served: Served, *arguments: str, stdin: bytes = b"", program: tuple[str, ...] = (sys.executable, "-m", "robsonctl")
) -> subprocess.CompletedProcess[bytes]:
    with trio.fail_after(30):
        return await trio.run_process(
            [*program, *arguments],
            stdin=stdin,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment(served),
        )


def environment(served: Served) -> dict[str, str]:
    return {**os.environ, "ROBSON_SOCKET": str(served.path), "PYTHONPATH": str(ROOT)}


async def test_the_whole_flow_over_the_socket(served: Served) -> None:
    script = await served.connect()
    armed = await script.ask('{"id":1,"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}')
    position_id = armed["result"]["position_id"]
    status = await process(served, "status", "--json")
    assert [row["position_id"] for row in json.loads(status.stdout)["positions"]] == [position_id]
    follower = await served.connect()
    assert (await follower.ask('{"cmd":"subscribe","from_seq":0}'))["ok"]
    assert (await follower.reply())["event"] == "position_armed"
    signalled = await process(served, "signal", position_id, "--entry", "95000", "--stop", "93500")
    assert (signalled.returncode, signalled.stdout) == (0, b"accepted: 0.06666 ordered\n")
    served.operations.let_close_go.set()
    closed = await process(served, "close", position_id, "--json")
    assert json.loads(closed.stdout)["outcome"] == "closed"
    assert (await follower.reply())["event"] == "position_closed"
    panicked = await process(served, "panic", "--yes")
    assert panicked.returncode == 0
    assert served.operations.latched
    assert (await process(served, "resume")).returncode == 0
    assert not served.operations.latched


async def test_commands_are_piped_in_and_json_lines_come_out(served: Served) -> None:
    good = await process(served, stdin=b'{"id":1,"cmd":"ping"}\n\n{"id":2,"cmd":"hello"}')
    assert [json.loads(line)["id"] for line in good.stdout.splitlines()] == [1, 2]
    assert (good.returncode, good.stderr) == (0, b"")
    bad = await process(served, stdin=b'{"id":1,"cmd":"ping"}\nnonsense\n{"id":3,"cmd":"ping"}\n')
    assert [json.loads(line)["ok"] for line in bad.stdout.splitlines()] == [True, False, True]
    assert bad.returncode == 1
    many = await process(served, stdin=b'{"cmd":"schema"}\n' * 200)
    assert (many.returncode, len(many.stdout.splitlines())) == (0, 200)


async def test_panic_without_a_terminal_is_refused_at_once(served: Served) -> None:
    ended = await process(served, "panic", stdin=b"y\n")
    assert ended.returncode == 64
    assert served.operations.asked == []


async def test_a_reader_that_leaves_early_is_no_fault(served: Served) -> None:
    for _ in range(2000):
        served.operations.commit("feed_stale", "p", note="x" * 100)
    reading, writing = os.pipe()
    os.close(reading)
    served.operations.ready = False
    for code, *arguments in (
        (0, "events", "--from", "1"),
        (0, "status", "--json"),
        (0, "events", "--follow"),
        (1, "health"),
    ):
        ended = await trio.run_process(
            [sys.executable, "-m", "robsonctl", *map(str, arguments)],
            stdout=writing,
            capture_stderr=True,
            check=False,
            env=environment(served),
        )
        assert (ended.returncode, ended.stderr) == (code, b"")
    os.close(writing)


async def test_following_ends_with_ctrl_c(served: Served) -> None:
    served.operations.commit("feed_stale")
    following = await trio.lowlevel.open_process(
        [sys.executable, "-m", "robsonctl", "events", "--follow", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(served),
    )
    assert following.stdout is not None
    assert following.stderr is not None
    lines = Lines(following.stdout)
    assert (await lines.reply())["seq"] == 1
    served.operations.commit("feed_recovered")
    assert (await lines.reply())["seq"] == 2
    following.send_signal(signal.SIGINT)
    with trio.fail_after(10):
        assert await following.wait() == 130
        assert await following.stderr.receive_some() == b""
    await following.stdout.aclose()
    await following.stderr.aclose()


def example(number: int, served: Served) -> str:
    """An example at the top of the document, with the test's socket in it."""
    _, _, block = DOCUMENT.split("```")[2 * number + 1].strip().partition("\n")
    line = block.replace("state/robson.sock", str(served.path))
    assert line != block
    return line


@pytest.mark.parametrize(("number", "programs"), [(0, ("socat", "jq")), (1, ("nc", "jq"))])
async def test_the_lines_at_the_top_of_the_document_work(
    served: Served, number: int, programs: tuple[str, ...]
) -> None:
    if missing := [program for program in programs if shutil.which(program) is None]:
        pytest.skip(f"{', '.join(missing)} is not installed")
    await (await served.connect()).ask('{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal"}')
    line = example(number, served)
    assert line.split("|")[1].split()[0] == programs[0]
    ended = await process(served, "-c", line, program=("sh",))
    found = json.loads(ended.stdout)
    positions = found["result"]["positions"] if number == 0 else found
    assert [position["symbol"] for position in positions] == ["BTCUSDT"]
    assert (ended.returncode, ended.stderr) == (0, b"")


async def test_the_standard_library_is_enough(served: Served) -> None:
    ended = await process(served, "-c", example(2, served), program=(sys.executable,))
    assert (ended.stdout, ended.stderr) == (b"live\n", b"")


async def test_robsonctl_loads_nothing_that_it_does_not_need(served: Served) -> None:
    script = """
import sys
from robsonctl.cli import run
code = run(["status", "--json"])
heavy = {"trio", "asyncio", "prompt_toolkit", "sqlite_utils", "sqlite3", "tabulate", "structlog", "httpx", "difflib"}
print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)
"""
    ended = await process(served, "-c", script, program=(sys.executable,))
    assert ended.stderr == b"0 []\n"
