"""Sockets that the service manager has opened for us, by the names that their unit gives them."""

import os
import socket
from collections.abc import MutableMapping

import structlog

FIRST = 3
CONTROL, READ_ONLY = "control", "read-only"
# A unit without FileDescriptorName= gives its own name.
_ALIASES = {"robson.socket": CONTROL, "unknown": CONTROL}

_log = structlog.get_logger("robson.systemd")


def inherited_sockets(
    environment: MutableMapping[str, str], pid: int, *, first: int = FIRST
) -> dict[str, socket.socket]:
    """The Unix sockets that listen for us, `control` and `read-only`; the variables are taken out.

    What is meant for another process is left alone; what is no listening Unix socket, or has another name, is closed.
    """
    meant, count, names = (environment.pop(f"LISTEN_{key}", "") for key in ("PID", "FDS", "FDNAMES"))
    if meant != str(pid) or not (count.isascii() and count.isdecimal()):
        return {}
    found: dict[str, socket.socket] = {}
    given = names.split(":") if names else []
    for index in range(int(count)):
        descriptor = first + index
        name = given[index] if index < len(given) else "unknown"
        name = _ALIASES.get(name, name)
        try:
            os.set_inheritable(descriptor, False)
            one = socket.socket(fileno=descriptor)
        except OSError as error:
            _log.warning("socket_not_inherited", name=name, descriptor=descriptor, error=str(error))
            continue
        if name not in {CONTROL, READ_ONLY} or name in found or not _listens(one):
            _log.warning("socket_not_used", name=name, descriptor=descriptor)
            one.close()
            continue
        found[name] = one
    return found


def is_reachable(listening: socket.socket) -> bool:
    """Whether the file of a listening socket is still there, so that clients can find it."""
    name = listening.getsockname()
    return bool(name) and (isinstance(name, bytes) or os.path.lexists(name))


def _listens(one: socket.socket) -> bool:
    try:
        return (
            one.family == socket.AF_UNIX
            and one.type == socket.SOCK_STREAM
            and bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
        )
    except OSError:
        return False
