"""How many lives were simulated, and with which faults; printed at the end of a run."""

from collections import Counter

lives = 0
faults: Counter[str] = Counter()
crashes: Counter[str] = Counter()


def add_life(of: Counter[str]) -> None:
    """Count one life with the faults that its orders met."""
    global lives  # noqa: PLW0603  one count for the whole run
    lives += 1
    faults.update(of)


def lines() -> list[str]:
    """What to print."""
    if not lives and not crashes:
        return []
    planned = ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items()))
    places = ", ".join(f"{kind} {count}" for kind, count in sorted(crashes.items()))
    return [
        f"simulated lives {lives}; faults met by orders: {planned or 'none'}",
        f"crashes of the scripted life: {places or 'none'}",
    ]
