"""Records as the journal gets them: fields, lines, sizes, and what happens when nobody takes them."""

import array
import mmap
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from robson.systemd import journald
from robson.systemd.journald import JournalSocket, encode, fields_of, is_journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "journal"))
        listening.settimeout(10)
        yield listening


@pytest.fixture
def sender(journal: socket.socket) -> Iterator[JournalSocket]:
    made = JournalSocket(Path(journal.getsockname()))
    yield made
    made.close()


def decoded(payload: bytes) -> dict[str, str]:
    """The fields of a datagram, read as the journal reads them."""
    found: dict[str, str] = {}
    while payload:
        line, _, rest = payload.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if equals:
            payload = rest
        else:
            size = int.from_bytes(rest[:8], "little")
            value, payload = rest[8 : 8 + size], rest[9 + size :]
        found[name.decode()] = value.decode()
    return found


def test_what_is_looked_for_has_a_field_of_its_own() -> None:
    record = {
        "event": "mutation_requested",
        "level": "error",
        "position_id": "ab",
        "symbol": "BTCUSDT",
        "client_order_id": "r-1",
        "peer_uid": 1000,
        "weird key!": None,
        "pause seconds": 2,
    }
    fields = fields_of(record)
    assert fields == {
        "MESSAGE": "mutation_requested position_id=ab symbol=BTCUSDT client_order_id=r-1 peer_uid=1000 pause seconds=2",
        "PRIORITY": "3",
        "SYSLOG_IDENTIFIER": "robson",
        "EVENT": "mutation_requested",
        "POSITION_ID": "ab",
        "SYMBOL": "BTCUSDT",
        "INTENT_ID": "r-1",
        "PEER_UID": "1000",
        "ROBSON_PAUSE_SECONDS": "2",
    }


def test_a_key_cannot_be_taken_for_one_of_the_journals() -> None:
    fields = fields_of({"event": "x", "level": "info", "_pid": "1", "priority": "0", "message": "forged"})
    assert fields["PRIORITY"] == "6"
    assert (fields["ROBSON__PID"], fields["ROBSON_PRIORITY"], fields["ROBSON_MESSAGE"]) == ("1", "0", "forged")


def test_lines_in_a_value_forge_no_field() -> None:
    sent = {"MESSAGE": "one\nPRIORITY=0\n", "PRIORITY": "6", "ODD": "\udcff"}
    assert decoded(encode(sent)) == {**sent, "ODD": "\\udcff"}


def test_a_record_arrives(journal: socket.socket, sender: JournalSocket) -> None:
    sender.send({"event": "it_failed", "level": "error", "exception": "Traceback\n  in fail"})
    fields = decoded(journal.recv(65536))
    assert fields["MESSAGE"] == "it_failed\nTraceback\n  in fail"
    assert fields["PRIORITY"] == "3"


def test_a_record_too_large_for_a_datagram_comes_in_memory(journal: socket.socket, sender: JournalSocket) -> None:
    text = "x" * 2_000_000
    sender.send({"event": "large", "level": "info", "reply": text})
    body, rights, _, _ = journal.recvmsg(10, socket.CMSG_SPACE(4))
    assert body == b""
    descriptor = array.array("i", rights[0][2])[0]
    with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as memory:
        assert decoded(memory[:])["ROBSON_REPLY"] == text
    with pytest.raises(OSError, match="not permitted"):
        os.write(descriptor, b"changed")  # what the journal reads cannot change under it
    os.close(descriptor)


def test_without_such_memory_it_is_cut_and_says_so(
    journal: socket.socket, sender: JournalSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError("not here")

    monkeypatch.setattr(os, "memfd_create", refuse)
    sender.send({"event": "large", "level": "info", "reply": "x" * 2_000_000})
    fields = decoded(journal.recv(1 << 20))
    assert len(fields["ROBSON_REPLY"]) == journald.CUT_BYTES
    assert "ROBSON_REPLY" in fields["ROBSON_CUT"]


def test_a_journal_that_takes_nothing_holds_nobody_up_and_the_loss_is_told(
    journal: socket.socket, sender: JournalSocket
) -> None:
    for number in range(3000):
        sender.send({"event": "flood", "level": "info", "number": number})
    lost = sender.dropped
    assert lost > 0
    journal.recv(65536)
    sender.send({"event": "after", "level": "info"})
    journal.setblocking(False)
    last = b""
    try:
        while True:
            last = journal.recv(65536)
    except BlockingIOError:
        pass
    assert decoded(last)["ROBSON_RECORDS_DROPPED"] == str(lost)


def test_a_journal_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    sender = JournalSocket(tmp_path / "gone")
    sender.send({"event": "x", "level": "info"})
    assert sender.dropped == 1
    sender.close()


def test_the_journals_stream_is_known_by_its_inode(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        status = os.fstat(file.fileno())
        stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert is_journal(file.fileno(), stream)
        assert not is_journal(file.fileno(), {"JOURNAL_STREAM": f"{status.st_dev}:1"})
        assert not is_journal(file.fileno(), {})
