"""What came back for one request."""

import trio

from robson.domain.errors import RateLimited, Unreachable
from robson.executor.resolution import Outcome
from robson.ports import OrderReport

# Refusals that speak of the loan, not of the order (reference: margin codes).
MARGIN_CODES = frozenset({"-2010", "-3006", "-3008", "-3012", "-3013", "-3014", "-3041", "-3045", "-11008"})


class Answer:
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
