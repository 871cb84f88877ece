"""The lock on a state directory: one daemon at a time, freed by the kernel when its owner dies."""

import fcntl
import os
import socket
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from robson.domain.codec import decode, encode
from robson.domain.errors import JournalHeld, JournalUnusable
from robson.domain.values import Value
from robson.ports.clock import Clock

FILE_NAME = "robson.lock"


class Holder(Value):
    """Who holds, or held, the lock."""

    pid: int
    host: str
    started_at: datetime

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, started at {self.started_at:%Y-%m-%d %H:%M:%S} UTC"


class StateLock:
    """The lock as it is held; `crashed` is an earlier holder that did not release it, None after a clean end.

    The lock belongs to the open file, not to its text: a holder that dies frees it, whatever the text says.
    """

    def __init__(self, descriptor: int, crashed: Holder | None) -> None:
        self._descriptor: int | None = descriptor
        self.crashed = crashed

    @classmethod
    def take(cls, directory: Path, *, clock: Clock) -> "StateLock":
        """Take the lock of a state directory.

        Raises JournalHeld naming the holder, JournalUnusable where no lock file can be opened. On a disk that has
        become read-only an existing lock file still serves.
        """
        path = directory / FILE_NAME
        descriptor, writable = _open(path)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read(descriptor)
                by = str(holder) if holder else "another process"
                raise JournalHeld(f"the state directory {directory} was held by {by} (lock file {path})") from None
            crashed = _read(descriptor)
            if writable:
                own = Holder(pid=os.getpid(), host=socket.gethostname(), started_at=clock.now())
                _write(descriptor, encode(own) + b"\n")
        except OSError as error:
            os.close(descriptor)
            raise JournalUnusable(f"the lock file {path} could not be taken: {error.strerror}") from error
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor, crashed)

    def release(self) -> None:
        """Free the lock; does nothing the second time."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        try:
            # The file stays: unlinking it could free a name that another process has just locked.
            os.ftruncate(descriptor, 0)
        except OSError:
            # A disk that cannot be written leaves the text, which then reads as a crash: harmless.
            pass
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def holder_of(directory: Path) -> str | None:
    """Who holds the lock of a state directory now; None when nobody does, or nobody can say."""
    try:
        descriptor = os.open(directory / FILE_NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return str(_read(descriptor) or "another process")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _open(path: Path) -> tuple[int, bool]:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600), True
    except OSError as error:
        try:
            return os.open(path, os.O_RDONLY), False
        except OSError:
            raise JournalUnusable(f"the lock file {path} could not be opened: {error.strerror}") from error


def _read(descriptor: int) -> Holder | None:
    try:
        return decode(os.pread(descriptor, 4096, 0), Holder)
    except (OSError, msgspec.DecodeError):
        return None


def _write(descriptor: int, text: bytes) -> None:
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
    except OSError:
        # The lock holds without its text; a full disk must not keep the exits from running.
        return
