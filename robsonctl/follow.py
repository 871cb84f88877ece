"""What goes on until it is interrupted: `events`, `events --follow` and `watch`."""

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from robsonctl.exits import Ended, Exit
from robsonctl.output import complain
from robsonctl.session import Session
from robsonctl.tables import event_text, price_text
from robsonctl.wire import dumps, question

# As many as the daemon gives in one page; a test holds it to the protocol's own figure.
EVENTS_LIMIT_MAX = 10_000
_TAIL_DEFAULT = 50
_BEYOND_THE_END = 2**63 - 1
_CLEAR_SCREEN = "\x1b[H\x1b[2J\x1b[3J"


Row = dict[str, Any]


class Page(NamedTuple):
    """The result of `events`."""

    events: list[Row]
    next_seq: int
    last_seq: int
    oldest_seq: int


def events(session: Session) -> int:
    """List events: the last ones, or those from a seq on; then go on if told to."""
    options = session.options
    position_id = session.position_id(options.position) if options.position else None
    if options.first is None:
        page = _tail(session, options.count or _TAIL_DEFAULT, position_id)
    else:
        page = _onward(session, options.first, options.count, position_id)
    if session.output.form == "json" and not options.follow:
        session.output.line(dumps(page._asdict()))
        return Exit.OK
    _write(session, page.events)
    return _follow(session, page.next_seq, position_id) if options.follow else Exit.OK


def _onward(session: Session, first: int | None, count: int | None, position_id: str | None) -> Page:
    rows: list[Row] = []
    while True:
        left = EVENTS_LIMIT_MAX if count is None else min(count - len(rows), EVENTS_LIMIT_MAX)
        page = _page(session, first, left, position_id)
        rows += page.events
        first = page.next_seq
        if len(page.events) < left or len(rows) == count:
            return Page(rows, page.next_seq, page.last_seq, page.oldest_seq)


def _tail(session: Session, count: int, position_id: str | None) -> Page:
    end = _page(session, _BEYOND_THE_END, 1, None)
    if position_id is None:
        return _onward(session, max(end.oldest_seq, end.last_seq - count + 1), None, None)
    # One position's events lie anywhere in the sequence: all of them are read, the last are kept.
    page = _onward(session, None, None, position_id)
    return Page(list(deque(page.events, maxlen=count)), page.next_seq, page.last_seq, page.oldest_seq)


def _page(session: Session, first: int | None, limit: int, position_id: str | None) -> Page:
    found = json.loads(session.daemon.ask(question("events", from_seq=first, limit=limit, position_id=position_id)))
    return Page(found["events"], found["next_seq"], found["last_seq"], found.get("oldest_seq", 1))


def _follow(session: Session, next_seq: int, position_id: str | None) -> int:
    session.output.flush()
    session.daemon.ask(question("subscribe", from_seq=next_seq, prices=session.options.prices))
    for line in session.daemon.lines():
        row = json.loads(line)
        if row.get("event") == "price" or ("event" in row and position_id in {None, row.get("position_id")}):
            _write(session, [row])
            session.output.flush()
    raise Ended(Exit.UNREACHABLE, "the daemon closed the subscription", code="connection_lost")


def _write(session: Session, rows: Sequence[Row]) -> None:
    if session.output.form == "table":
        for row in rows:
            session.output.line(price_text(row) if row["event"] == "price" else event_text(row))
    else:
        session.output.rows(rows)


def watch(session: Session) -> int:
    """Repeat `status` until interrupted."""
    from robsonctl.queries import status

    session.options.position, session.options.all = None, False
    return repeat(session, status, session.options.seconds)


def repeat(session: Session, run: Callable[[Session], int], seconds: float) -> int:
    """Obey a command again and again until interrupted; a daemon that is away is waited for.

    A terminal is painted anew each time; elsewhere round follows round, and what is wrong is said once.
    """
    painted = session.output.form == "table" and sys.stdout is not None and sys.stdout.isatty()
    away = ""
    while True:
        session.output.before = _CLEAR_SCREEN if painted else ""
        try:
            run(session)
        except Ended as trouble:
            if trouble.exit_code is not Exit.UNREACHABLE:
                raise
            session.daemon.close()
            if painted:
                session.output.line(session.paint("red", trouble.message))
            elif trouble.message != away:
                complain(trouble.message, code=trouble.code, hint="waiting for it")
            away = trouble.message
        else:
            if away and not painted:
                complain("the daemon answers again")
            away = ""
            if session.output.form == "table" and not painted:
                session.output.line("")
        session.output.flush()
        time.sleep(seconds)
