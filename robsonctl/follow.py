"""What goes on until it is interrupted: `events`, `events --follow` and `watch`."""

import sys
import time
from collections import deque
from collections.abc import Sequence

import msgspec

from robson.domain.codec import decode
from robson.protocol.fields import EVENTS_LIMIT_MAX
from robson.protocol.requests import EventsRequest, StatusRequest, SubscribeRequest
from robson.protocol.results import EventLine, PriceLine, StatusResult
from robsonctl.exits import Ended, Exit
from robsonctl.output import complain
from robsonctl.session import Session
from robsonctl.tables import event_text, price_text, status_text

_TAIL_DEFAULT = 50
_BEYOND_THE_END = 2**63 - 1
_CLEAR_SCREEN = "\x1b[H\x1b[2J\x1b[3J"


class Page(msgspec.Struct):
    """The result of `events`, its rows untouched."""

    events: list[msgspec.Raw]
    next_seq: int
    last_seq: int
    oldest_seq: int = 1


class Envelope(msgspec.Struct):
    """What tells an event line from a reply, and whose it is."""

    event: str | None = None
    position_id: str | None = None


def events(session: Session) -> int:
    """List events: the last ones, or those from a seq on; then go on if told to."""
    options = session.options
    position_id = session.position_id(options.position) if options.position else None
    if options.first is None:
        page = _tail(session, options.count or _TAIL_DEFAULT, position_id)
    else:
        page = _onward(session, options.first, options.count, position_id)
    if session.output.form == "json" and not options.follow:
        session.output.line(msgspec.json.encode(page).decode())
        return Exit.OK
    _write(session, page.events)
    return _follow(session, page.next_seq, position_id) if options.follow else Exit.OK


def _onward(session: Session, first: int | None, count: int | None, position_id: str | None) -> Page:
    rows: list[msgspec.Raw] = []
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
    request = EventsRequest(from_seq=first, limit=limit, position_id=position_id)
    return msgspec.json.decode(session.daemon.ask(request), type=Page)


def _follow(session: Session, next_seq: int, position_id: str | None) -> int:
    session.output.flush()
    session.daemon.ask(SubscribeRequest(from_seq=next_seq, prices=session.options.prices))
    for line in session.daemon.lines():
        envelope = decode(line, Envelope)
        if envelope.event == "price" or (envelope.event is not None and position_id in {None, envelope.position_id}):
            _write(session, [msgspec.Raw(line)], head=False)
            session.output.flush()
    raise Ended(Exit.UNREACHABLE, "the daemon closed the subscription", code="connection_lost")


def _write(session: Session, rows: Sequence[msgspec.Raw], *, head: bool = True) -> None:
    if session.output.form == "table":
        for row in rows:
            session.output.line(_line_text(bytes(row)))
    else:
        session.output.rows(rows, head=head)


def _line_text(row: bytes) -> str:
    if decode(row, Envelope).event == "price":
        return price_text(decode(row, PriceLine))
    return event_text(decode(row, EventLine))


def watch(session: Session) -> int:
    """Repeat `status` until interrupted; a daemon that is away is waited for."""
    painted = session.output.form == "table" and sys.stdout.isatty()
    while True:
        try:
            result = session.daemon.ask(StatusRequest())
        except Ended as trouble:
            session.daemon.close()
            if painted:
                _repaint(session, session.paint("red", trouble.message), painted=True)
            else:
                complain(trouble.message, code=trouble.code)
        else:
            _show_status(session, result, painted=painted)
        time.sleep(session.options.seconds)


def _show_status(session: Session, result: bytes, *, painted: bool) -> None:
    if session.output.form == "table":
        _repaint(session, status_text(decode(result, StatusResult), session.paint, session.present()), painted=painted)
    else:
        session.output.show(result, str, rows="positions")
        session.output.flush()


def _repaint(session: Session, text: str, *, painted: bool) -> None:
    if painted:
        session.output.line(_CLEAR_SCREEN + text)
    else:
        session.output.line(text + "\n")
    session.output.flush()
