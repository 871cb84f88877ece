"""The commands about notifications."""

from robson.domain.codec import decode
from robson.protocol import telling
from robsonctl.exits import Exit
from robsonctl.output import complain
from robsonctl.paint import local
from robsonctl.session import Session

# Each channel gets one attempt, at most two minutes long.
_TEST_SECONDS = 150.0


def notify(session: Session) -> int:
    """Try every channel, or see how far each is."""
    return notify_test(session) if session.options.kind == "test" else notify_status(session)


def notify_test(session: Session) -> int:
    """Try every channel once; exit 1 when none is set up or none worked, 5 when only some did."""
    raw = session.daemon.ask(telling.NotifyTestRequest(idempotency_key=session.key()), seconds=_TEST_SECONDS)
    result = decode(raw, telling.NotifyTestResult)
    lines = [f"{trial.channel}: {'ok' if trial.ok else 'failed'}: {trial.detail}" for trial in result.channels]
    if lines or session.output.form != "table":
        session.output.show(raw, lambda: "\n".join(lines), rows="channels")
    if not result.channels:
        complain("no channel is set up: see [notify] in robson.toml")
        return Exit.REFUSED
    worked = sum(trial.ok for trial in result.channels)
    if worked == len(result.channels):
        return Exit.OK
    return Exit.PARTLY_DONE if worked else Exit.REFUSED


def notify_status(session: Session) -> int:
    """How far each channel is."""
    raw = session.daemon.ask(telling.NotifyStatusRequest())
    session.output.show(raw, lambda: _status_text(decode(raw, telling.NotifyStatusResult)), rows="channels")
    return Exit.OK


def _status_text(result: telling.NotifyStatusResult) -> str:
    lines = []
    for channel in result.channels:
        last = local(channel.delivered_at) or "none yet"
        numbers = f"{channel.delivered} delivered, {channel.failed} failed, {channel.given_up} given up"
        lines.append(f"{channel.channel}: {numbers}, backlog {channel.backlog}, last delivery {last}")
        lines += [f"  {told}" for told in (channel.trouble, channel.last_given_up) if told]
    return "\n".join([*(lines or ["no channel is set up: see [notify] in robson.toml"]), f"ping: {result.ping}"])
