"""When the daemon is killed: at a random instant, or just after something that must not be torn in two."""

from random import Random

import trio

ANYTIME = "anytime"
STARTING = "starting"
BURST = "burst"
PANIC = "panic"

# How often each moment is chosen, and how long (s, at most) after it the kill comes. An order is on its way to the
# venue and back for some 15 ms.
_MOMENTS: dict[str, tuple[int, float]] = {
    ANYTIME: (5, 0.0),
    STARTING: (3, 0.0),
    BURST: (4, 0.016),
    PANIC: (2, 0.016),
    "arm sent": (1, 0.004),
    "arm answered": (1, 0.002),
    "signal sent": (2, 0.04),
    "signal answered": (3, 0.015),
    "close sent": (3, 0.015),
    "close answered": (1, 0.005),
    "entry_order_placed": (4, 0.013),
    "entry_filled": (2, 0.005),
    "exit_triggered": (4, 0.013),
    "exit_order_placed": (2, 0.013),
    "exit_filled": (2, 0.02),
    "position_closed": (1, 0.005),
}
# Events by which a follower of the sequence springs an aim.
EVENTS = tuple(moment for moment in _MOMENTS if "_" in moment)


class Aim:
    """One kill's moment; `sprung` is set when it has come."""

    def __init__(self, moment: str, delay_seconds: float) -> None:
        self.moment = moment
        self.delay_seconds = delay_seconds
        self.sprung = trio.Event()

    @classmethod
    def choose(cls, chance: Random) -> "Aim":
        """The next one, by the dice."""
        weights = [weight for weight, _ in _MOMENTS.values()]
        (moment,) = chance.choices(list(_MOMENTS), weights)
        most = _MOMENTS[moment][1]
        return cls(moment, 0.0 if chance.random() < 1 / 4 else chance.uniform(0, most))

    def note(self, moment: str) -> None:
        """Something has just happened."""
        if moment == self.moment:
            self.sprung.set()
