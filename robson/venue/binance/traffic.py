"""Requests to the exchange as an operator sees them: how long they take, how they end, what they use up."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from robson.domain.errors import InDoubt, RateLimited, Unreachable, VenueError
from robson.metrics import REQUEST_SECONDS, Distribution
from robson.ports.clock import Clock
from robson.venue.binance.endpoints import Endpoint
from robson.venue.binance.server_clock import ServerClock
from robson.venue.binance.weights import Budgets

MS_PER_SECOND = 1000


class Traffic:
    """Since the start of this run, by method and path: `seconds` of what went out, and every call's end in `ends`."""

    def __init__(self, clock: Clock, budgets: Budgets, server_clock: ServerClock) -> None:
        self._clock = clock
        self._budgets = budgets
        self._server_clock = server_clock
        self.seconds: dict[str, Distribution] = {}
        self.ends: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def timed(self, endpoint: Endpoint, sent_at: Sequence[float]) -> Iterator[None]:
        """Note how long the block went on after the first byte, if one left: its steady time is in `sent_at`."""
        try:
            yield
        finally:
            if sent_at:
                name = f"{endpoint.method} {endpoint.path}"
                known = self.seconds.setdefault(name, Distribution(REQUEST_SECONDS))
                known.note(self._clock.monotonic() - sent_at[-1])

    @contextmanager
    def ending(self, endpoint: Endpoint) -> Iterator[None]:
        """Note how the call in the block ends: answered, refused, limited, in_doubt or unreachable."""
        word = "answered"
        try:
            yield
        except VenueError as error:
            word = _word(error)
            raise
        finally:
            self.ends[f"{endpoint.method} {endpoint.path}", word] += 1

    def weights_used(self) -> dict[str, int]:
        """The weight used of each budget in the present minute."""
        return self._budgets.used_by_bucket(self._server_clock.now_ms(self._clock.monotonic(), self._clock.now()))

    def clock_offset_seconds(self) -> float | None:
        """The exchange's clock less the machine's; None before the first reading."""
        offset_ms = self._server_clock.wall_offset_ms(self._clock.monotonic(), self._clock.now())
        return None if offset_ms is None else offset_ms / MS_PER_SECOND


def _word(error: VenueError) -> str:
    match error:
        case RateLimited():
            return "limited"
        case InDoubt():
            return "in_doubt"
        case Unreachable():
            return "unreachable"
        case _:
            return "refused"
