"""What becomes of a position under panic: waiting for its end, and telling how far it came."""

from msgspec.structs import replace

from robson.daemon.life import Life
from robson.domain.errors import RuleError
from robson.domain.position import Closed, Error
from robson.domain.values import ExitReason
from robson.protocol.results import PanicOutcome


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
