"""`panic`: show what it will do, have it confirmed, do it."""

import sys

from robson.domain.codec import decode
from robson.protocol.requests import PanicRequest, StatusRequest
from robson.protocol.results import PanicResult, StatusResult
from robsonctl.exits import Ended, Exit
from robsonctl.session import Session
from robsonctl.tables import panic_text, status_text

# It closes every position; each has its own half minute, most of them side by side.
_PANIC_SECONDS = 120.0


def panic(session: Session) -> int:
    """Close everything and latch; exit 5 when something is not closed yet."""
    if not session.options.yes:
        _confirm(session)
    raw = session.daemon.ask(PanicRequest(idempotency_key=session.key()), seconds=_PANIC_SECONDS)
    result = decode(raw, PanicResult)
    session.output.show(raw, lambda: panic_text(result, session.paint), rows="positions")
    done = result.latched and all(position.outcome in {"closed", "disarmed"} for position in result.positions)
    return Exit.OK if done else Exit.PARTLY_DONE


def _confirm(session: Session) -> None:
    if not sys.stdin.isatty():
        raise Ended(
            Exit.NO_TERMINAL,
            "panic wants to be confirmed, and there is no terminal to ask on",
            code="confirmation_needed",
            hint="scripts say `robsonctl panic --yes`",
        )
    status = decode(session.daemon.ask(StatusRequest()), StatusResult)
    phrase = "y" if status.mode == "paper" else "CLOSE ALL"
    sys.stderr.write(
        f"{status_text(status, session.paint, session.present())}\n"
        f"panic closes or disarms what is open ({len(status.positions)}) at market; nothing enters before resume.\n"
        f"type {phrase} to go on: "
    )
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer != phrase:
        raise Ended(Exit.NOT_CONFIRMED, "nothing was done", code="not_confirmed")
