"""What a self-test has found: counts, times and violations, one `name value` a line or as one JSON object."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from robson.commands.selftest.evidence import Evidence
from robson.commands.selftest.promises import Promises
from robson.domain.ids import is_ours

# In this order; the first three are what DESIGN promises, the next what they rest on, the last what must not be left.
_LEFT = ("unresolved", "debts_left", "unfinished")
RULES = ("duplicates", "orphans", "flips", "broken_promises", "gaps", "stop_retreats", "misfolded", *_LEFT)


@dataclass(slots=True)
class Report:
    """Filled as the test goes on; seconds are real ones. `rehearsal` has the figures of a live one by name."""

    kills: int = 0
    restarts: int = 0
    positions: int = 0
    orders: int = 0
    trades: int = 0
    events: int = 0
    replies: int = 0
    seconds: float = 0.0
    ended: bool = False
    time_to_protected: list[float] = field(default_factory=list)
    unprotected: list[float] = field(default_factory=list)
    violations: dict[str, dict[str, None]] = field(default_factory=dict)
    rehearsal: dict[str, int] = field(default_factory=dict)
    _in_flight: set[str] = field(default_factory=set)
    _in_flight_executed: set[str] = field(default_factory=set)

    @property
    def passed(self) -> bool:
        """Whether it came to its end and nothing was violated."""
        return self.ended and not any(self.violations.values())

    def killed(self, evidence: Evidence) -> None:
        """Take one kill: which orders were on their way, and which of them the venue had executed already."""
        self.kills += 1
        at_venue = {
            order.ticket.client_order_id
            for venue in evidence.venues.values()
            for order in venue.orders
            if order.executed > 0
        }
        for intent in evidence.intents:
            if intent.status in {"sent", "in_doubt"}:
                self._in_flight.add(intent.order.client_order_id)
                if intent.order.client_order_id in at_venue:
                    self._in_flight_executed.add(intent.order.client_order_id)

    def found(self, findings: Mapping[str, Sequence[str]]) -> None:
        """Take violations; one that stays is counted once."""
        for rule, violations in findings.items():
            self.violations.setdefault(rule, {}).update(dict.fromkeys(violations))

    def end(self, evidence: Evidence, promises: Promises, left: Mapping[str, Sequence[str]], *, restarts: int) -> None:
        """Take the last look at the files."""
        self.ended = True
        self.restarts = restarts
        self.found(left)
        self.positions = len(evidence.folded)
        self.orders = sum(is_ours(order.ticket.client_order_id) for v in evidence.venues.values() for order in v.orders)
        self.trades = sum(len(venue.trades) for venue in evidence.venues.values())
        self.events = len(evidence.events)
        self.replies = promises.count

    def values(self) -> dict[str, Any]:
        """Every figure by its name, in the order of printing."""
        return {
            "kills": self.kills,
            "restarts": self.restarts,
            "seconds": round(self.seconds, 1),
            "positions": self.positions,
            "orders": self.orders,
            "trades": self.trades,
            "events": self.events,
            "replies": self.replies,
            "orders_in_flight": len(self._in_flight),
            "orders_in_flight_executed": len(self._in_flight_executed),
            **{rule: len(self.violations.get(rule, ())) for rule in RULES},
            "account_flat": "yes" if self.ended and not any(map(self.violations.get, _LEFT)) else "no",
            **_spread("unprotected_seconds", self.unprotected),
            **_spread("time_to_protected", self.time_to_protected, "_seconds"),
            **self.rehearsal,
        }

    def words(self) -> list[str]:
        """The violations, each with its rule."""
        return [f"{rule}: {violation}" for rule, violations in self.violations.items() for violation in violations]


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least this share of all is not above (nearest rank); not a number without samples."""
    if not samples:
        return math.nan
    return sorted(samples)[max(math.ceil(share * len(samples)) - 1, 0)]


def _spread(name: str, samples: Sequence[float], unit: str = "") -> dict[str, float | None]:
    spread = {
        f"{name}_p50{unit}": percentile(samples, 0.5),
        f"{name}_p99{unit}": percentile(samples, 0.99),
        f"{name}_max{unit}": percentile(samples, 1.0),
    }
    return {key: None if math.isnan(seconds) else round(seconds, 3) for key, seconds in spread.items()}
