"""`panic`: show what it will do, have it confirmed, do it; with the daemon dead, hand it to `robson panic`."""

import sys

from robson.domain.codec import decode
from robson.protocol.panic_results import PanicPreviewResult, PanicStep
from robson.protocol.requests import HelloRequest, PanicPreviewRequest, PanicRequest
from robson.protocol.results import HelloResult, PanicResult
from robsonctl.connection import Refused
from robsonctl.exits import Ended, Exit
from robsonctl.grid import grid
from robsonctl.paint import Paint, cents, number
from robsonctl.session import Session
from robsonctl.tables import panic_text

# It closes every position; each has its own half minute, most of them side by side.
_PANIC_SECONDS = 120.0
# The daemon gives an estimate up after two; whoever panics does not wait much longer for a table.
_PREVIEW_SECONDS = 5.0
_SURE = "CLOSE ALL"
_SURE_ON_PAPER = "y"
_WORDS = {
    "disarm": "disarm",
    "close": "close at market",
    "close_after_fill": "wait for its entry, then close",
    "join": "its exit goes on",
}
_HEAD = ("POSITION", "SYMBOL", "SIDE", "STATE", "QUANTITY", "NOTIONAL", "SLIPPAGE", "BPS", "WHAT HAPPENS")
_ALIGNED = ("left", "left", "left", "left", "decimal", "decimal", "decimal", "decimal", "left")
_SOURCES = {"paper_rule": "at most, by the paper venue's rule", "order_book": "by the order book as it stands"}


def panic(session: Session) -> int:
    """Close everything and latch; exit 5 when something is not closed yet."""
    options = session.options
    if options.preview:
        return _preview(session)
    if not options.yes and not _is_terminal():
        # Before anything is looked for: a script that hangs here closes nothing either.
        raise Ended(
            Exit.NO_TERMINAL,
            "panic wants to be confirmed, and there is no terminal to ask on",
            code="confirmation_needed",
            hint="scripts say `robsonctl panic --yes`",
        )
    if options.direct:
        from robsonctl.direct import refuse_alive, run_robson

        refuse_alive(session.daemon, options)
        return run_robson(options)
    try:
        if not options.yes:
            _confirm(session)
        raw = session.daemon.ask(PanicRequest(idempotency_key=session.key()), seconds=_PANIC_SECONDS)
    except Ended as end:
        if end.exit_code is Exit.UNREACHABLE:
            end.hint = f"{end.hint}; with the daemon dead: `robsonctl panic --direct`".removeprefix("; ")
        raise
    result = decode(raw, PanicResult)
    session.output.show(raw, lambda: panic_text(result, session.paint), rows="positions")
    done = result.latched and all(position.outcome in {"closed", "disarmed"} for position in result.positions)
    return Exit.OK if done else Exit.PARTLY_DONE


def preview_text(preview: PanicPreviewResult, paint: Paint) -> str:
    """What panic will do, a row a position, and in all."""
    lines = [paint("alarm", " LIVE ") if preview.mode == "live" else "paper"]
    if preview.panic_latched:
        lines[0] += "  the panic latch holds already"
    if not preview.positions:
        return "\n".join([*lines, "no open positions: panic only latches, so that nothing enters before resume"])
    lines.append(grid(_HEAD, [_row(step) for step in preview.positions], _ALIGNED))
    lines.append(f"in all: {len(preview.positions)} positions, {cents(preview.notional)} in the market")
    lines += _slippage_lines(preview, paint)
    if any(step.order_in_doubt for step in preview.positions):
        lines.append(paint("yellow", "an order is in doubt: its outcome is found out first, nothing is sent twice"))
    return "\n".join(lines)


def _row(step: PanicStep) -> tuple[str, ...]:
    least = ">=" if step.slippage_is_least else ""
    return (
        step.position_id,
        step.symbol,
        step.side,
        step.state,
        number(step.quantity),
        "" if step.notional is None else cents(step.notional),
        "" if step.slippage is None else least + cents(step.slippage),
        "" if step.slippage_bps is None else least + number(step.slippage_bps),
        _WORDS[step.will],
    )


def _slippage_lines(preview: PanicPreviewResult, paint: Paint) -> list[str]:
    """The estimate in all with where it comes from, and why there is none where there is none."""
    sources = dict.fromkeys(step.slippage_source for step in preview.positions if step.slippage_source)
    lines = []
    if sources:
        told = ", ".join(_SOURCES[source] for source in sources)
        lines.append(f"estimated slippage: {cents(preview.slippage)} ({told})")
    reasons = dict.fromkeys(
        f"{step.symbol}: {step.slippage_unknown}" for step in preview.positions if step.slippage_unknown
    )
    return lines + [paint("yellow", f"no estimate of {reason}") for reason in reasons]


def _preview(session: Session) -> int:
    raw = session.daemon.ask(PanicPreviewRequest(), seconds=_PREVIEW_SECONDS)
    preview = decode(raw, PanicPreviewResult)
    session.output.show(raw, lambda: preview_text(preview, session.paint), rows="positions")
    return Exit.OK


def _confirm(session: Session) -> None:
    """Show what will happen and have it confirmed; a table that cannot be had is not in the way."""
    try:
        preview = decode(session.daemon.ask(PanicPreviewRequest(), seconds=_PREVIEW_SECONDS), PanicPreviewResult)
    except Ended as end:
        if end.code != "no_answer" and not isinstance(end, Refused):
            raise
        what = f"what it will do could not be shown: {end.message}"
        mode = _mode(session)
    else:
        what = preview_text(preview, session.paint)
        mode = preview.mode
    phrase = _SURE_ON_PAPER if mode == "paper" else _SURE
    sys.stderr.write(
        f"{what}\npanic disarms and closes all of it at market; nothing enters before resume.\ntype {phrase} to go on: "
    )
    sys.stderr.flush()
    if _typed() != phrase:
        raise Ended(Exit.NOT_CONFIRMED, "nothing was done", code="not_confirmed")


def _typed() -> str:
    """The line that was typed; empty at the end of the input, and for what is no text."""
    try:
        return sys.stdin.readline().strip()
    except UnicodeDecodeError:
        return ""


def _mode(session: Session) -> str:
    """Whether it is paper; where nobody says so it is not."""
    try:
        return decode(session.daemon.ask(HelloRequest(), seconds=_PREVIEW_SECONDS), HelloResult).mode
    except Ended:
        return "live"


def _is_terminal() -> bool:
    # Closed by whoever started this, it is None.
    return sys.stdin is not None and sys.stdin.isatty()
