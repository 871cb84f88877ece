"""Clients that mean harm or have bad luck: repeated amid a kill, silent, of another user, or at the wrong socket."""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.end_to_end.daemon import TRY_SECONDS, Client, Daemon, daemon, environment, robson

QUIET = ("--feed", "synthetic")
PATIENT = {"ROBSON_FEED_STALE_AFTER_SECONDS": "3600"}
ARM = {"cmd": "arm", "symbol": "BTCUSDT", "side": "long", "strategy": "signal"}
NOBODY = 65_534

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that another user may pass through, and short enough for a socket's path."""
    with tempfile.TemporaryDirectory(prefix="rwire-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


# --- keys and kills --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read_first", [0, 1, 7])
def test_what_is_repeated_with_its_key_after_a_kill_is_done_once(tmp_path: Path, read_first: int) -> None:
    requests = [json.dumps({**ARM, "id": number, "idempotency_key": f"key-{number}"}) for number in range(30)]
    with daemon(tmp_path / "state", *QUIET, env=PATIENT) as running:
        with running.connect() as client:
            client.send(*requests)
            early = [client.reply() for _ in range(read_first)]
            # Somewhere in between: some are on disk and answered, some on disk only, some were not read.
            running.kill()
        running.start()
        with running.connect() as client:
            client.send(*requests)
            replies = [client.reply() for _ in requests]
        assert replies[:read_first] == early
        assert all(reply["ok"] for reply in replies)
        armed = [reply["result"]["position_id"] for reply in replies]
        assert len(set(armed)) == len(requests)
        assert {view["position_id"] for view in running.ok("status")["positions"]} == set(armed)
        assert [line["event"] for line in running.events()].count("position_armed") == len(requests)


def test_a_panic_repeated_with_its_key_after_a_resume_does_not_latch_again(tmp_path: Path) -> None:
    with daemon(tmp_path / "state", *QUIET, env=PATIENT) as running:
        running.arm()
        first = running.ok("panic", idempotency_key="p")
        running.ok("resume")
        running.kill()
        running.start()
        assert running.ok("panic", idempotency_key="p") == first
        assert running.ok("status")["panic_latched"] is False
        # Without a key it is another panic.
        assert running.ok("panic")["latched"]
        assert running.ok("status")["panic_latched"] is True


# --- cursors ---------------------------------------------------------------------------------------------------------


def test_a_cursor_takes_every_number_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    with daemon(tmp_path / "state", *QUIET, env=PATIENT) as running:
        for _ in range(5):
            running.ok("disarm", position_id=running.arm())
        last = running.ok("events", limit=1)["last_seq"]
        for wrong in (-1, 2**63, 1.5, "1", True):
            assert running.error("events", from_seq=wrong)["code"] == "bad_request"
            assert running.error("subscribe", from_seq=wrong)["code"] == "bad_request"
        beyond = running.ok("events", from_seq=last + 100)
        assert (beyond["events"], beyond["next_seq"]) == ([], last + 100)
        with running.connect() as early, running.connect() as late:
            assert early.ok("subscribe", from_seq=0)["from_seq"] == 0
            assert late.ok("subscribe", from_seq=last + 2)["from_seq"] == last + 2
            seen = [early.event()["seq"] for _ in range(last)]
            assert seen == list(range(1, last + 1))
            # Other commands are answered on the same connection.
            assert early.ok("ping")
            running.ok("disarm", position_id=running.arm())
            assert late.event()["seq"] == last + 2
            running.kill()
            with suppress(EOFError, ConnectionResetError):
                while early.line()["seq"] <= last + 2:
                    pass
        running.start()
        with running.subscribe(from_seq=last + 1) as again:
            assert [again.event()["seq"] for _ in range(2)] == [last + 1, last + 2]


# --- too many, and too silent ----------------------------------------------------------------------------------------


def test_whoever_asks_nothing_for_too_long_makes_room_and_a_subscriber_does_not(tmp_path: Path) -> None:
    with daemon(tmp_path / "state", *QUIET, env={**PATIENT, "ROBSON_CONTROL_IDLE_SECONDS": "1"}) as running:
        follower = running.subscribe()
        silent = [running.connect() for _ in range(30)]
        silent[0].socket.sendall(b'{"cmd":"pi')
        for trickling, octet in ((silent[1], b"x"), (silent[2], b"\n")):
            with suppress(BrokenPipeError, ConnectionResetError):
                # For as long as it is let: half a line, or blank lines, are no request.
                while not _readable(trickling):
                    trickling.socket.sendall(octet)
        for client in silent:
            error = client.reply()["error"]
            assert (error["code"], "1 s" in error["message"]) == ("idle", True)
            client.socket.close()
        assert running.arm()
        assert follower.event("position_armed")


def _readable(client: Client) -> bool:
    return bool(select.select([client.socket], [], [], TRY_SECONDS)[0])


# --- other users -----------------------------------------------------------------------------------------------------

ASK = """
import os, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[1]))
with socket.socket(socket.AF_UNIX) as daemon:
    try:
        daemon.connect(sys.argv[3])
    except PermissionError:
        print("refused")
        sys.exit()
    daemon.sendall(sys.argv[4].encode() + b"\\n")
    print(daemon.makefile().readline())
"""


def ask_as(uid: int, gid: int, path: Path, line: str) -> str:
    asked = subprocess.run(
        [sys.executable, "-S", "-c", ASK, str(uid), str(gid), str(path), line],
        env=environment(),
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


def code(reply: str) -> str:
    return str(json.loads(reply)["error"]["code"])


@needs_root
def test_another_user_may_look_at_the_read_only_socket_and_do_nothing(place: Path) -> None:
    look = place / "look.sock"
    env = {**PATIENT, "ROBSON_CONTROL_READ_ONLY_SOCKET": str(look)}
    running = Daemon(place / "state", *QUIET, "--socket", str(place / "robson.sock"), env=env)
    running.socket = place / "robson.sock"
    try:
        running.start()
        armed = running.arm()
        assert ask_as(NOBODY, NOBODY, running.socket, '{"cmd":"panic"}') == "refused"
        assert armed in ask_as(NOBODY, NOBODY, look, '{"cmd":"status"}')
        for line in ('{"cmd":"panic"}', json.dumps({"cmd": "disarm", "position_id": armed}), json.dumps(ARM)):
            assert code(ask_as(NOBODY, NOBODY, look, line)) == "read_only"
        # Who may not is not exempt for being root.
        assert code(ask_as(0, 0, look, '{"cmd":"panic"}')) == "read_only"
        status = running.ok("status")
        assert (status["panic_latched"], [view["state"] for view in status["positions"]]) == (False, ["Armed"])
        assert running.stop() == 0
        assert not look.exists()
    finally:
        running.end()


@needs_root
def test_the_kernels_word_decides_who_may_arm_and_who_may_panic(place: Path) -> None:
    env = {**PATIENT, "ROBSON_CONTROL_ARM_USERS": "0", "ROBSON_CONTROL_PANIC_USERS": f"0,{NOBODY}"}
    running = Daemon(place / "state", *QUIET, "--socket", str(place / "robson.sock"), env=env)
    running.socket = place / "robson.sock"
    try:
        running.start()
        group = running.socket.stat().st_gid
        error = json.loads(ask_as(NOBODY, group, running.socket, json.dumps(ARM)))["error"]
        assert (error["code"], str(NOBODY) in error["message"]) == ("not_permitted", True)
        assert code(ask_as(NOBODY, group, running.socket, '{"cmd":"resume"}')) == "not_permitted"
        assert json.loads(ask_as(NOBODY, group, running.socket, '{"cmd":"panic"}'))["result"]["latched"]
        assert code(ask_as(NOBODY + 1, group, running.socket, '{"cmd":"panic"}')) == "not_permitted"
        assert running.ok("resume") == {"panic_latched": False}
        (panicked,) = [line for line in running.logged("mutation_requested") if line["cmd"] == "panic"]
        assert (panicked["peer_uid"], panicked["peer_gid"]) == (NOBODY, group)
    finally:
        running.end()


# --- the socket's place ----------------------------------------------------------------------------------------------


def test_a_place_that_cannot_be_the_socket_is_refused_and_left_alone(place: Path) -> None:
    (place / "file").write_text("precious")
    (place / "target").write_text("precious")
    (place / "link").symlink_to(place / "target")
    (place / "folder").mkdir()
    long = place / ("x" * 100)
    for wrong, told in (
        (place / "file", "not a socket"),
        (place / "link", "not a socket"),
        (place / "folder", "not a socket"),
        (place / "missing" / "r.sock", "No such file"),
        (long, f"{len(str(long))} bytes long, at most 107"),
    ):
        ended = robson("run", *QUIET, "--state-dir", str(place / "state"), "--socket", str(wrong))
        assert ended.returncode == 78, (wrong, ended.stderr)
        assert told in ended.stderr
    assert (place / "file").read_text() == (place / "target").read_text() == "precious"
    assert (place / "link").is_symlink()


def test_another_daemons_socket_is_left_to_it_and_a_dead_ones_is_taken(place: Path) -> None:
    shared = place / "robson.sock"
    first = Daemon(place / "one", *QUIET, "--socket", str(shared), env=PATIENT)
    first.socket = shared
    try:
        first.start()
        mode = shared.stat().st_mode & 0o777
        ended = robson("run", *QUIET, "--state-dir", str(place / "two"), "--socket", str(shared))
        assert (ended.returncode, "another process answers" in ended.stderr, mode) == (78, True, 0o660)
        armed = first.arm()
        first.kill()
        assert shared.is_socket()
        first.start()
        assert first.position(armed)["state"] == "Armed"
        assert first.stop() == 0
        assert not shared.exists()
    finally:
        first.end()
        shutil.rmtree(place / "two", ignore_errors=True)
