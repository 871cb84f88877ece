"""The seconds in which a position in the market had no fresh price, no live monitor or no reachable executor."""

from decimal import Decimal


class Exposure:
    """Counts one position's unprotected time on the run's monotonic clock; `causes` says what is missing now."""

    def __init__(self, earlier_seconds: float = 0.0) -> None:
        self.causes: tuple[str, ...] = ()
        self._total = self._earlier = earlier_seconds
        self._since: float | None = None

    def update(self, causes: tuple[str, ...], now: float) -> float | None:
        """Take the present causes; gives the length (s) of the unprotected interval that this ends, if any."""
        self.causes = causes
        if causes:
            if self._since is None:
                self._since = now
            return None
        if self._since is None:
            return None
        seconds, self._since = now - self._since, None
        self._total += seconds
        return seconds

    def seconds(self, now: float) -> float:
        """All unprotected seconds up to now."""
        running = now - self._since if self._since is not None else 0.0
        return self._total + running

    def seconds_of_run(self, now: float) -> float:
        """The same without what earlier runs had counted."""
        return self.seconds(now) - self._earlier


def as_decimal(seconds: float) -> Decimal:
    """Seconds for the journal, to the millisecond."""
    return Decimal(f"{seconds:.3f}")
