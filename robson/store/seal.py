"""The seal of a state directory: a small file, away from the journal's disk, that is gone once orders go out unwritten.

It is valid only for the machine's boot, the journal file and the run that wrote it. So nothing about it needs to be on
disk: a power cut, another machine, a restored journal and a missing file all mean the same, that it is torn.
"""

import os
from hashlib import sha256
from pathlib import Path

import msgspec
import structlog

from robson.domain.codec import decode, encode
from robson.domain.values import Value

MEMORY = Path("/dev/shm")  # noqa: S108  names there are checked for their owner
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
JOURNAL_NAME = "robson.db"
MODE = 0o600

_log = structlog.get_logger("robson.journal")


class Impression(Value):
    """What is written on the seal."""

    boot_id: str
    journal: str
    epoch: int


class FileSeal:
    """The seal (ports.Seal) of one state directory, kept in `place`: memory where there is some, or beside the journal.

    Another disk than the journal's matters: a file on a disk that has become read-only could not be removed.
    """

    def __init__(self, state: Path, *, place: Path | None = None, boot_id: str | None = None) -> None:
        where = place or (MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else state)
        self._state = state
        self._boot_id = _read_boot_id() if boot_id is None else boot_id
        # Known by the directory's owner and path, whoever starts the daemon there.
        self._owner = state.stat().st_uid
        digest = sha256(os.fsencode(state.resolve())).hexdigest()[:16]
        self.path = where / f"robson-{self._owner}-{digest}.seal"

    def is_whole(self, epoch: int) -> bool:
        """Whether the run of that epoch left it whole, on this boot and this journal file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return False
        with os.fdopen(descriptor, "rb") as file:
            # In a directory that everybody may write to, another user's file says nothing.
            if os.fstat(descriptor).st_uid not in {self._owner, os.geteuid()}:
                return False
            try:
                found = decode(file.read(4096), Impression)
            except (OSError, msgspec.DecodeError):
                return False
        return bool(self._boot_id) and found == self._impression(epoch)

    def apply(self, epoch: int) -> None:
        """Write it for this run; where that fails the next start waits longer, and nothing else is lost."""
        fresh = self.path.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(encode(self._impression(epoch)))
            fresh.replace(self.path)
        except OSError as error:
            _log.warning("seal_not_written", path=str(self.path), error=str(error))
            self.tear()

    def tear(self) -> None:
        """Remove it, or at least what it says."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            try:
                os.truncate(self.path, 0)
            except OSError:
                _log.error("seal_not_removed", path=str(self.path), error=str(error))

    def _impression(self, epoch: int) -> Impression:
        try:
            status = (self._state / JOURNAL_NAME).stat()
            journal = f"{status.st_dev}:{status.st_ino}"
        except OSError:
            journal = ""
        return Impression(boot_id=self._boot_id, journal=journal, epoch=epoch)


def forget_seal(state: Path) -> None:
    """Remove the seal of a state directory that is about to be removed, or holds nothing open."""
    if state.exists():
        FileSeal(state).tear()


def _read_boot_id() -> str:
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""
