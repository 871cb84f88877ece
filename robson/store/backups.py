"""What is remembered beside the journal of the last copy that was made of it."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from robson.domain.codec import decode, encode
from robson.ports.journal import LastBackup

LAST_BACKUP_NAME = "last-backup.json"


def remember_backup(journal: Path, made: LastBackup) -> None:
    """Write down that a whole copy was made; raises OSError where the state directory does not let us.

    A file and not a row: the copy is made beside a daemon, which alone may write to the journal.
    """
    target = journal.with_name(LAST_BACKUP_NAME)
    part = target.with_name(f".{LAST_BACKUP_NAME}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(encode(made) + b"\n")
        part.replace(target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def last_backup(journal: Path) -> LastBackup | None:
    """The last copy that is remembered; None where none is, or what is remembered makes no sense."""
    try:
        return decode(journal.with_name(LAST_BACKUP_NAME).read_bytes(), LastBackup)
    except (OSError, msgspec.MsgspecError):
        return None
