"""The journal's file: how it is made, recognised, opened and written, one transaction at a time."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from sqlite_utils import Database

from robson.domain.errors import JournalUnusable, JournalUnwritable
from robson.store import log
from robson.store.migrations import APPLICATION_ID, known_names, migrations
from robson.store.reasons import opening, reason, why_not

# Somebody reading the file with another tool may hold a lock for a moment; nobody waits longer than this for it,
# because nothing else runs meanwhile.
BUSY_SECONDS = 0.2
# From so many pages of 4 KiB on, `tidy` copies the write-ahead log into the file: between decisions, not within one.
CHECKPOINT_PAGES = 1000
# A burst that outruns `tidy` is copied within a commit.
CHECKPOINT_PAGES_MAX = 4000
# SQLite begins the log anew once all of it was copied, and cuts the file back to this size then.
LOG_BYTES_MAX = CHECKPOINT_PAGES * 4096
# A log that is longer than this is told of: somebody reads the journal in a transaction that does not end.
LOG_BYTES_TOLD = 64 * 1024 * 1024
OLDEST_SQLITE = (3, 37, 0)


class JournalFile:
    """One connection to the journal's file.

    `write` is a transaction; `read` turns what SQLite says into what Robson says.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, read_only: bool, because: str = "") -> None:
        self.path = path
        self.connection = connection
        self.read_only = read_only
        # Why it could not be opened for writing: whoever tries to write is told that, not only that it is so.
        self._because = because
        self._log = _log_of(path)
        self._names = str(path), str(self._log)
        self._durable = True
        self._in_place: tuple[int, int, int, int] | None = None

    @classmethod
    def open_for_writing(cls, path: Path) -> "JournalFile":
        """Open the file, creating it (0600) where there is none; raises JournalUnusable."""
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise JournalUnusable(f"SQLite was {sqlite3.sqlite_version}; the journal {path} needs 3.37 or newer")
        with opening(path):
            _create(path)
            connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        with opening(path, connection):
            _refuse_foreign(path, connection)
            (journal_mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if journal_mode != "wal":
                raise JournalUnusable(f"the journal {path} stayed in journal mode {journal_mode}; it needs WAL")
            for pragma in (
                "synchronous = FULL",
                "foreign_keys = ON",
                f"wal_autocheckpoint = {CHECKPOINT_PAGES_MAX}",
                f"journal_size_limit = {LOG_BYTES_MAX}",
            ):
                connection.execute(f"PRAGMA {pragma}")
        return cls(path, connection, read_only=False)

    @classmethod
    def open_for_reading(cls, path: Path, *, any_age: bool = False, because: str = "") -> "JournalFile":
        """Open an existing file without ever writing to it; raises JournalUnusable.

        With `any_age` an older schema will do: to be copied it need not be understood.
        """
        with opening(path):
            log = _log_of(path)
            has_log = log.exists() and log.stat().st_size > 0
            if not path.exists():
                raise JournalUnusable(f"the journal {path} does not exist")
        location = f"file:{quote(str(path))}?mode=ro"
        try:
            connection = _connect_reading(path, location)
        except JournalUnusable:
            if has_log:
                raise
            # Where not even the log's index can be created, a file without a log is complete in itself.
            connection = _connect_reading(path, f"{location}&immutable=1")
        with opening(path, connection):
            if _refuse_foreign(path, connection):
                raise JournalUnusable(f"the journal {path} was empty")
            if not any_age and migrations.pending(_utils(connection)):
                raise JournalUnusable(f"the journal {path} was of an older schema; it must be opened for writing once")
        return cls(path, connection, read_only=True, because=because)

    @property
    def identity(self) -> tuple[int, int] | None:
        """What tells the file by this name from another one; None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @property
    def size(self) -> int:
        """Bytes of the file and its log."""
        try:
            return self.path.stat().st_size + self._log_bytes()
        except OSError:
            return self._log_bytes()

    def migrate(self) -> None:
        """Apply the schema's pending steps; to be called inside `write`."""
        migrations.apply(_utils(self.connection))

    def write(self, *, durable: bool) -> "_Writing":
        """One transaction, on disk at the end when `durable`; raises JournalUnwritable and leaves nothing half done.

        What a cheap transaction wrote becomes durable with the next durable one, because the log is one file.
        """
        return _Writing(self, durable)

    def begin(self, *, durable: bool) -> sqlite3.Connection:
        """Begin what `write` gives; raises JournalUnwritable."""
        if self.read_only:
            raise JournalUnwritable(self._because or f"the journal {self.path} was opened for reading only")
        connection = self.connection
        try:
            # A rollback that failed with the disk must not bar every later transaction.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._refuse_replaced()
            if durable is not self._durable:
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            connection.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            self.give_up(error)
            raise
        return connection

    def give_up(self, error: BaseException) -> None:
        """Take back what was written of a transaction; raises JournalUnwritable when the disk was the cause."""
        with suppress(sqlite3.Error):
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
        if isinstance(error, (sqlite3.Error, OSError)):
            told = f"the journal {self.path} could not be written: {reason(error)}{why_not(self.path)}"
            raise JournalUnwritable(told) from error

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Queries; raises JournalUnusable where the file cannot be read or understood."""
        try:
            yield self.connection
        except JournalUnusable as error:
            raise JournalUnusable(f"the journal {self.path} could not be read: {error}") from error
        except (sqlite3.Error, OSError, ValueError, ArithmeticError) as error:
            raise JournalUnusable(f"the journal {self.path} could not be read: {reason(error)}") from error

    @contextmanager
    def attended(self) -> Iterator[sqlite3.Connection]:
        """Look at the file as before a write, without writing; raises JournalUnwritable."""
        if self.read_only:
            raise JournalUnwritable(self._because or f"the journal {self.path} was opened for reading only")
        try:
            self._refuse_replaced()
            yield self.connection
        except (sqlite3.Error, OSError) as error:
            raise JournalUnwritable(f"the journal {self.path} could not be used: {reason(error)}") from error

    def tidy(self) -> str | None:
        """Copy a long log into the file, as far as no reader needs it; tells of one that grows all the same."""
        if self.read_only or self._log_bytes() <= LOG_BYTES_MAX:
            return None
        # The log is as good as the file: what cannot be copied now is copied later.
        with suppress(sqlite3.Error):
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        size = self._log_bytes()
        if size < LOG_BYTES_TOLD:
            return None
        return f"its log was {size:,} bytes long: somebody reads the journal in a transaction that does not end"

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    def make_room(self) -> None:
        """Lengthen the log to what it may be, so that commits need not; without room, or time for it, they do."""
        if self.read_only or self._in_place is None:
            return
        with suppress(sqlite3.Error, OSError):
            log.make_room(self.connection, self._names[1], identity=self._in_place[2:], length=LOG_BYTES_MAX)

    def watch_place(self) -> None:
        """From now on refuse to write once the file or its log was deleted or replaced by name."""
        self._in_place = self._identities()

    def close(self) -> None:
        """Move the log into the file and close."""
        # What could not be moved stays in the log, where the next opening finds it.
        with suppress(sqlite3.Error):
            if not self.read_only:
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()

    def _refuse_replaced(self) -> None:
        """SQLite itself would go on writing to a file that nobody can find any more."""
        if self._in_place is not None and self._identities() != self._in_place:
            raise JournalUnwritable(f"the journal {self.path} or its log was replaced while it was open")

    def _identities(self) -> tuple[int, int, int, int]:
        # Before each write: a text is looked up in half the time that a path takes.
        name, name_of_log = self._names
        file, beside = os.stat(name), os.stat(name_of_log)  # noqa: PTH116
        return file.st_dev, file.st_ino, beside.st_dev, beside.st_ino


class _Writing:
    """A transaction as a block; one made by `contextmanager` costs a decision twice as much."""

    __slots__ = ("_durable", "_file")

    def __init__(self, file: JournalFile, durable: bool) -> None:
        self._file = file
        self._durable = durable

    def __enter__(self) -> sqlite3.Connection:
        return self._file.begin(durable=self._durable)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._file.connection.execute("COMMIT")
            except BaseException as refused:
                self._file.give_up(refused)
                raise
        else:
            self._file.give_up(error)


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _create(path: Path) -> None:
    """Make an empty file that only its owner can read; SQLite gives its log the same mode."""
    # An existing file is left to SQLite: opening and closing it here would drop the locks of another connection.
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return
    os.close(descriptor)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _connect_reading(path: Path, location: str) -> sqlite3.Connection:
    with opening(path):
        connection = sqlite3.connect(location, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
    with opening(path, connection):
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return connection


def _refuse_foreign(path: Path, connection: sqlite3.Connection) -> bool:
    """Refuse what is not a journal or is of a newer schema, before anything is changed; True when the file is empty."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables:
        return True
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise JournalUnusable(f"the file {path} was a SQLite database, but not a journal of Robson")
    applied = [migration.name for migration in migrations.applied(_utils(connection))]
    newer = [name for name in applied if name not in known_names()]
    if newer:
        last = connection.execute("SELECT version FROM epochs ORDER BY epoch DESC LIMIT 1").fetchone()
        by = f" by Robson {last[0]}" if last else ""
        raise JournalUnusable(f"the journal {path} was of a newer schema ({', '.join(newer)}), last opened{by}")
    return False


def _utils(connection: sqlite3.Connection) -> Database:
    return Database(connection, recursive_triggers=False, execute_plugins=False)
