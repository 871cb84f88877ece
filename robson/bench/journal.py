"""What writing costs: decisions, moved stops, a hundred orders, beside plain sqlite3 that writes the same rows."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

from robson.bench.figure import Figure, Target
from robson.bench.lives import LAST_TRADE, active, fill_journal, open_journal
from robson.bench.setting import Setting, each_us
from robson.domain.events import Fact, event_data, event_type
from robson.domain.position import Position
from robson.domain.stimuli import ExitTerms, StopHit, StopMoved
from robson.engine.decide import decide
from robson.executor.intents import new_intent
from robson.ports import Commit
from robson.store import SqliteJournal, log, projection, rows
from robson.store.database import LOG_BYTES_MAX
from robson.venue.instruments import builtin_instrument

DECISIONS = 60
FLUSH = 50
GROUP = 100
GROUPS = 6
_SYNC_BYTES = 4096
Rows = tuple[list[rows.Row], list[rows.Row], list[rows.Row]]


def measure(setting: Setting) -> Iterable[Figure]:
    """Ours and the bare one write to two journals with the same content, in turn."""
    decisions, groups, size = setting.size(DECISIONS, 5), setting.size(GROUPS, 1), setting.size(GROUP, 10)
    turns = setting.rounds + 1
    needed = turns * (decisions + groups * size) + FLUSH
    with setting.place("journal") as place:
        with closing(_Pair(place, needed)) as pair:
            ours, bare = setting.in_turn(*pair.each(1, decisions))
            what, note = "a durable stop decision", "events, position and order; bare: the same rows through sqlite3"
            yield Figure("journal.decision", what, "us", ours, bare, Target(1.5), note)
            ours, bare = setting.in_turn(*pair.each(size, groups))
            yield Figure(f"journal.group_of_{size}", f"{size} such decisions in one commit", "us", ours, bare)
            ours, bare = setting.in_turn(*pair.flushes(setting.size(40, 4)))
            note = "without a sync of its own, on disk with the next decision; bare: the same rows through sqlite3"
            yield Figure("journal.ratchets", f"{FLUSH} moved stops", "us", ours, bare, None, note)
        yield Figure("journal.sync", "4 KiB appended and synced", "us", _syncs(setting, place))


class _Pair:
    """One journal that ours writes to, and one that plain sqlite3 writes to."""

    def __init__(self, place: Path, positions: int) -> None:
        for name in ("ours", "bare"):
            found = fill_journal(place / f"{name}.db", (active(number, positions) for number in range(positions)))
        self._flushed, rest = found[:FLUSH], found[FLUSH:]
        self._before = {position.position_id: position for position in rest}
        self.journal: SqliteJournal = open_journal(place / "ours.db")
        self.journal.make_room()
        # The daemon decides on what it has recovered.
        self._for_ours, self._for_bare = iter(self.journal.recover().positions[FLUSH:]), iter(rest)
        self._seq = 4 * positions
        self.plain = sqlite3.connect(place / "bare.db", isolation_level=None)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "wal_autocheckpoint = 4000",
            f"journal_size_limit = {LOG_BYTES_MAX}",
            "user_version = 1",
        ):
            self.plain.execute(f"PRAGMA {pragma}")
        self._log = place / "bare.db-wal"
        found_log = self._log.stat()
        log.make_room(self.plain, str(self._log), identity=(found_log.st_dev, found_log.st_ino), length=LOG_BYTES_MAX)
        self._moves = count(1)

    def close(self) -> None:
        """Close both."""
        self.journal.close()
        self.plain.close()

    def each(self, size: int, times: int) -> tuple[Callable[[], float], Callable[[], float]]:
        """The median of so many commits of `size` decisions each (us), by ours and by plain sqlite3."""

        def ours() -> float:
            self._settle()
            commits = iter([_commit(self.journal, self._for_ours, size) for _ in range(times)])
            return each_us(lambda: self.journal.commit(next(commits)), times)

        def bare() -> float:
            self._settle()
            ready = iter([self._rows(_commit(self.journal, self._for_bare, size)) for _ in range(times)])
            return each_us(lambda: self._write(next(ready)), times)

        return ours, bare

    def flushes(self, times: int) -> tuple[Callable[[], float], Callable[[], float]]:
        """The same of moved stops, without a sync of their own."""

        def ours() -> float:
            self._settle()
            ready = iter([self._moved() for _ in range(times)])
            return each_us(lambda: self.journal.ratchet(next(ready)), times)

        def bare() -> float:
            self._settle()
            ready = iter([self._trail_rows(self._moved()) for _ in range(times)])
            self.plain.execute("PRAGMA synchronous = NORMAL")
            try:
                return each_us(lambda: self._write_trails(*next(ready)), times)
            finally:
                self.plain.execute("PRAGMA synchronous = FULL")

        return ours, bare

    def _settle(self) -> None:
        """Neither pays for the other's log, and neither has a shorter one."""
        self.journal.upkeep()
        if self._log.stat().st_size > LOG_BYTES_MAX:
            self.plain.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def _moved(self) -> tuple[Fact, ...]:
        step = next(self._moves)
        facts: list[Fact] = []
        for position in self._flushed:
            assert position.trail is not None
            assert position.entry is not None
            stop = position.trail.stop + step
            moved = StopMoved(trailing_stop=stop, extreme=position.trail.extreme + step, trade_id=LAST_TRADE + step)
            facts += decide(position, moved, position.entry.filled_at).facts
        return tuple(facts)

    def _rows(self, commit: Commit) -> Rows:
        last = {fact.position_id: self._seq + number for number, fact in enumerate(commit.facts, 1)}
        positions = []
        for one in commit.positions:
            changed = projection.state_row(self._before[one.position_id], one, last[one.position_id])
            assert changed is not None, one
            positions.append(changed)
        return self._events(commit.facts), positions, [rows.intent_row(intent) for intent in commit.intents]

    def _events(self, facts: Iterable[Fact]) -> list[rows.Row]:
        found = []
        for fact in facts:
            self._seq += 1
            data = rows.json_text(event_data(fact.event))
            found.append((self._seq, rows.time_text(fact.at), fact.position_id, event_type(fact.event), data))
        return found

    def _trail_rows(self, facts: tuple[Fact, ...]) -> tuple[list[rows.Row], list[rows.Row]]:
        events = self._events(facts)
        return events, [("93600", "95100", row[0], row[2]) for row in events]

    def _write(self, ready: Rows) -> None:
        events, positions, orders = ready
        self.plain.execute("BEGIN IMMEDIATE")
        self.plain.executemany(rows.INSERT_EVENT, events)
        self.plain.executemany(projection.UPDATE_STATE, positions)
        self.plain.executemany(rows.UPSERT_INTENT, orders)
        self.plain.execute("COMMIT")

    def _write_trails(self, events: list[rows.Row], trails: list[rows.Row]) -> None:
        self.plain.execute("BEGIN IMMEDIATE")
        self.plain.executemany(rows.INSERT_EVENT, events)
        self.plain.executemany(projection.UPDATE_TRAIL, trails)
        self.plain.execute("COMMIT")


def _commit(journal: SqliteJournal, positions: Iterator[Position], size: int) -> Commit:
    """What the daemon writes when the stops of so many positions were hit."""
    decisions = []
    for _ in range(size):
        position = next(positions)
        assert position.trail is not None
        assert position.entry is not None
        hit = StopHit(
            price=position.trail.stop,
            trailing_stop=position.trail.stop,
            extreme=position.trail.extreme,
            trade_id=LAST_TRADE + 1,
            crossed_at=position.entry.filled_at,
            exit_terms=ExitTerms(instrument=builtin_instrument(position.symbol)),
        )
        decisions.append(decide(position, hit, position.entry.filled_at))
    orders = [(order, one.facts[0].at) for one in decisions for order in one.actions]
    return Commit(
        facts=tuple(fact for one in decisions for fact in one.facts),
        positions=tuple(one.position for one in decisions),
        intents=tuple(new_intent(order, at, journal.epoch) for order, at in orders),
    )


def _syncs(setting: Setting, place: Path) -> tuple[float, ...]:
    with (place / "block").open("wb", buffering=0) as file:
        return tuple(
            each_us(partial(_append, file.fileno()), setting.size(DECISIONS, 5)) for _ in range(setting.rounds)
        )


def _append(descriptor: int) -> None:
    os.write(descriptor, bytes(_SYNC_BYTES))
    os.fsync(descriptor)
