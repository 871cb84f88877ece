"""What came back for one request of an order, from whichever side it came first."""

import trio

from robson.domain.errors import RateLimited, Unreachable
from robson.executor.resolution import Outcome
from robson.ports import OrderReport


class RequestAnswer:
    """What came back for one request; the first definite word wins."""

    def __init__(self) -> None:
        self.doubted = trio.Event()
        self.heeds_news = trio.CancelScope()
        self.why = ""
        self.report: OrderReport | None = None
        self.outcome: Outcome | None = None
        self.failure: Unreachable | RateLimited | None = None

    def doubt(self, why: str) -> None:
        """The request ended without a definite word."""
        self.why = why
        self.doubted.set()
