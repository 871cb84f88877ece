"""The one-shot commands: one request, one result, one exit code."""

from collections.abc import Sequence

import msgspec

import robson
from robson.domain.codec import decode
from robson.domain.values import Side, plain
from robson.protocol import requests as ask
from robson.protocol import results as give
from robsonctl.connection import Daemon
from robsonctl.exits import Ended, Exit
from robsonctl.output import complain
from robsonctl.paint import local
from robsonctl.session import Session
from robsonctl.tables import health_text, pairs_text, plan_text, status_text

# The daemon answers `close` within 30 s.
_CLOSE_SECONDS = 45.0


def status(session: Session) -> int:
    """The daemon, the feeds, and the positions or one of them."""
    named = session.options.position
    request = ask.StatusRequest(position_id=session.position_id(named) if named else None, all=session.options.all)
    result = session.daemon.ask(request)
    session.output.show(
        result,
        lambda: status_text(decode(result, give.StatusResult), session.paint, session.present()),
        rows="positions",
    )
    return Exit.OK


def plan(session: Session) -> int:
    """What a signal would order."""
    options = session.options
    request = ask.PlanRequest(
        symbol=options.symbol,
        side=Side(options.side),
        entry_price=options.entry,
        stop_price=options.stop,
        capital=options.capital,
        risk_percent=options.risk,
    )
    result = session.daemon.ask(request)
    session.output.show(result, lambda: plan_text(decode(result, give.PlanResult), session.paint))
    return Exit.OK


def arm(session: Session) -> int:
    """Arm a position, and say which defaults were taken."""
    options = session.options
    side, strategy = options.side or "long", options.strategy or "signal"
    request = ask.ArmRequest(
        symbol=options.symbol,
        side=Side(side),
        strategy=strategy,
        capital=options.capital,
        risk_percent=options.risk,
        params=_params(options.param),
        idempotency_key=session.key(),
    )
    taken = [
        words
        for given, words in ((options.side, f"side {side}"), (options.strategy, f"strategy {strategy}"))
        if not given
    ]
    result = session.daemon.ask(request)

    def text() -> str:
        armed = decode(result, give.ArmResult)
        line = f"armed {armed.position_id}: {request.symbol} {side}, strategy {strategy}"
        return f"{line}\ndefaults taken: {', '.join(taken)}" if taken else line

    session.output.show(result, text)
    if taken and session.output.form != "table":
        complain(f"defaults taken: {', '.join(taken)}")
    return Exit.OK


def signal(session: Session) -> int:
    """Give the entry signal; refused by a rule is exit 1."""
    options = session.options
    request = ask.SignalRequest(
        position_id=session.position_id(options.position),
        entry_price=options.entry,
        stop_price=options.stop,
        signal_id=options.id,
        idempotency_key=session.key(),
    )
    raw = session.daemon.ask(request)
    result = decode(raw, give.SignalResult)
    if result.accepted:
        session.output.show(raw, lambda: f"accepted: {result.quantity} ordered" if result.quantity else "accepted")
        return Exit.OK
    reason = result.reason or give.Reason(code="refused", message="the signal was refused")
    if session.output.form != "table":
        session.output.show(raw, str)
    complain(reason.message, code=reason.code)
    return Exit.REFUSED


def disarm(session: Session) -> int:
    """Take back an Armed position."""
    position_id = session.position_id(session.options.position)
    result = session.daemon.ask(ask.DisarmRequest(position_id=position_id, idempotency_key=session.key()))
    session.output.show(result, lambda: f"disarmed {position_id}")
    return Exit.OK


def close(session: Session) -> int:
    """Take a position out of the market; exit 5 when it is still on its way."""
    position_id = session.position_id(session.options.position)
    request = ask.CloseRequest(position_id=position_id, idempotency_key=session.key())
    raw = session.daemon.ask(request, seconds=_CLOSE_SECONDS)
    result = decode(raw, give.CloseResult)
    words = f"{result.outcome} {position_id}" + (f": {result.detail}" if result.detail else "")
    session.output.show(raw, lambda: words)
    return Exit.OK if result.outcome == "closed" else Exit.PARTLY_DONE


def adopt(session: Session) -> int:
    """Take over a holding behind a stop, and say which defaults were taken."""
    options = session.options
    side = options.side or "long"
    request = ask.AdoptRequest(
        symbol=options.symbol,
        side=Side(side),
        quantity=options.quantity,
        stop_price=options.stop,
        entry_price=options.entry_price,
        idempotency_key=session.key(),
    )
    raw = session.daemon.ask(request)
    result = decode(raw, give.AdoptResult)
    given = (
        (options.side, f"side {side}"),
        (options.entry_price, f"entry price {plain(result.entry_price)}, the present one"),
    )
    taken = ", ".join(words for value, words in given if not value)

    def text() -> str:
        line = f"adopted {result.position_id}: {request.symbol} {side}, {plain(result.quantity)} behind a stop at "
        line += plain(result.trailing_stop)
        debt = ", ".join(f"{plain(amount)} {asset}" for asset, amount in result.borrowed.items())
        lines = [line, f"with its debt: {debt}" if debt else "", f"defaults taken: {taken}" if taken else ""]
        return "\n".join(filter(None, lines))

    session.output.show(raw, text)
    if taken and session.output.form != "table":
        complain(f"defaults taken: {taken}")
    return Exit.OK


def release(session: Session) -> int:
    """Hand a position back without an order."""
    position_id = session.position_id(session.options.position)
    raw = session.daemon.ask(ask.ReleaseRequest(position_id=position_id, idempotency_key=session.key()))
    result = decode(raw, give.ReleaseResult)
    verb = "hold" if result.side == "long" else "owe"
    words = f"released {position_id}: {plain(result.quantity)} of {result.symbol} are yours to {verb}, without a stop"
    owed = ", ".join(f"{plain(amount)} {asset}" for asset, amount in result.owed.items())
    session.output.show(raw, lambda: f"{words}\nand the debt: {owed}" if owed else words)
    return Exit.OK


def resume(session: Session) -> int:
    """Release the panic latch."""
    result = session.daemon.ask(ask.ResumeRequest(idempotency_key=session.key()))
    session.output.show(result, lambda: "the panic latch is released")
    return Exit.OK


def health(session: Session) -> int:
    """The daemon's checks; exit 1 unless it is live and ready."""
    raw = session.daemon.ask(ask.HealthRequest())
    result = decode(raw, give.HealthResult)
    session.output.show(raw, lambda: health_text(result, session.paint))
    return Exit.OK if result.live and result.ready else Exit.REFUSED


def hello(session: Session) -> int:
    """Which daemon answers."""
    result = session.daemon.ask(ask.HelloRequest())
    session.output.show(result, lambda: pairs_text(msgspec.json.decode(result, type=dict[str, object]).items()))
    return Exit.OK


def ping(session: Session) -> int:
    """Whether the daemon answers."""
    result = session.daemon.ask(ask.PingRequest())
    session.output.show(result, lambda: f"pong {local(decode(result, give.PingResult).at)}")
    return Exit.OK


def schema(session: Session) -> int:
    """The JSON Schema of every request, or of what the daemon sends."""
    session.output.line(session.daemon.ask(ask.SchemaRequest(of=session.options.of)).decode())
    return Exit.OK


def version(session: Session) -> int:
    """robsonctl's version, and the daemon's if it answers."""
    found = _hello(session.daemon)
    result = msgspec.json.encode({"robsonctl": robson.__version__, "daemon": found})

    def text() -> str:
        if found is None:
            return f"robsonctl {robson.__version__}\nrobson    (no daemon answers)"
        return f"robsonctl {robson.__version__}\nrobson    {found.version} ({found.mode}, {found.state})"

    session.output.show(result, text)
    return Exit.OK


def _hello(daemon: Daemon) -> give.HelloResult | None:
    try:
        return decode(daemon.ask(ask.HelloRequest()), give.HelloResult)
    except Ended:
        return None


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
