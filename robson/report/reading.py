"""A report's contents from the journal's file: read only, in one piece, beside a daemon that writes to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from robson.domain.position import Position
from robson.drawing.subject import chart_of
from robson.report.figures import row_of
from robson.report.page import Contents
from robson.store.backup import JOURNAL_NAME
from robson.store.database import JournalFile
from robson.store.reading import Reading

# Each chart is some twenty kilobytes of the page.
CHARTS_MAX = 40


def read_contents(state: Path, *, since: timedelta | None, csv_name: str, charts_max: int = CHARTS_MAX) -> Contents:
    """What the journal of a state directory tells; `since` counts back from its newest event.

    Positions that were closed before that are left out; open ones never. Raises JournalUnusable.
    """
    with _opened(state / JOURNAL_NAME) as (file, journal):
        with file.read() as connection:
            mode = connection.execute("SELECT value FROM meta WHERE key = 'mode'").fetchone()
        newest = journal.measure().last_seq
        last = journal.events(from_seq=newest, limit=1)
        until = last[0].at if last else None
        after = until - since if until is not None and since is not None else None
        chosen = [p for p in journal.positions(closed=True) if _is_within(p, after)]
        drawn = sorted((p for p in chosen if p.entry is not None), key=_moment, reverse=True)
        return Contents(
            mode=mode[0] if mode else "unknown",
            since=after,
            until=until,
            rows=tuple(row_of(p, journal.unprotected_seconds(p.position_id)) for p in sorted(chosen, key=_moment)),
            charts=tuple(chart_of(p, journal.samples(p.position_id)) for p in drawn[:charts_max]),
            charts_left_out=max(0, len(drawn) - charts_max),
            csv_name=csv_name,
        )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[JournalFile, Reading]]:
    file = JournalFile.open_for_reading(path)
    try:
        # One transaction: whatever is written meanwhile belongs to the next report.
        with file.read() as connection:
            connection.execute("BEGIN")
        yield file, Reading(file)
    finally:
        file.close()


def _is_within(position: Position, after: datetime | None) -> bool:
    closed_at = getattr(position.state, "closed_at", None)
    return after is None or closed_at is None or closed_at >= after


def _moment(position: Position) -> tuple[bool, datetime, str]:
    """Closed ones in their order, then those that are open."""
    closed_at = getattr(position.state, "closed_at", None)
    return closed_at is None, closed_at or position.armed_at, position.position_id
