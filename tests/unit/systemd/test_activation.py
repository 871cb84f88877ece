"""Sockets that were opened for us: found by name, refused where they are none."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from robson.systemd.activation import inherited_sockets, is_reachable


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    made.listen()
    return made


@pytest.fixture
def handed(tmp_path: Path) -> Iterator[int]:
    """The first of two consecutive descriptors: a socket that listens, and a pipe."""
    made = listening(tmp_path / "socket")
    first = 200
    os.dup2(made.fileno(), first, inheritable=True)
    reader, writer = os.pipe()
    os.dup2(reader, first + 1, inheritable=True)
    made.close()
    os.close(reader)
    yield first
    os.close(writer)
    for descriptor in (first, first + 1):
        try:
            os.close(descriptor)
        except OSError:
            continue


def variables(names: str, *, pid: int = 7, count: str = "2") -> dict[str, str]:
    return {"LISTEN_PID": str(pid), "LISTEN_FDS": count, "LISTEN_FDNAMES": names}


def test_a_socket_is_found_by_its_name(handed: int) -> None:
    environment = variables("read-only:control")
    found = inherited_sockets(environment, 7, first=handed)
    assert environment == {}
    assert set(found) == {"read-only"}, "the pipe is no socket"
    assert not os.get_inheritable(found["read-only"].fileno())
    assert is_reachable(found["read-only"])
    found["read-only"].close()


@pytest.mark.parametrize("names", ["robson.socket", "unknown", ""])
def test_a_socket_without_a_name_is_the_control_socket(handed: int, names: str) -> None:
    found = inherited_sockets(variables(names, count="1"), 7, first=handed)
    assert set(found) == {"control"}
    found["control"].close()


def test_what_is_meant_for_another_process_is_left_alone(handed: int) -> None:
    assert inherited_sockets(variables("control", pid=8), 7, first=handed) == {}
    os.fstat(handed)


def test_a_name_that_nobody_knows_is_closed(handed: int) -> None:
    assert inherited_sockets(variables("varlink", count="1"), 7, first=handed) == {}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handed)


def test_a_socket_whose_file_is_gone_is_not_reachable(tmp_path: Path) -> None:
    with listening(tmp_path / "socket") as made:
        assert is_reachable(made)
        (tmp_path / "socket").unlink()
        assert not is_reachable(made)
