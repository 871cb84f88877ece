"""The journal on disk: every decision in one durable transaction, and everything needed to go on after a crash."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from robson.domain.codec import encode
from robson.domain.errors import JournalUnusable, JournalUnwritable
from robson.domain.events import Fact, TrailingStopUpdated
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import PositionId
from robson.ports.clock import Clock
from robson.ports.journal import Commit, Delivery, PriceRow, Recovery, Twin
from robson.store import archive, decision, deliveries, epochs, instruments, projection, rows, samples, sequence
from robson.store.database import JournalFile
from robson.store.epochs import Opening
from robson.store.folding import correct_table
from robson.store.reading import SELECT_OPEN, Reading
from robson.store.twins import find_twin

_OPEN_INTENTS = f"{rows.SELECT_INTENT} WHERE status IN ('pending', 'sent', 'in_doubt') ORDER BY number"


class SqliteJournal(Reading):
    """The Journal port over one SQLite file in WAL mode; one thread, one writer, any number of readers."""

    def __init__(self, file: JournalFile, opening: Opening, epoch: int) -> None:
        super().__init__(file)
        self._opening = opening
        self._epoch = epoch
        self._clock = opening.clock
        # What a file that can only be read ended with: nobody else may have written to it when it is opened again.
        self._read_up_to = epochs.last(file.connection)
        self._identity = file.identity

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        mode: str,
        clock: Clock,
        machine_id: str,
        version: str,
        read_only: bool = False,
        because: str = "",
    ) -> "SqliteJournal":
        """Open the journal of one mode, creating it where there is none, and begin a new epoch.

        With `read_only` an existing journal is opened beside any other process: reads work, writes raise
        JournalUnwritable (with the reason in `because`), and no epoch begins until `reopen` succeeds. Raises
        JournalUnusable naming path and reason.
        """
        assert mode in epochs.MODES, mode
        opening = Opening(mode=mode, clock=clock, machine_id=machine_id, version=version)
        if not read_only:
            return cls(*_begin(path, opening))
        file = JournalFile.open_for_reading(path, because=because)
        try:
            epochs.refuse_other_mode(file, mode)
            with file.read() as connection:
                return cls(file, opening, epochs.last(connection)[1] + 1)
        except BaseException:
            file.close()
            raise

    def reopen(self) -> None:
        """Open for writing what could only be read, with the epoch it has been given; raises JournalUnwritable."""
        if not self._file.read_only:
            return
        if self._identity is None or self._file.identity != self._identity:
            raise JournalUnwritable(f"the journal {self.path} was deleted or replaced since it was read")
        # SQLite shares the log's index among a process's connections: while one may only read it, none can write.
        self._file.close()
        try:
            file, _, epoch = _begin(self.path, self._opening, after=self._read_up_to)
        except JournalUnusable as error:
            # What cannot be read either is told of by the next query, and tried again by the next call of this.
            with suppress(JournalUnusable):
                self._take(JournalFile.open_for_reading(self.path, because=str(error)))
            raise JournalUnwritable(str(error)) from error
        assert epoch == self._epoch, (epoch, self._epoch)
        self._take(file)

    def twin(self) -> Twin | None:
        """Whether a copy of the journal is, or may be, in use elsewhere."""
        with self._file.read() as connection:
            machine_id = self._opening.machine_id
            return find_twin(connection, path=self.path, epoch=self._epoch, machine_id=machine_id)

    def make_room(self) -> None:
        """Make room in the log before decisions need it, in some milliseconds; where there is none, nothing happens."""
        self._file.make_room()

    def upkeep(self) -> str | None:
        """Raise JournalUnwritable where a write would; move the log into the file; what an operator should know."""
        with self._file.attended() as connection:
            self._refuse_later_epoch(connection)
        return self._file.tidy()

    @property
    def epoch(self) -> int:
        """The number of this opening; while it can only be read, the one that `reopen` will write down."""
        return self._epoch

    @property
    def path(self) -> Path:
        """Where the journal is."""
        return self._file.path

    def recover(self) -> Recovery:
        """Fold what is open from its events, and correct the positions table where it differs."""
        with self._file.read() as connection:
            folded = [self._folding.fold(position_id) for (position_id,) in connection.execute(SELECT_OPEN).fetchall()]
            intents = tuple(rows.read_intent(row) for row in connection.execute(_OPEN_INTENTS))
            pairs = tuple(rows.read_pair(row) for row in connection.execute(rows.SELECT_PAIR))
            filters = instruments.read(connection)
            latches = dict(connection.execute("SELECT name, latched FROM latches"))
            last_seq, _ = epochs.last(connection)
            wrong = self._folding.wrong_rows(folded)
        if wrong and not self._file.read_only:
            correct_table(wrong, self._transaction(durable=True))
        return Recovery(
            epoch=self._epoch,
            positions=tuple(position for _, position in folded if position is not None and position.is_open),
            intents=intents,
            pairs=pairs,
            latched=bool(latches.get(decision.PANIC)),
            paused=bool(latches.get(decision.PAUSE)),
            instruments=filters,
            last_seq=last_seq,
        )

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        """Write one decision durably and return its rows, facts first; raises JournalUnwritable."""
        sequence.check_intents(commit.intents)
        changed = self._advance(commit.facts)
        sequence.check_positions(commit.positions, changed, self._folding.current)
        with self._file.write(durable=True) as connection:
            recorded = sequence.record(commit.facts, commit.notices, last_seq=self._refuse_later_epoch(connection))
            if recorded:
                connection.executemany(rows.INSERT_EVENT, map(rows.event_row, recorded))
            latest = _latest(recorded[: len(commit.facts)])
            decision.write_positions(connection, changed, latest, self._folding.shown)
            decision.write_rest(connection, commit, recorded[len(commit.facts) :], self._clock.now)
        self._folding.remember(changed, latest, whole=True)
        return recorded

    def ratchet(self, facts: Sequence[Fact]) -> tuple[Recorded, ...]:
        """Write trailing_stop_updated facts cheaply: on disk with the next commit; raises JournalUnwritable."""
        assert all(isinstance(fact.event, TrailingStopUpdated) for fact in facts), facts
        changed = self._advance(facts)
        with self._file.write(durable=False) as connection:
            recorded = sequence.record(facts, (), last_seq=self._refuse_later_epoch(connection))
            connection.executemany(rows.INSERT_EVENT, map(rows.event_row, recorded))
            latest = _latest(recorded)
            connection.executemany(
                projection.UPDATE_TRAIL,
                [projection.trail_row(changed[position_id], seq) for position_id, seq in latest.items()],
            )
        self._folding.remember(changed, latest, whole=False)
        return recorded

    def keep_samples(self, rows_of_prices: Sequence[PriceRow]) -> None:
        """Write price samples cheaply: on disk with the next commit; raises JournalUnwritable."""
        with self._transaction(durable=False) as (connection, _):
            samples.keep(connection, rows_of_prices)

    def note_delivery(self, delivery: Delivery) -> None:
        """Keep how far a channel has come: on disk with the next commit; raises JournalUnwritable."""
        with self._transaction(durable=False) as (connection, _):
            deliveries.write(connection, delivery)

    def keep_instrument(self, instrument: Instrument) -> None:
        """Keep the venue's filters of a pair: on disk with the next commit; raises JournalUnwritable."""
        with self._transaction(durable=False) as (connection, _):
            instruments.write(connection, instrument)

    def archive_oldest(self, keep: int) -> "Archiving | None":
        """Copy the oldest events to a file beside the journal; raises StorageError."""
        with self._file.read() as connection:
            last_seq, _ = epochs.last(connection)
            directory = self.path.with_name(archive.DIRECTORY)
            archived = archive.copy_oldest(connection, directory, last_seq=last_seq, keep=keep)
        return Archiving(self, archived) if archived is not None else None

    def drop(self, archived: archive.Archived) -> None:
        """Take archived events out of the journal; raises JournalUnwritable."""
        with self._transaction(durable=True) as (connection, _):
            # In today's shape: from now on this is all that is left of the position here.
            folded = ((owner, *self._folding.fold(owner)) for owner in archive.owners(connection, archived))
            kept = [(owner, seq, encode(position).decode()) for owner, seq, position in folded]
            connection.executemany(decision.UPSERT_SNAPSHOT, kept)
            # All of them are over: nothing that an open position is folded from is moved.
            samples.thin(connection, [owner for owner, _, _ in kept])
            archive.drop(connection, archived, rows.time_text(self._clock.now()))

    def close(self) -> None:
        """Move the log into the file and close; whoever cannot be written to is closed all the same."""
        self._file.close()

    @contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[tuple[sqlite3.Connection, int]]:
        """A transaction of the newest epoch, with the last seq so far."""
        with self._file.write(durable=durable) as connection:
            yield connection, self._refuse_later_epoch(connection)

    def _refuse_later_epoch(self, connection: sqlite3.Connection) -> int:
        """The last seq, unless another process has opened the journal since."""
        last_seq, epoch = epochs.last(connection)
        if epoch != self._epoch:
            raise JournalUnwritable(
                f"the journal {self.path} was opened again by {epochs.opener(connection)} (epoch {epoch}); "
                f"this process holds epoch {self._epoch} and may write no more"
            )
        return last_seq

    def _advance(self, facts: Sequence[Fact]) -> dict[PositionId, Position]:
        try:
            return sequence.advance(facts, self._folding.current)
        except JournalUnusable as error:
            raise JournalUnwritable(str(error)) from error


class Archiving:
    """A run of events in its file, and not yet out of the journal."""

    def __init__(self, journal: SqliteJournal, archived: archive.Archived) -> None:
        self._journal = journal
        self._archived = archived

    @property
    def told(self) -> dict[str, str | int]:
        """Which events, and where."""
        archived = self._archived
        return {"file": archived.file, "first_seq": archived.first_seq, "last_seq": archived.last_seq}

    def finish(self) -> None:
        """Take the events out of the journal; raises JournalUnwritable."""
        self._journal.drop(self._archived)


def _begin(path: Path, opening: Opening, *, after: tuple[int, int] | None = None) -> tuple[JournalFile, Opening, int]:
    """Open the file for writing and append this opening; refused when it does not end where `after` says."""
    file = JournalFile.open_for_writing(path)
    try:
        epochs.refuse_other_mode(file, opening.mode)
        epoch = epochs.begin(file, opening, after=after)
        file.watch_place()
    except JournalUnwritable as error:
        file.close()
        raise JournalUnusable(str(error)) from error
    except BaseException:
        file.close()
        raise
    return file, opening, epoch


def _latest(recorded: Sequence[Recorded]) -> dict[PositionId, int]:
    return {row.position_id: row.seq for row in recorded if row.position_id is not None}
