"""What becomes of positions under panic: asking them to leave, waiting for the end, and telling how far each came."""

from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from robson.daemon.exit_terms import exit_terms
from robson.daemon.life import Life
from robson.daemon.volley import GROUP, Volley, by_risk
from robson.domain.errors import RuleError
from robson.domain.position import Active, Armed, Closed, Error
from robson.domain.stimuli import DisarmRequested, ExitRequested
from robson.domain.values import ExitReason
from robson.protocol.results import PanicOutcome

_log = structlog.get_logger("robson.supervisor")


def exit_request(life: Life, reason: ExitReason) -> ExitRequested:
    """What lets a position begin or join its one exit; raises RuleError `recovering` where too little is known yet."""
    around, position = life.around, life.position
    if position.symbol not in around.instruments:
        raise RuleError(
            "recovering",
            f"position {position.position_id} was not yet recovered: the venue was out of reach",
            retryable=True,
        )
    return ExitRequested(reason=reason, exit_terms=exit_terms(position, around), trail=life.moved())


def ask_to_leave(life: Life) -> RuleError | None:
    """Let one position leave, whatever its state; why it could not be asked."""
    try:
        if isinstance(life.position.state, Armed):
            life.feel(DisarmRequested())
        else:
            life.feel(_panic_request(life))
    except RuleError as error:
        _tell(life, error)
        return error
    return None


def ask_all_to_leave(lives: Sequence[Life], volley: Volley) -> dict[str, RuleError | None]:
    """Let those in the market leave by capital at risk, many in one commit, and then the others."""
    asked: dict[str, RuleError | None] = {}
    leaving = by_risk(life for life in lives if isinstance(life.position.state, Active))
    for first in range(0, len(leaving), GROUP):
        asked |= _ask_together(leaving[first : first + GROUP], volley, at_once=not first)
    return asked | {
        life.position.position_id: ask_to_leave(life) for life in lives if life.position.position_id not in asked
    }


def _ask_together(lives: Sequence[Life], volley: Volley, *, at_once: bool) -> dict[str, RuleError | None]:
    try:
        refused = volley.leave_together(lives, _panic_request, at_once=at_once)
    except Exception:  # noqa: BLE001  a fault in one position keeps no other from leaving
        _log.exception("panic_not_together", positions=len(lives))
        return {life.position.position_id: ask_to_leave(life) for life in lives}
    for life in lives:
        if (error := refused.get(life.position.position_id)) is not None:
            _tell(life, error)
    return {life.position.position_id: refused.get(life.position.position_id) for life in lives}


def _panic_request(life: Life) -> ExitRequested:
    return exit_request(life, ExitReason.OPERATOR_PANIC)


def _tell(life: Life, error: RuleError) -> None:
    if error.retryable:
        _log.info("panic_waits", position_id=life.position.position_id, reason=error.message)
    else:
        _log.error("panic_failed", position_id=life.position.position_id, error=error.message)


async def ended(life: Life) -> None:
    """Wait until a position is Closed, or needs a person."""
    while not isinstance(life.position.state, (Closed, Error)):
        await life.news()


def outcome_of(life: Life, failure: RuleError | None) -> PanicOutcome:
    """How far a position came, `failure` being why it could not be asked to leave.

    What may be asked again is pending: a position that was not yet recovered is asked once it is.
    """
    position = life.position
    state, position_id = position.state, position.position_id
    outcome = PanicOutcome(position_id=position_id, outcome="pending", symbol=position.symbol, side=position.side.value)
    if isinstance(state, Closed):
        disarmed, result = state.reason is ExitReason.DISARMED, state.result
        return replace(
            outcome,
            outcome="disarmed" if disarmed else "closed",
            exit_price=result.exit_price if result else None,
            net_pnl=result.net_pnl if result else None,
        )
    if failure is not None and not failure.retryable:
        return replace(outcome, outcome="failed", detail=failure.message)
    if isinstance(state, Error):
        return replace(outcome, outcome="failed", detail=state.message)
    why = life.detail or life.trouble
    goes_on = f"it is {position.state_name} and goes on by itself"
    return replace(outcome, detail=f"{goes_on}: {why}" if why else goes_on)
