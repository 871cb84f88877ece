"""A measured figure: one value a round of ours and of the bare baseline, and what it is held against."""

import statistics
from typing import Literal

import msgspec


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a figure must reach: `of` is "ratio" (ours by bare) or "value" (ours), in the figure's unit.

    `sense` is whether `limit` is the most or the least that is good. `beyond` is what would be better still.
    """

    limit: float
    of: Literal["ratio", "value"] = "ratio"
    sense: Literal["most", "least"] = "most"
    beyond: float | None = None

    def verdict(self, value: float) -> str:
        """MET, MET, and beyond or MISSED."""
        if not self._reaches(value, self.limit):
            return "MISSED"
        return "MET, and beyond" if self.beyond is not None and self._reaches(value, self.beyond) else "MET"

    def __str__(self) -> str:
        sign = "<=" if self.sense == "most" else ">="
        return f"{sign} {self.limit:g}{'x' if self.of == 'ratio' else ''}"

    def _reaches(self, value: float, limit: float) -> bool:
        return value <= limit if self.sense == "most" else value >= limit


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the table.

    `ours` and `bare` hold one value a round, in `unit`, the rounds of both taken in turn; a figure without a baseline
    has no `bare`. `note` says what limits it, or what the baseline does.
    """

    name: str
    what: str
    unit: str
    ours: tuple[float, ...]
    bare: tuple[float, ...] = ()
    target: Target | None = None
    note: str = ""

    def __post_init__(self) -> None:
        """A figure was measured at least once, and its baseline as often."""
        assert self.ours, self.name
        assert not self.bare or len(self.bare) == len(self.ours), self.name

    @property
    def value(self) -> float:
        """The median of ours, in `unit`."""
        return statistics.median(self.ours)

    @property
    def baseline(self) -> float | None:
        """The median of the bare rounds, in `unit`."""
        return statistics.median(self.bare) if self.bare else None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours by bare, round by round: what slows the machine down for a while slows both."""
        return tuple(ours / bare for ours, bare in zip(self.ours, self.bare, strict=False))

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios) if self.bare else None

    @property
    def verdict(self) -> str:
        """MET, MET, and beyond or MISSED; empty where there is no target."""
        if self.target is None:
            return ""
        held = self.value if self.target.of == "value" else self.ratio
        assert held is not None, f"{self.name} has a target of a ratio and no baseline"
        return self.target.verdict(held)


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where, with what and how it was measured."""

    at: str
    robson: str
    python: str
    sqlite: str
    kernel: str
    processor: str
    cores: tuple[int, ...]
    kept_awake: bool
    rounds: int
    quick: bool
    disk: str
    disk_sync_us: float
    load_before: float
    load_after: float = 0.0
    # What each sync was made to take longer, by a library put before the system's (`make bench-slow-disk`).
    sync_slowed_ms: int = 0


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one run measured: the content of bench.json."""

    machine: Machine
    figures: tuple[Figure, ...]
    failed: dict[str, str] = {}
