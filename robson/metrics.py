"""Numbers that nothing else remembers: noted where they arise, read when somebody asks; no library, no clock."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

# Upper bounds, in seconds; the last bucket has none.
COMMIT_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5)
REACTION_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 12.0)
LOOP_DELAY_SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
# In basis points of the expected price; less than zero is better than expected.
SLIPPAGE_BASIS_POINTS = (-50.0, -20.0, -10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 250.0)

STAGE_SECONDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)

# An exit's way from the frame whose price hit the stop, each stage from the end of the one before it: the frame read
# into a price; that price taken to the stop; the exit decided; durable; handed to the venue; its first byte sent.
STAGES = ("decode", "observe", "decide", "commit", "hand", "send")


class FrameTimes:
    """When the frame that is observed at this moment came, and when it was read (steady, s); empty between frames."""

    def __init__(self) -> None:
        self.stamps: tuple[float, ...] = ()


# One thread, and a frame is taken to every stop before the next one is read.
FRAME = FrameTimes()


class Distribution:
    """How many values lay at or below each of some ascending bounds."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self.total = 0.0

    def note(self, value: float) -> None:
        """Take one value, in the unit of the bounds."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def cumulated(self) -> Iterator[tuple[float, int]]:
        """Each bound with the number of values at or below it; infinity comes last."""
        seen = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            seen += count
            yield bound, seen
