"""Which faults a life meets: each life has a climate of its own, drawn from its seed, and spells that come and go."""

from collections import Counter, defaultdict
from random import Random

import trio

from robson.domain.instrument import Instrument

# What a life may be exposed to; each life draws its own few, so that some faults meet often and some never.
KINDS = (
    "orders",
    "lag",
    "account_lag",
    "down",
    "slow",
    "rate_limited",
    "fields",
    "fills",
    "repay",
    "feed",
    "prints",
    "clocks",
    "disk",
    "operators",
    "hours",
)
EXPOSURE = 0.3
ORDERS_EXPOSURE = 0.6
FILTERS_EXPOSURE = 0.1

ORDER_FAULTS = (
    "late",
    "very_late",
    "loan_only",
    "reply_lost",
    "request_lost",
    "error_after",
    "error_before",
    "unreachable",
    "refused",
    "broken",
    "slow_reply",
    "slow_request",
    "unpriced",
    "unknown_status",
    "rate_limited",
    "short_of_funds",
    "no_repay",
)
# How long a spell of each kind lasts at most (s).
SPELL_SECONDS = {"down": 240.0, "slow": 40.0, "rate_limited": 30.0, "fields": 60.0, "fills": 60.0, "repay": 120.0}
# In some lives it is never else.
ALWAYS_CHANCE = 0.3


class Weather:
    """The conditions of one life; `counts` says how often each fault was really met."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.counts: Counter[str] = Counter()
        self.climate = frozenset(
            kind for kind in KINDS if random.random() < (ORDERS_EXPOSURE if kind == "orders" else EXPOSURE)
        )
        if not self.climate & {"orders", "down", "disk"}:
            self.climate |= {"orders"}
        self.is_calm = False
        # How many times the venue's first lot step its present one is.
        self.step_factor = 1
        # Kinds that came later draw from their own source, so that a seed's other faults stay what they were.
        self._later = Random(random.getstate()[1][1])
        # What the daemon was told of each pair's filters, and when.
        self.filters_told: defaultdict[str, list[tuple[float, Instrument]]] = defaultdict(list)
        self.changes_filters = self._later.random() < FILTERS_EXPOSURE
        self._until: dict[str, float] = {}
        for kind in ("fields", "fills", "repay"):
            if kind in self.climate and random.random() < ALWAYS_CHANCE:
                self._until[kind] = float("inf")
        self._lags = {"orders": 0.0, "trades": 0.0, "interest": 0.0, "account": 0.0}
        # How wrong the daemon's idea of the venue's clock is (ms).
        self.clock_error_ms = random.randrange(-50, 50) if "clocks" in self.climate else 0

    def calm_down(self) -> None:
        """No faults any more."""
        self.is_calm = True
        self.clock_error_ms = 0

    def change(self) -> None:
        """Now and then a spell begins."""
        if self.changes_filters and self._later.random() < 0.03:
            self.step_factor = self._later.choice((1, 2, 10))
            self.counts["venue: filters changed"] += 1
        random, now = self.random, trio.current_time()
        for kind, longest in SPELL_SECONDS.items():
            if kind in self.climate and random.random() < 0.04:
                share = random.random() ** 2
                self._until[kind] = max(self._until.get(kind, 0.0), now + 0.2 + share * longest)
        if "lag" in self.climate and random.random() < 0.1:
            self._lags["orders"] = random.choice((0.0, random.uniform(0, 8)))
            self._lags["trades"] = random.choice((0.0, random.uniform(0, 8)))
            self._lags["interest"] = random.choice((0.0, random.uniform(0, 8)))
        if "account_lag" in self.climate and random.random() < 0.2:
            self._lags["account"] = random.choice((0.0, random.uniform(0, 5), random.uniform(1, 5)))

    def left(self, kind: str) -> float:
        """How many seconds of a spell are left; 0 outside of one."""
        if self.is_calm:
            return 0.0
        return max(self._until.get(kind, 0.0) - trio.current_time(), 0.0)

    def strikes(self, kind: str, chance: float) -> bool:
        """Whether a spell hits this call."""
        return self.left(kind) > 0 and self.random.random() < chance

    def lag(self, of: str) -> float:
        """By how many seconds a reading is behind."""
        return 0.0 if self.is_calm else self._lags[of]

    def order_faults(self, count: int) -> list[str]:
        """What the next orders meet, the empty string for nothing."""
        if "orders" not in self.climate:
            return []
        return [self.random.choice(ORDER_FAULTS) if self.random.random() < 0.35 else "" for _ in range(count)]
