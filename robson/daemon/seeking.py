"""The Armed position's wait for its one signal: a detector, and a back-off after each refusal."""

import structlog
import trio

from robson.daemon.entering import judge
from robson.daemon.life import Life
from robson.domain.errors import RuleError, VenueError
from robson.domain.position import Armed
from robson.domain.stimuli import SignalFailed

BACKOFF_FIRST_SECONDS = 5.0
BACKOFF_MOST_SECONDS = 900.0

_log = structlog.get_logger("robson.detector")


def pause_seconds(refusals: int) -> float:
    """How long a detector rests after so many refused signals: 5 s doubling to 900 s, nothing before the first."""
    if refusals == 0:
        return 0.0
    return min(BACKOFF_MOST_SECONDS, BACKOFF_FIRST_SECONDS * float(2 ** min(refusals - 1, 16)))


async def seek(life: Life) -> None:
    """Run detectors until one signal is accepted (the caller cancels this when the position leaves Armed)."""
    position, around = life.position, life.around
    while isinstance(life.position.state, Armed):
        await trio.sleep(pause_seconds(life.refused_signals))
        signal_id = around.new_id()
        try:
            detector = around.strategies.create(position.strategy, position.params)
            detected = await detector.detect(around.market.observation(position.symbol, position.side))
            # The registry completes a signal without a stop before it comes here.
            assert detected.technical_stop is not None, position.strategy
            if await judge(life, signal_id, detected.entry_price, detected.technical_stop, detected.evidence):
                return
        except RuleError as error:
            _fail(
                life, signal_id, "rule", error.code, f"{error.message}; {error.hint}" if error.hint else error.message
            )
        except VenueError as error:
            _fail(life, signal_id, "venue", "venue_error", str(error))
        except Exception as error:  # noqa: BLE001  a strategy is other people's code: its faults stay here
            _log.exception("detector_failed", position_id=position.position_id, strategy=position.strategy)
            _fail(life, signal_id, "rule", "detector_failed", f"strategy {position.strategy} failed: {error!r}")
        life.refused_signals += 1


def _fail(life: Life, signal_id: str, stage: str, code: str, message: str) -> None:
    if not isinstance(life.position.state, Armed):
        return
    try:
        life.feel(SignalFailed(signal_id=signal_id, stage=stage, code=code, message=message[:500]))
    except RuleError as error:
        life.detail = error.message
