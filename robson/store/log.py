"""The write-ahead log as a file: room is made in it before it is needed."""

import os
import sqlite3

# A disk with less free than so many times what is asked for needs its room for other things.
SPARE = 16
_ZEROS = bytes(1 << 16)


def make_room(connection: sqlite3.Connection, log: str, *, identity: tuple[int, int], length: int) -> bool:
    """Lengthen a log in use to `length` bytes with zeros, durably; False when it was left alone.

    Syncing a file that has grown writes the file system's own records too, and takes half as long again. What is in the
    log stays as it is, and SQLite takes zeros for the rest of an older log: it reads up to the first frame that is not
    of this one. `identity` (device and inode) is the log's that is in use. Raises sqlite3.Error or OSError; what was
    written by then may stay.
    """
    # Nobody else makes the log longer or shorter meanwhile.
    connection.execute("BEGIN IMMEDIATE")
    try:
        # SQLite holds locks on the file itself and on the index, which closing any descriptor of them would drop; the
        # log carries none.
        descriptor = os.open(log, os.O_WRONLY | os.O_CLOEXEC)
        try:
            return _lengthen(descriptor, identity, length)
        finally:
            os.close(descriptor)
    finally:
        connection.execute("ROLLBACK")


def _lengthen(descriptor: int, identity: tuple[int, int], length: int) -> bool:
    found, disk = os.fstat(descriptor), os.fstatvfs(descriptor)
    at = found.st_size
    if (found.st_dev, found.st_ino) != identity or not 0 < at < length:
        return False
    if disk.f_bavail * disk.f_frsize < SPARE * length:
        return False
    while at < length:
        at += os.pwrite(descriptor, _ZEROS[: length - at], at)
    os.fsync(descriptor)
    return True
