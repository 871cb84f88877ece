"""Readings of the lock and the socket; the lock is never taken, not even for a moment."""

import os
import re
import stat
from pathlib import Path

import msgspec
import trio

from robson.commands.doctor.judging.daemon import Greeting, Lock
from robson.store.lock import FILE_NAME, Holder

_HELD = re.compile(r"^\d+: FLOCK +\S+ +WRITE +(-?\d+) +([0-9a-f]+):([0-9a-f]+):(\d+) ", re.MULTILINE)
_REPLY_BYTES_MOST = 65_536


class _Hello(msgspec.Struct):
    version: str
    mode: str
    state: str


class _Reply(msgspec.Struct):
    ok: bool
    result: _Hello | None = None


def read_lock(state: Path, locks: str | None = None) -> Lock:
    """Who holds the state directory, by the kernel's list of locks and the lock file's text."""
    path = state / FILE_NAME
    try:
        found, text = path.stat(), path.read_bytes()
    except OSError:
        return Lock(pid=None)
    try:
        holder = msgspec.json.decode(text, type=Holder)
    except msgspec.MsgspecError:
        holder = None
    since = f"{holder.started_at:%Y-%m-%d %H:%M:%S} UTC" if holder is not None else ""
    if locks is None:
        try:
            locks = Path("/proc/locks").read_text("ascii", "replace")
        except OSError:
            # The text outlives a holder that was killed, so its process has to be there as well.
            is_alive = holder is not None and Path(f"/proc/{holder.pid}").exists()
            return Lock(pid=holder.pid if holder is not None and is_alive else None, since=since, is_certain=False)
    for pid, major, minor, inode in _HELD.findall(locks):
        is_file = int(inode) == found.st_ino
        is_disk = (int(major, 16), int(minor, 16)) == (os.major(found.st_dev), os.minor(found.st_dev))
        # Some file systems name another device there than to whoever looks at the file.
        if is_file and (is_disk or (holder is not None and holder.pid == int(pid))):
            return Lock(pid=int(pid), since=since)
    return Lock(pid=None)


async def greet(path: Path) -> Greeting:
    """Say hello to whoever listens there."""
    try:
        found = await trio.Path(path).stat()
    except OSError:
        return Greeting(path=str(path), is_there=False)
    permissions = stat.S_IMODE(found.st_mode)
    if not stat.S_ISSOCK(found.st_mode):
        return Greeting(path=str(path), is_there=True, is_socket=False, permissions=permissions)
    try:
        hello = await _hello(path)
    except (OSError, trio.BrokenResourceError, msgspec.MsgspecError, EOFError) as error:
        return Greeting(
            path=str(path), is_there=True, permissions=permissions, fault=str(error) or type(error).__name__
        )
    return Greeting(
        path=str(path),
        is_there=True,
        permissions=permissions,
        version=hello.version,
        mode=hello.mode,
        state=hello.state,
    )


async def _hello(path: Path) -> _Hello:
    async with await trio.open_unix_socket(str(path)) as stream:
        await stream.send_all(b'{"cmd":"hello"}\n')
        line = b""
        while b"\n" not in line and len(line) < _REPLY_BYTES_MOST:
            part = await stream.receive_some()
            if not part:
                raise EOFError("it closed the connection")
            line += part
    reply = msgspec.json.decode(line.partition(b"\n")[0], type=_Reply)
    if reply.result is None:
        raise EOFError("it refused to greet")
    return reply.result
