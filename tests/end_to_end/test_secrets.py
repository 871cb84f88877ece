"""Nobody is shown the keys, a signature or a listenToken: not by log, reply, journal, argv, environment or doctor."""

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, Daemon, daemon, environment
from tests.end_to_end.emulator import PAIR, Emulator
from tests.end_to_end.rehearsal import Rehearsal, rehearsing

# An HMAC signature; the emulator's own keys look the same.
SIGNATURE = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])|signature=(?!\(hidden\))")
QUESTIONS = ("status", "health", "help", "schema", "events", "hello", "ping")


class Search:
    """Everything that was shown or written, by where, and what must be in none of it."""

    def __init__(self, emulator: Emulator) -> None:
        self.secrets = [path.read_bytes().strip() for path in emulator.credentials.iterdir()]
        assert len(self.secrets) == 2
        self.texts: dict[str, bytes] = {}
        self.binaries: dict[str, bytes] = {}

    def add_tokens(self, emulator: Emulator) -> None:
        """The listenTokens that the emulator has given out by now."""
        status, tokens = emulator.request("GET", "/control/tokens")
        assert (status, bool(tokens)) == (200, True)
        self.secrets += [token.encode() for token in tokens]

    def add_process(self, name: str, pid: int) -> None:
        """What any process may be asked for by root."""
        for what in ("cmdline", "environ"):
            self.texts[f"{what} of {name}"] = Path(f"/proc/{pid}/{what}").read_bytes()

    def add_files(self, directory: Path) -> None:
        """Every file below a directory, as it lies on the disk."""
        found = [path for path in directory.rglob("*") if path.is_file()]
        self.binaries |= {str(path): path.read_bytes() for path in found}

    def assert_nothing_found(self) -> None:
        """No secret anywhere, and nothing that looks like a signature where people read."""
        everything = self.texts | self.binaries
        for where, content in everything.items():
            assert not [secret for secret in self.secrets if secret in content], where
        for where, content in self.texts.items():
            found = SIGNATURE.search(content)
            assert found is None, (where, content[max(0, found.start() - 100) : found.end()])


def doctor(config: Path, state: Path, emulator: Emulator, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    places = ("--config", str(config), "--state-dir", str(state), "--credentials-dir", str(emulator.credentials))
    return subprocess.run(
        [sys.executable, "-m", "robson", "doctor", *places, "--symbol", PAIR, *arguments],
        env=environment(),
        capture_output=True,
        timeout=3 * PATIENCE_SECONDS,
        check=False,
    )


def provoke(live: Rehearsal) -> None:
    """A life in which each kind of request is refused by words that repeat it, and the answers to orders are lost."""
    emulator, robson = live.emulator, live.daemon
    emulator.arm("echo", times=1)
    first = live.enter()
    rejected = robson.wait_event("signal_rejected", position_id=first)["data"]
    assert "(hidden)" in rejected["message"]
    emulator.arm("echo", endpoint="GET /sapi/v1/margin/isolated/account", times=0)
    entry = Decimal(robson.price(PAIR))
    stop = str((entry * Decimal("0.97")).quantize(Decimal("0.01")))
    answer = robson.ok("signal", position_id=first, entry_price=str(entry), stop_price=stop)
    assert not answer["accepted"]
    assert "(hidden)" in answer["reason"]["message"]
    emulator.clear()
    emulator.arm("drop_reply", times=1)
    second = live.enter()
    robson.wait_event("entry_filled", position_id=second)
    emulator.arm("echo", times=2)
    robson.ok("close", position_id=second)
    live.closed(second)
    assert emulator.fired()["echo"] >= 4


def test_no_secret_is_shown_by_anything(tmp_path: Path) -> None:
    with rehearsing(tmp_path, env={"ROBSON_LOG_LEVEL": "debug"}) as live:
        robson, emulator = live.daemon, live.emulator
        search = Search(emulator)
        # The same daemon again, as talkative as it can be, and refused by words that repeat the request.
        assert robson.stop() == 0
        emulator.arm("echo", endpoint="POST /sapi/v1/userListenToken", times=1)
        emulator.arm("echo", endpoint="GET /sapi/v1/account/apiRestrictions", times=1)
        robson.arguments = (*robson.arguments, "--log-level", "debug")
        robson.start()
        provoke(live)
        emulator.arm("token_expiry")
        config = tmp_path / "robson.toml"
        emulator.arm("echo", endpoint="*", times=0)
        for arguments in ((), ("--json",)):
            done = doctor(config, robson.state, emulator, *arguments)
            assert done.returncode == 1, done.stdout
            assert b"(hidden)" in done.stdout
            search.texts[f"doctor {arguments}"] = done.stdout + done.stderr
        emulator.clear()
        live.entered()
        done = doctor(config, robson.state, emulator)
        assert done.returncode == 0, done.stdout
        search.texts["doctor in order"] = done.stdout + done.stderr
        search.add_tokens(emulator)
        for question in QUESTIONS:
            search.texts[question] = json.dumps(robson.ok(question)).encode()
        search.texts["status all"] = json.dumps(robson.ok("status", all=True)).encode()
        pid = robson.running.pid
        search.add_process("the daemon", pid)
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0, "only root may look into its memory"
        assert re.search(r"Max core file size +0 +0 ", Path(f"/proc/{pid}/limits").read_text("ascii"))
        search.add_files(robson.state)
        assert any(path.endswith("-wal") for path in search.binaries)
        emulator.end()
        done = doctor(config, robson.state, emulator)
        assert done.returncode == 1
        search.texts["doctor of nobody"] = done.stdout + done.stderr
        assert b"warning" in robson.log.read_bytes()
        search.texts["the log"] = robson.log.read_bytes()
        assert b"(hidden)" in search.texts["the log"]
        search.assert_nothing_found()


def test_a_refused_signature_shows_nothing(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path / "exchange", "--control").start()
    wrong = tmp_path / "wrong"
    wrong.mkdir(mode=0o700)
    try:
        search = Search(emulator)
        for name, content in (
            ("binance-api-key", (emulator.credentials / "binance-api-key").read_bytes()),
            ("binance-api-secret", b"not-the-secret-of-that-key"),
        ):
            (wrong / name).write_bytes(content)
        search.secrets.append(b"not-the-secret-of-that-key")
        config = tmp_path / "robson.toml"
        config.write_text(emulator.settings(), "utf-8")
        arguments = ("--config", str(config), "--credentials-dir", str(wrong), "--log-level", "debug")
        with daemon(tmp_path / "state", *arguments) as robson:
            search.texts["arm"] = json.dumps(robson.ask("arm", symbol=PAIR, side="long", strategy="signal")).encode()
            assert b"-1022" in search.texts["arm"]
            search.texts["health"] = json.dumps(robson.ok("health")).encode()
            search.texts["the log"] = robson.log.read_bytes()
            search.add_files(robson.state)
        search.assert_nothing_found()
    finally:
        emulator.end()


@pytest.mark.parametrize("content", [b"the-secret", b"signature=abc", b"0" * 64])
def test_the_search_would_find_one(content: bytes) -> None:
    search = Search.__new__(Search)
    search.secrets, search.texts, search.binaries = [b"the-secret"], {"here": b"x " + content + b" y"}, {}
    with pytest.raises(AssertionError):
        search.assert_nothing_found()


def test_a_daemon_on_paper_reads_no_keys(tmp_path: Path) -> None:
    with daemon(tmp_path / "state", "--feed", "synthetic", "--credentials-dir", str(tmp_path / "nowhere")) as robson:
        assert isinstance(robson, Daemon)
        assert robson.ok("hello")["mode"] == "paper"
