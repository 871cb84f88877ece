"""How the doctor reads the machine: the kernel's lists, the disk, the journal; nothing is left behind by it."""

import os
import socket
import sqlite3
from pathlib import Path

import pytest
import trio

from robson.clock import RunClock
from robson.commands.doctor.check import Check, fine
from robson.commands.doctor.judging.daemon import Lock
from robson.commands.doctor.judging.journal import judge_journal
from robson.commands.doctor.probing import daemon, disk, keys, machine
from robson.commands.doctor.side_by_side import Ward, guarded
from robson.domain.errors import Fatal, InDoubt, RateLimited, Rejected, Unreachable
from robson.store.journal import SqliteJournal
from robson.store.lock import StateLock
from robson.store.migrations import known_names

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /srv rw shared:1 - nfs4 host:/srv rw
31 30 0:41 / /srv/local\\040disk rw - xfs /dev/vdb rw
32 22 0:42 / /srvx rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [("/srv/robson", "nfs4"), ("/srv/local disk/robson", "xfs"), ("/srvy", "ext4"), ("/srvx/a", "tmpfs")],
)
def test_the_innermost_mount_is_the_file_system(place: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "nearest", Path)
    assert disk.read_filesystem(Path(place), MOUNTS) == kind
    assert disk.read_filesystem(Path(place), "") is None


def test_a_place_is_read(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert disk.read_place(state).is_writable
    assert not disk.read_place(state).is_there
    state.mkdir(mode=0o750)
    assert disk.read_place(state).mode == 0o750
    (tmp_path / "file").touch()
    assert not disk.read_place(tmp_path / "file").is_directory
    below = disk.read_place(tmp_path / "file" / "state")
    assert not below.is_writable
    assert not below.is_there
    assert disk.read_room(state / "not" / "there") > 0


def test_the_disk_is_measured_and_nothing_stays(tmp_path: Path) -> None:
    took = disk.measure_fsync(tmp_path)
    assert len(took) >= 1
    assert min(took) > 0
    assert list(tmp_path.iterdir()) == []
    assert disk.measure_fsync(tmp_path / "not there") == []


async def journal_in(state: Path, mode: str = "paper") -> SqliteJournal:
    return SqliteJournal.open(state / "robson.db", mode=mode, clock=RunClock(), machine_id="m", version="1")


async def test_a_journal_is_read_while_it_is_open_and_when_it_is_not(tmp_path: Path) -> None:
    journal = await journal_in(tmp_path)
    found, symbols = disk.read_journal(tmp_path / "robson.db", is_held=True)
    assert (found.mode, found.events, found.schema, found.damage, symbols) == ("paper", 0, "present", [], ())
    assert found.steps >= 7
    journal.close()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert disk.read_journal(tmp_path / "robson.db", is_held=False)[0].mode == "paper"
    assert sorted(path.name for path in tmp_path.iterdir()) == before == ["robson.db"]


async def test_what_is_no_journal_is_told(tmp_path: Path) -> None:
    path = tmp_path / "robson.db"
    assert not disk.read_journal(path, is_held=False)[0].is_there
    path.write_bytes(b"not a database at all" * 400)
    assert judge_journal(disk.read_journal(path, is_held=False)[0], "paper").outcome == "fail"
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE others (x)")
    connection.close()
    assert "no journal" in disk.read_journal(path, is_held=False)[0].fault


async def test_a_damaged_journal_is_told(tmp_path: Path) -> None:
    (await journal_in(tmp_path)).close()
    path = tmp_path / "robson.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 5] = b"\xa5" * 8192
    path.write_bytes(content)
    assert judge_journal(disk.read_journal(path, is_held=False)[0], "paper").outcome == "fail"


async def test_a_step_that_is_not_known_here_is_a_newer_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (await journal_in(tmp_path)).close()
    known = known_names()
    monkeypatch.setattr(disk, "known_names", lambda: known[:-1])
    assert disk.read_journal(tmp_path / "robson.db", is_held=False)[0].schema == "newer"
    monkeypatch.setattr(disk, "known_names", lambda: (*known, "m099_later"))
    assert disk.read_journal(tmp_path / "robson.db", is_held=False)[0].schema == "behind"


async def test_the_lock_is_read_from_the_kernels_list(tmp_path: Path) -> None:
    assert daemon.read_lock(tmp_path) == Lock(pid=None)
    with StateLock.take(tmp_path, clock=RunClock()):
        held = daemon.read_lock(tmp_path)
        assert held.pid == os.getpid()
        assert f"{RunClock().now():%Y-%m-%d}" in held.since
    assert daemon.read_lock(tmp_path).pid is None


async def test_a_lock_of_a_disk_with_two_names_is_ours_by_its_pid(tmp_path: Path) -> None:
    with StateLock.take(tmp_path, clock=RunClock()):
        inode = (tmp_path / "robson.lock").stat().st_ino
        other = "1: FLOCK  ADVISORY  WRITE {} ff:ff:{} 0 EOF\n"
        assert daemon.read_lock(tmp_path, other.format(os.getpid(), inode)).pid == os.getpid()
        assert daemon.read_lock(tmp_path, other.format(os.getpid() + 1, inode)).pid is None
        assert daemon.read_lock(tmp_path, "").pid is None


async def test_whoever_listens_is_greeted(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    assert not (await daemon.greet(path)).is_there
    hello = b'{"id":null,"ok":true,"result":{"protocol":1,"version":"1.2","mode":"paper","state":"live"}}\n'
    for answer, fault in ((hello, ""), (b"", "closed"), (b'{"ok":false}\n', "refused"), (b"[]\n", "Expected")):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_answer, trio.socket.from_stdlib_socket(listener.dup()), answer)
                found = await daemon.greet(path)
        assert found.is_there
        assert fault in found.fault
        assert found.version == ("1.2" if answer is hello else "")
        path.unlink()


async def _answer(listener: trio.socket.SocketType, answer: bytes) -> None:
    with listener:
        connection, _ = await listener.accept()
        async with trio.SocketStream(connection) as stream:
            assert await stream.receive_some() == b'{"cmd":"hello"}\n'
            if answer:
                await stream.send_all(answer)


async def test_what_listens_no_more_or_never_did_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert "refused" in (await daemon.greet(path)).fault
    (tmp_path / "file").touch()
    assert not (await daemon.greet(tmp_path / "file")).is_socket


def test_keys_are_read_without_their_content(tmp_path: Path) -> None:
    assert "without keys" in keys.read_keys(None).fault
    for name in ("binance-api-key", "binance-api-secret"):
        (tmp_path / name).write_text("content-of-it")
        (tmp_path / name).chmod(0o644)
    tmp_path.chmod(0o755)
    found = keys.read_keys(tmp_path)
    assert (found.kind, [file.mode for file in found.files]) == ("HMAC key", [0o644, 0o644])
    tmp_path.chmod(0o700)
    assert [file.mode for file in keys.read_keys(tmp_path).files] == [0o600, 0o600], "nobody gets to them"
    assert "content-of-it" not in repr(found)
    assert keys.load(tmp_path, "paper") is None
    assert keys.load(tmp_path, "live") is not None


@pytest.mark.parametrize(
    ("groups", "unit"),
    [
        ("0::/system.slice/robson.service\n", "robson.service"),
        ("0::/user.slice/user-1.slice/user@1.service/app.slice/robson.service\n", "robson.service"),
        ("0::/user.slice/user-1.slice/user@1.service\n", ""),
        ("0::/user.slice/user-1.slice/session-2.scope\n", ""),
        ("", ""),
    ],
)
def test_the_unit_is_read_from_the_control_group(groups: str, unit: str) -> None:
    assert machine.unit_of(groups) == unit


def test_the_machine_can_be_read() -> None:
    assert machine.read_time().is_synchronised in {True, False, None}
    assert machine.read_core_dumps(os.getpid()).limit == machine.read_core_dumps(None).limit
    assert not machine.read_core_dumps(2**22 + 1).is_readable
    assert machine.read_service(os.getpid()).runs


@pytest.mark.parametrize(
    ("error", "outcome", "words"),
    [
        (Fatal("-2015", "Invalid API-key"), "fail", "did not accept the key"),
        (Rejected("404", "no such page"), "warn", "404"),
        (RateLimited("429", "slow down", retry_after_seconds=7), "warn", "silence"),
        (Unreachable("no route"), "warn", "no route"),
        (InDoubt("cut"), "warn", "cut"),
        (OSError("disk"), "warn", "disk"),
        (ZeroDivisionError("secret"), "warn", "ZeroDivisionError"),
    ],
)
async def test_what_is_raised_ends_one_check_alone(error: Exception, outcome: str, words: str) -> None:
    async def look() -> Check:
        raise error

    optional = await guarded("a", look, seconds=1, is_optional=True)
    assert (optional.outcome, words in optional.detail) == (outcome, True), optional
    assert (await guarded("a", look, seconds=1)).outcome == "fail"
    assert "secret" not in optional.detail


async def test_checks_run_side_by_side_and_keep_their_order(autojump_clock: trio.testing.MockClock) -> None:
    async def slow() -> Check:
        await trio.sleep(8)
        return fine("slow", "")

    async def never() -> Check:
        await trio.sleep_forever()
        raise AssertionError

    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        ward = Ward(nursery)
        ward.look("slow", slow, seconds=9)
        ward.look("never", never, seconds=5)
        ward.leave_out("left", "there was no way")
    assert trio.current_time() - began == 8
    assert [(check.name, check.outcome) for check in ward.checks] == [
        ("slow", "ok"),
        ("never", "fail"),
        ("left", "warn"),
    ]
    assert "no answer within 5 s" in ward.checks[1].detail
