"""`robson demo` as a newcomer runs it, with real processes and real signals; whatever happens, nothing is left."""

import fcntl
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, environment
from tests.recorded import recorded

QUICK = ("--speed", "1200")
HEADER = "trade_id,ts_ms,price,qty\n"
START_MS = 1_700_000_000_000


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the demonstration makes its directory: short, so that a socket fits, and empty again at the end."""
    with tempfile.TemporaryDirectory(prefix="rd-") as name:
        yield Path(name)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "robson", "demo", *words]


def demo(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        command(*words),
        env=environment({"TMPDIR": str(place)}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )


class Running:
    """A demonstration on its way, its output read as it comes."""

    def __init__(self, process: "subprocess.Popen[bytes]", source: int) -> None:
        self.process = process
        self.source = source
        self.said = ""

    def read_until(self, words: str) -> None:
        while words not in self.said:
            chunk = os.read(self.source, 65_536)
            assert chunk, f"it ended before it said {words!r}:\n{self.said}"
            self.said += chunk.decode("utf-8", "replace")

    def read_to_end(self) -> str:
        while True:
            try:
                chunk = os.read(self.source, 65_536)
            except OSError:  # what a terminal says when its other side has gone
                return self.said
            if not chunk:
                return self.said
            self.said += chunk.decode("utf-8", "replace")


@contextmanager
def running(place: Path, *words: str) -> Iterator[Running]:
    process = subprocess.Popen(
        command(*words),
        env=environment({"TMPDIR": str(place)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield Running(process, process.stdout.fileno())
        finally:
            process.kill()
            process.wait()


def processes_of(place: Path) -> list[list[str]]:
    """The command lines of all processes that were given a path below this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if any(word.startswith(f"{place}/") for word in words):
                found.append([entry.name, *words])
    return found


def assert_nothing_left(place: Path) -> None:
    assert list(place.iterdir()) == []
    assert processes_of(place) == []


def tape(path: Path, *prices: float) -> Path:
    """One trade each 200 ms."""
    rows = (f"{row},{START_MS + row * 200},{price:.2f},1\n" for row, price in enumerate(prices))
    path.write_text(HEADER + "".join(rows))
    return path


def ramp(start: float, end: float, steps: int) -> Sequence[float]:
    return [start + (end - start) * step / steps for step in range(steps)]


def test_a_long_and_a_short_live_from_armed_to_closed_and_the_journal_can_be_kept(place: Path) -> None:
    done = demo(place, *QUICK, "--keep")
    assert done.returncode == 0, done.stdout + done.stderr
    story = done.stdout
    for name, bought, sold in (("BTCUSDT  long  ", "bought", "sold"), ("ETHUSDT  short ", "sold", "bought")):
        told = "\n".join(line for line in story.splitlines() if name in line)
        steps = (
            "armed: capital 10000 USDT",
            "signal: entry",
            f"{bought} ",
            "hit the stop",
            f"{sold} ",
            "closed (trailing",
        )
        assert re.search(".*".join(map(re.escape, steps)), told, re.DOTALL), told
    assert re.search(r"Golden Rule: 10000 x 1 % = 100 USDT at risk\n +100 / \|[\d.]+ - [\d.]+\| = [\d.]+ BTC", story)
    assert len(re.findall(r"price [▁▂▃▄▅▆▇█]+ [\d.]+\n +stop  [▁▂▃▄▅▆▇█]+ [\d.]+\n", story)) == 2
    assert "\x1b" not in story
    (directory,) = place.iterdir()
    assert "The journal with its" in story
    assert str(directory / "robson.db") in story
    with closing(sqlite3.connect(directory / "robson.db")) as journal:
        rows = journal.execute(
            "SELECT symbol, side, state, exit_reason, net_pnl FROM positions ORDER BY symbol"
        ).fetchall()
        types = [row[0] for row in journal.execute("SELECT type FROM events ORDER BY seq")]
    assert [row[:4] for row in rows] == [
        ("BTCUSDT", "long", "Closed", "trailing_stop"),
        ("ETHUSDT", "short", "Closed", "trailing_stop"),
    ]
    assert all(row[4] is not None for row in rows)
    assert types.count("position_armed") == types.count("position_closed") == 2
    assert not processes_of(place)


def test_one_symbol_of_recorded_trades_is_played_one_side_after_the_other(place: Path, tmp_path: Path) -> None:
    # Up and back, so that the long's stop is hit; then flat, so that the short has to be closed by command.
    prices = [*ramp(100, 101, 60), *ramp(101, 100, 60), *[100.0] * 200]
    done = demo(place, "--replay", str(tape(tmp_path / "SOLUSDT-trades.csv", *prices)), "--speed", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    long, short = (done.stdout.index(words) for words in ("arm SOLUSDT long", "arm SOLUSDT short"))
    assert long < done.stdout.index("closed (trailing stop)") < short
    assert "The stop was not hit, and the tape has no more time for this: closed by command." in done.stdout
    assert short < done.stdout.index("closed (operator close)")
    assert_nothing_left(place)


def test_recorded_frames_with_two_symbols_are_played_side_by_side(place: Path) -> None:
    path = recorded("demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_2min.ws.jsonl.gz")
    done = demo(place, "--replay", str(path), "--speed", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("position_closed") == 2
    assert_nothing_left(place)


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("$ robson run", signal.SIGINT),
        ("$ robsonctl arm BTCUSDT", signal.SIGINT),
        ("$ robsonctl arm ETHUSDT", signal.SIGTERM),
        ("ETHUSDT  short sold", signal.SIGINT),
        ("ETHUSDT  short sold", signal.SIGHUP),
    ],
)
def test_a_signal_at_any_moment_leaves_nothing_behind(place: Path, words: str, number: signal.Signals) -> None:
    with running(place) as play:
        play.read_until(words)
        play.process.send_signal(number)
        said = play.read_to_end()
        assert play.process.wait(PATIENCE_SECONDS) == 128 + number, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert_nothing_left(place)


def test_a_second_signal_leaves_nothing_behind_either(place: Path) -> None:
    with running(place, "--keep") as play:
        play.read_until("BTCUSDT  long  bought")
        for _ in range(3):
            play.process.send_signal(signal.SIGINT)
        said = play.read_to_end()
        assert play.process.wait(PATIENCE_SECONDS) == 130, said
    assert "Traceback" not in said
    assert_nothing_left(place)


def test_ctrl_c_on_a_terminal_leaves_it_sane(place: Path) -> None:
    master, slave = os.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        command(),
        env=environment({"TMPDIR": str(place), "TERM": "xterm"}),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509  # nothing else runs here, and only so does ^C become a signal
    )
    play = Running(process, master)
    try:
        play.read_until("stop  ▁")
        os.write(master, b"\x03")
        assert process.wait(PATIENCE_SECONDS) == 130
        after = termios.tcgetattr(slave)
        os.close(slave)
        said = play.read_to_end()
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert after == before
    assert set(re.findall(r"\x1b\[[^A-Za-z]*[A-Za-z]", said)) <= {"\x1b[1A", "\x1b[2K"}
    assert said.endswith("\n")
    assert_nothing_left(place)


def test_a_daemon_that_dies_ends_it_with_its_last_words(place: Path) -> None:
    with running(place) as play:
        play.read_until("BTCUSDT  long  bought")
        (daemon,) = [words for words in processes_of(place) if "run" in words]
        os.kill(int(daemon[0]), signal.SIGKILL)
        said = play.read_to_end()
        assert play.process.wait(PATIENCE_SECONDS) == 1
    assert "robson demo: " in said
    assert "ended" in said
    assert "Traceback" not in said
    assert_nothing_left(place)


def test_a_reader_that_has_seen_enough_ends_it(place: Path) -> None:
    with running(place) as play:
        play.read_until("Robson, a demonstration")
        assert play.process.stdout is not None
        play.process.stdout.close()
        assert play.process.wait(PATIENCE_SECONDS) == 1
    assert_nothing_left(place)


def test_a_folder_of_the_same_name_is_not_mistaken_for_robson(place: Path, tmp_path: Path) -> None:
    for name in ("robson", "robsonctl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    done = subprocess.run(
        [sys.executable, "-P", *command(*QUICK)[1:]],
        env=environment({"TMPDIR": str(place)}),
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=2 * PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "the wrong one" not in done.stdout + done.stderr
