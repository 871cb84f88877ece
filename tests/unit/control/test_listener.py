"""The socket's file: its rights, its predecessor, its end."""

import os
import socket
import stat
from pathlib import Path

import pytest
import trio

from robson.control.listener import PATH_BYTES_MAX, listening
from robson.domain.errors import ConfigurationError


def corpse(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


async def test_the_socket_is_for_owner_and_group_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    before = os.umask(0)
    try:
        async with listening(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert not path.exists()


async def test_the_rights_are_right_from_the_first_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.sock"
    modes = []
    listen = socket.socket.listen

    def look_and_listen(self: socket.socket, *backlog: int) -> None:
        modes.append(stat.S_IMODE(path.stat().st_mode))
        listen(self, *backlog)

    monkeypatch.setattr(socket.socket, "listen", look_and_listen)
    async with listening(path):
        assert modes == [0o660]


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    corpse(path)
    async with listening(path) as listener, await trio.open_unix_socket(str(path)):
        stream = await listener.accept()
        await stream.aclose()


async def test_a_socket_that_answers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    async with listening(path):
        before = path.stat()
        with pytest.raises(ConfigurationError, match="another process answers"):
            async with listening(path):
                pass
        assert os.path.samestat(before, path.stat())


async def test_a_full_backlog_is_not_a_corpse(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
        busy.bind(str(path))
        busy.listen(0)
        waiting.connect(str(path))
        with pytest.raises(ConfigurationError, match="another process answers"):
            async with listening(path):
                pass


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
async def test_what_is_not_a_socket_is_refused_and_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "r.sock"
    match kind:
        case "file":
            path.write_text("precious")
        case "directory":
            path.mkdir()
        case _:
            corpse(tmp_path / "real.sock")
            path.symlink_to(tmp_path / "real.sock")
    with pytest.raises(ConfigurationError, match="not a socket"):
        async with listening(path):
            pass
    assert os.path.lexists(path)


async def test_a_path_that_the_kernel_would_cut_is_refused_with_its_length(tmp_path: Path) -> None:
    fitting = tmp_path / ("x" * (PATH_BYTES_MAX - len(os.fsencode(tmp_path)) - 1))
    async with listening(fitting):
        assert fitting.is_socket()
    with pytest.raises(ConfigurationError, match=f"{PATH_BYTES_MAX + 1} bytes long, at most {PATH_BYTES_MAX}"):
        async with listening(Path(f"{fitting}x")):
            pass


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing/r\.sock could not be made: No such file"):
        async with listening(tmp_path / "missing" / "r.sock"):
            pass


async def test_a_successors_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    async with listening(path):
        path.rename(tmp_path / "old.sock")
        corpse(path)
    assert path.is_socket()


async def test_a_socket_that_already_listens_is_used_and_its_path_left(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(path))
    given.listen()
    async with listening(given) as listener, await trio.open_unix_socket(str(path)):
        await (await listener.accept()).aclose()
    assert path.is_socket()


async def test_a_socket_of_another_family_is_refused() -> None:
    with socket.socket(socket.AF_INET) as given, pytest.raises(ConfigurationError, match="AF_UNIX"):
        async with listening(given):
            pass
