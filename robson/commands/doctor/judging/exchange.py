"""How near the exchange is, by wire and by clock."""

from collections.abc import Sequence
from statistics import median

from robson.commands.doctor.check import Check, doubtful, fine, wrong
from robson.domain.values import Value

# An exit is signed for two seconds: a request that travels longer is refused for its age.
NEAR_MS, RECEIVE_WINDOW_MS = 1_000.0, 2_000.0
CLOCK_MS = 1_000


class Burn(Value):
    """What is paid in BNB."""

    fees: bool
    interest: bool


def judge_reach(host: str, round_trips: Sequence[float]) -> Check:
    """How long the exchange takes to answer (seconds each)."""
    typical = median(round_trips) * 1000
    detail = (
        f"{host} answers in {typical:.0f} ms (median of {len(round_trips)}, longest {max(round_trips) * 1000:.0f} ms)"
    )
    if typical >= RECEIVE_WINDOW_MS:
        return wrong("rest", detail, f"exits are valid for {RECEIVE_WINDOW_MS:g} ms: find a nearer line")
    if typical >= NEAR_MS:
        return doubtful("rest", detail, f"exits are valid for {RECEIVE_WINDOW_MS:g} ms: find a nearer line")
    return fine("rest", detail)


def judge_clock(offset_ms: int | None, uncertainty_ms: float | None) -> Check:
    """How far the exchange's clock is ahead of the machine's (negative: behind)."""
    if offset_ms is None:
        return wrong("clock", "the exchange's clock could not be read", "see the check rest")
    about = f" (to within {uncertainty_ms:.0f} ms)" if uncertainty_ms is not None else ""
    detail = (
        f"the machine's clock was {abs(offset_ms)} ms {'behind' if offset_ms > 0 else 'ahead of'} the exchange's{about}"
    )
    if abs(offset_ms) > CLOCK_MS + (uncertainty_ms or 0):
        return wrong("clock", f"{detail}, at most {CLOCK_MS} ms are allowed", "switch time synchronisation on")
    return fine("clock", detail)


def judge_burn(burn: Burn) -> Check:
    """Fees in BNB are counted; interest in BNB is a debt in an asset that no pair holds."""
    if burn.interest:
        hint = "switch it off: interest is then owed on the pair, where Robson repays it"
        return doubtful("bnb", "interest was paid in BNB", hint)
    return fine("bnb", f"fees {'in BNB while there is some' if burn.fees else 'not in BNB'}, interest not in BNB")
