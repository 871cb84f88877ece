"""The one-shot commands that only ask."""

import robson
from robsonctl.connection import Daemon
from robsonctl.exits import Ended, Exit
from robsonctl.paint import local
from robsonctl.session import Session
from robsonctl.tables import events_text, health_text, journal_text, pairs_text, position_text, status_text
from robsonctl.wire import View, dumps, question, view


def status(session: Session) -> int:
    """The daemon, the feeds, and the positions or one of them."""
    named = session.options.position
    request = question("status", position_id=session.position_id(named) if named else None, all=session.options.all)
    result = session.daemon.ask(request)
    session.output.show(
        result,
        lambda: status_text(view(result), session.paint, session.present()),
        rows="positions",
    )
    return Exit.OK


def show(session: Session) -> int:
    """Everything about one position: the view, its orders and its events."""
    from robsonctl.chronicle import orders_text

    result = session.daemon.ask(question("show", position_id=session.position_id(session.options.position)))

    def text() -> str:
        shown = view(result)
        parts = [position_text(shown, session.paint, session.present())]
        if shown.orders:
            parts += ["", "orders", orders_text(shown.orders, session.paint.width)]
        parts += ["", "events", *events_text(shown.events)]
        if shown.next_seq is not None:
            parts += [f"more: robsonctl events --position {shown.position_id} --from {shown.next_seq}"]
        return "\n".join(parts)

    session.output.show(result, text)
    return Exit.OK


def why(session: Session) -> int:
    """Why a position entered and left as it did."""
    from robsonctl.chronicle import why_text

    result = session.daemon.ask(question("why", position_id=session.position_id(session.options.position)))
    session.output.show(result, lambda: why_text(view(result), session.paint.width), rows="chain")
    return Exit.OK


def health(session: Session) -> int:
    """The daemon's checks; exit 1 unless it is live and ready."""
    raw = session.daemon.ask(question("health"))
    result = view(raw)
    session.output.show(raw, lambda: health_text(result, session.paint))
    return Exit.OK if result.live and result.ready else Exit.REFUSED


def journal(session: Session) -> int:
    """What the journal holds."""
    result = session.daemon.ask(question("journal"))
    session.output.show(result, lambda: journal_text(view(result), session.present()))
    return Exit.OK


def hello(session: Session) -> int:
    """Which daemon answers."""
    result = session.daemon.ask(question("hello"))
    session.output.show(result, lambda: pairs_text(view(result).items()))
    return Exit.OK


def ping(session: Session) -> int:
    """Whether the daemon answers."""
    result = session.daemon.ask(question("ping"))
    session.output.show(result, lambda: f"pong {local(view(result).at)}")
    return Exit.OK


def schema(session: Session) -> int:
    """The JSON Schema of every request, or of what the daemon sends."""
    session.output.line(session.daemon.ask(question("schema", of=session.options.of)).decode())
    return Exit.OK


def version(session: Session) -> int:
    """robsonctl's version, and the daemon's if it answers."""
    found = _hello(session.daemon)
    result = dumps({"robsonctl": robson.__version__, "daemon": found}).encode()

    def text() -> str:
        if found is None:
            return f"robsonctl {robson.__version__}\nrobson    (no daemon answers)"
        return f"robsonctl {robson.__version__}\nrobson    {found.version} ({found.mode}, {found.state})"

    session.output.show(result, text)
    return Exit.OK


def _hello(daemon: Daemon) -> View | None:
    try:
        found: View = view(daemon.ask(question("hello")))
    except Ended:
        return None
    return found
