"""The one-shot commands that change something, and the plan before it: one request, one result, one exit code."""

from collections.abc import Sequence

from robsonctl.exits import Ended, Exit
from robsonctl.output import complain
from robsonctl.session import Session
from robsonctl.tables import plan_text
from robsonctl.wire import View, question, view

# The daemon answers `close` within 30 s.
_CLOSE_SECONDS = 45.0


def plan(session: Session) -> int:
    """What a signal would order."""
    options = session.options
    request = question(
        "plan",
        symbol=_symbol(options.symbol),
        side=options.side,
        entry_price=options.entry,
        stop_price=options.stop,
        capital=options.capital,
        risk_percent=options.risk,
    )
    result = session.daemon.ask(request)
    session.output.show(result, lambda: plan_text(view(result), session.paint))
    return Exit.OK


def arm(session: Session) -> int:
    """Arm a position, and say which defaults were taken."""
    options = session.options
    side, strategy = options.side or "long", options.strategy or "signal"
    request = question(
        "arm",
        symbol=_symbol(options.symbol),
        side=side,
        strategy=strategy,
        capital=options.capital,
        risk_percent=options.risk,
        params=_params(options.param) or None,
        idempotency_key=session.key(),
    )
    taken = [
        words
        for given, words in ((options.side, f"side {side}"), (options.strategy, f"strategy {strategy}"))
        if not given
    ]
    result = session.daemon.ask(request)

    def text() -> str:
        armed = view(result)
        line = f"armed {armed.position_id}: {_symbol(options.symbol)} {side}, strategy {strategy}"
        return f"{line}\ndefaults taken: {', '.join(taken)}" if taken else line

    session.output.show(result, text)
    if taken and session.output.form != "table":
        complain(f"defaults taken: {', '.join(taken)}")
    return Exit.OK


def signal(session: Session) -> int:
    """Give the entry signal; refused by a rule is exit 1."""
    options = session.options
    request = question(
        "signal",
        position_id=session.position_id(options.position),
        entry_price=options.entry,
        stop_price=options.stop,
        signal_id=options.id,
        idempotency_key=session.key(),
    )
    raw = session.daemon.ask(request)
    result = view(raw)
    if result.accepted:
        session.output.show(raw, lambda: f"accepted: {result.quantity} ordered" if result.quantity else "accepted")
        return Exit.OK
    reason = result.reason or View(code="refused", message="the signal was refused")
    if session.output.form != "table":
        session.output.show(raw, str)
    complain(reason.message, code=reason.code)
    return Exit.REFUSED


def disarm(session: Session) -> int:
    """Take back an Armed position."""
    position_id = session.position_id(session.options.position)
    result = session.daemon.ask(question("disarm", position_id=position_id, idempotency_key=session.key()))
    session.output.show(result, lambda: f"disarmed {position_id}")
    return Exit.OK


def close(session: Session) -> int:
    """Take a position out of the market; exit 5 when it is still on its way."""
    position_id = session.position_id(session.options.position)
    request = question("close", position_id=position_id, idempotency_key=session.key())
    raw = session.daemon.ask(request, seconds=_CLOSE_SECONDS)
    result = view(raw)
    words = f"{result.outcome} {position_id}" + (f": {result.detail}" if result.detail else "")
    session.output.show(raw, lambda: words)
    return Exit.OK if result.outcome == "closed" else Exit.PARTLY_DONE


def adopt(session: Session) -> int:
    """Take over a holding behind a stop, and say which defaults were taken."""
    options = session.options
    side = options.side or "long"
    request = question(
        "adopt",
        symbol=_symbol(options.symbol),
        side=side,
        quantity=options.quantity,
        stop_price=options.stop,
        entry_price=options.entry_price,
        idempotency_key=session.key(),
    )
    raw = session.daemon.ask(request)
    result = view(raw)
    given = (
        (options.side, f"side {side}"),
        (options.entry_price, f"entry price {result.entry_price}, the present one"),
    )
    taken = ", ".join(words for value, words in given if not value)

    def text() -> str:
        line = f"adopted {result.position_id}: {_symbol(options.symbol)} {side}, {result.quantity} behind a stop at "
        line += result.trailing_stop
        debt = ", ".join(f"{amount} {asset}" for asset, amount in result.borrowed.items())
        lines = [line, f"with its debt: {debt}" if debt else "", f"defaults taken: {taken}" if taken else ""]
        return "\n".join(filter(None, lines))

    session.output.show(raw, text)
    if taken and session.output.form != "table":
        complain(f"defaults taken: {taken}")
    return Exit.OK


def release(session: Session) -> int:
    """Hand a position back without an order."""
    position_id = session.position_id(session.options.position)
    raw = session.daemon.ask(question("release", position_id=position_id, idempotency_key=session.key()))
    result = view(raw)
    verb = "hold" if result.side == "long" else "owe"
    words = f"released {position_id}: {result.quantity} of {result.symbol} are yours to {verb}, without a stop"
    owed = ", ".join(f"{amount} {asset}" for asset, amount in result.owed.items())
    session.output.show(raw, lambda: f"{words}\nand the debt: {owed}" if owed else words)
    return Exit.OK


def resume(session: Session) -> int:
    """Release the panic latch."""
    result = session.daemon.ask(question("resume", idempotency_key=session.key()))
    session.output.show(result, lambda: "the panic latch is released")
    return Exit.OK


def adjust(session: Session) -> int:
    """Tighten a stop."""
    position_id = session.position_id(session.options.position)
    request = question(
        "adjust", position_id=position_id, stop_price=session.options.stop, idempotency_key=session.key()
    )
    raw = session.daemon.ask(request)
    result = view(raw)
    words = f"the stop of {position_id} is {result.trailing_stop}"
    was = f"it was {result.previous_stop}, the price {result.price}"
    session.output.show(raw, lambda: f"{words}; {was}")
    return Exit.OK


def pause(session: Session) -> int:
    """Let nothing enter any more."""
    result = session.daemon.ask(question("pause", idempotency_key=session.key()))
    session.output.show(result, lambda: "paused: nothing enters before `robsonctl unpause`; exits go on")
    return Exit.OK


def unpause(session: Session) -> int:
    """Let signals enter again."""
    result = session.daemon.ask(question("unpause", idempotency_key=session.key()))
    session.output.show(result, lambda: "signals may enter again")
    return Exit.OK


def _symbol(text: str) -> str:
    # Beyond ASCII, upper() can turn another word into a symbol.
    return text.upper() if text.isascii() else text


def _params(pairs: Sequence[str]) -> dict[str, str]:
    params: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Ended(Exit.USAGE, f"--param was {pair!r}, which must be name=value", code="usage")
        if name in params:
            raise Ended(Exit.USAGE, f"--param {name} was given twice", code="usage")
        params[name] = value
    return params
