"""The line that `systemctl status` shows: what there is to know at a glance."""

from collections import Counter
from decimal import Decimal

from robson.daemon.desk import Desk
from robson.daemon.supervisor import Supervisor
from robson.daemon.views import unrealized_pnl
from robson.domain.values import ZERO

STATES = ("Active", "Exiting", "Entering", "Armed", "Error")
CENT = Decimal("0.01")


def status_line(supervisor: Supervisor, desk: Desk) -> str:
    """State, positions by state, age of the oldest price (s), unrealized profit and loss (quote), and what is wrong."""
    parts = [_state(supervisor, desk), _positions(supervisor)]
    states = supervisor.around.market.states()
    if states:
        parts.append(f"feed {max(feed.age_seconds for feed in states.values()):.1f} s")
    parts += [f"PnL {amount:+f} {quote}" for quote, amount in _unrealized(supervisor).items()]
    record = supervisor.around.record
    parts += [word for word, holds in (("PANIC LATCHED", record.latched), ("paused", record.paused)) if holds]
    return ", ".join(parts)


def trouble(supervisor: Supervisor) -> str | None:
    """What is out of reach, in words; None where nothing is."""
    around = supervisor.around
    if around.record.degraded is not None:
        return f"the journal is not writable: {around.record.degraded}"
    if not around.executor.reachable:
        return f"the venue: {around.executor.reach.trouble}"
    stale = sorted(symbol for symbol, feed in around.market.states().items() if feed.stale)
    if stale:
        return f"no fresh price of {', '.join(stale)}"
    waiting = [life for life in supervisor.lives.values() if not life.pulse.is_running]
    details = [detail for life in waiting if (detail := life.detail or life.trouble) is not None]
    return details[0] if details else None


def unwatched(supervisor: Supervisor) -> int:
    """How many positions are still being recovered."""
    return sum(not life.pulse.is_running for life in supervisor.lives.values())


def _state(supervisor: Supervisor, desk: Desk) -> str:
    state, reason = desk.state(), trouble(supervisor)
    if state == "recovering":
        waiting = f"{unwatched(supervisor)} of {len(supervisor.lives)} stops are not watched yet"
        return f"{'degraded' if reason else state}: {waiting}{f' ({reason})' if reason else ''}"
    return state if reason is None else f"degraded: {reason}"


def _positions(supervisor: Supervisor) -> str:
    counted = Counter(life.position.state_name for life in supervisor.lives.values())
    total = sum(counted.values())
    by_state = ", ".join(f"{counted[state]} {state}" for state in STATES if counted[state])
    return f"{total} position{'' if total == 1 else 's'}" + (f" ({by_state})" if by_state else "")


def _unrealized(supervisor: Supervisor) -> dict[str, Decimal]:
    around = supervisor.around
    found: dict[str, Decimal] = {}
    for life in supervisor.lives.values():
        instrument = around.instruments.get(life.position.symbol)
        amount = unrealized_pnl(life.position, around.market.prices(life.position.symbol))
        if instrument is not None and amount is not None:
            found[instrument.quote] = found.get(instrument.quote, ZERO) + amount
    return {quote: amount.quantize(CENT) for quote, amount in found.items()}
