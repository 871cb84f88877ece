"""The socket's place in the file system: made without a window, replaced only if nobody answers, removed at the end."""

import errno
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from robson.domain.errors import ConfigurationError, StorageError

# sun_path has 108 bytes, the last of which is the terminating zero.
PATH_BYTES_MAX = 107
_BACKLOG = 128
OWNER_AND_GROUP = 0o660
EVERYBODY = 0o666
_EVERY_RIGHT = 0o777
_DISK_FAULTS = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO})


@asynccontextmanager
async def listening(where: Path | socket.socket, mode: int = OWNER_AND_GROUP) -> AsyncIterator[trio.SocketListener]:
    """Listen on a path, made with `mode`, or on a socket that already listens (left to whoever made it).

    Raises ConfigurationError when the path is too long, is taken, or cannot be made; StorageError when the disk is why.
    """
    if isinstance(where, socket.socket):
        async with _adopt(where) as listener:
            yield listener
        return
    bound = _bind(where, mode)
    own = os.lstat(where)
    try:
        async with _adopt(bound) as listener:
            yield listener
    finally:
        _remove(where, own)


def _adopt(listening_socket: socket.socket) -> trio.SocketListener:
    if listening_socket.family != socket.AF_UNIX:
        raise ConfigurationError(f"the control socket's family was {listening_socket.family!r}, which must be AF_UNIX")
    listening_socket.setblocking(False)
    return trio.SocketListener(trio.socket.from_stdlib_socket(listening_socket))


def _bind(path: Path, mode: int) -> socket.socket:
    length = len(os.fsencode(path))
    if length > PATH_BYTES_MAX:
        raise ConfigurationError(
            f"the control socket's path was {length} bytes long, at most {PATH_BYTES_MAX} are possible: {path}; "
            "choose a shorter one with --socket or ROBSON_SOCKET"
        )
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(_EVERY_RIGHT & ~mode)
    try:
        listener.bind(os.fspath(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _fault(path, error) from error
    finally:
        os.umask(before)
    return listener


def _clear(path: Path) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"the control socket {path} could not be looked at: {error.strerror}") from error
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigurationError(f"the control socket's path {path} is taken by something that is not a socket")
    if _answers(path):
        raise ConfigurationError(f"another process answers on the control socket {path}")
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _fault(path, error) from error


def _fault(path: Path, error: OSError) -> ConfigurationError | StorageError:
    told = f"the control socket {path} could not be made: {error.strerror}"
    return StorageError(told) if error.errno in _DISK_FAULTS else ConfigurationError(told)


def _remove(path: Path, own: os.stat_result) -> None:
    # A socket that the disk does not let go is a corpse, which the next start replaces.
    with suppress(OSError):
        # Another daemon may have taken the place meanwhile: its socket is not ours to remove.
        if os.path.samestat(own, os.lstat(path)):
            path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)
        fault = caller.connect_ex(os.fspath(path))
    # A full backlog (EAGAIN), or a refusal by rights or kind, still is somebody: only a refused connection is a corpse.
    return fault not in {errno.ECONNREFUSED, errno.ENOENT}
