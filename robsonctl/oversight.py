"""The commands that explain, adjust and pause, and the one about the journal."""

from robson.domain.codec import decode
from robson.domain.values import plain
from robson.protocol import oversight as ask
from robson.protocol import oversight_results as give
from robsonctl.exits import Exit
from robsonctl.session import Session
from robsonctl.tables import events_text, journal_text, orders_text, position_text, why_text


def show(session: Session) -> int:
    """Everything about one position: the view, its orders and its events."""
    result = session.daemon.ask(ask.ShowRequest(position_id=session.position_id(session.options.position)))

    def text() -> str:
        shown = decode(result, give.ShowResult)
        parts = [position_text(shown, session.paint, session.present())]
        if shown.orders:
            parts += ["", "orders", orders_text(shown.orders)]
        parts += ["", "events", *events_text(shown.events)]
        if shown.next_seq is not None:
            parts += [f"more: robsonctl events --position {shown.position_id} --from {shown.next_seq}"]
        return "\n".join(parts)

    session.output.show(result, text)
    return Exit.OK


def why(session: Session) -> int:
    """Why a position entered and left as it did."""
    result = session.daemon.ask(ask.WhyRequest(position_id=session.position_id(session.options.position)))
    session.output.show(result, lambda: why_text(decode(result, give.WhyResult)), rows="chain")
    return Exit.OK


def adjust(session: Session) -> int:
    """Tighten a stop."""
    position_id = session.position_id(session.options.position)
    request = ask.AdjustRequest(position_id=position_id, stop_price=session.options.stop, idempotency_key=session.key())
    raw = session.daemon.ask(request)
    result = decode(raw, give.AdjustResult)
    words = f"the stop of {position_id} is {plain(result.trailing_stop)}"
    was = f"it was {plain(result.previous_stop)}, the price {plain(result.price)}"
    session.output.show(raw, lambda: f"{words}; {was}")
    return Exit.OK


def pause(session: Session) -> int:
    """Let nothing enter any more."""
    result = session.daemon.ask(ask.PauseRequest(idempotency_key=session.key()))
    session.output.show(result, lambda: "paused: nothing enters before `robsonctl unpause`; exits go on")
    return Exit.OK


def unpause(session: Session) -> int:
    """Let signals enter again."""
    result = session.daemon.ask(ask.UnpauseRequest(idempotency_key=session.key()))
    session.output.show(result, lambda: "signals may enter again")
    return Exit.OK


def journal(session: Session) -> int:
    """What the journal holds."""
    result = session.daemon.ask(ask.JournalRequest())
    session.output.show(result, lambda: journal_text(decode(result, give.JournalResult), session.present()))
    return Exit.OK
