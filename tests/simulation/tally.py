"""How much was simulated, and which faults were met how often; printed at the end of a run."""

from collections import Counter

lives = 0
faults: Counter[str] = Counter()
crashes: Counter[str] = Counter()


def add_life(of: Counter[str]) -> None:
    """Count one life with the faults that it met."""
    global lives  # noqa: PLW0603  one count for the whole run
    lives += 1
    faults.update(of)


def lines() -> list[str]:
    """What to print."""
    shown = []
    if lives:
        shown += [f"simulated lives {lives}, violations 0; faults met:", *grouped(faults)]
    if crashes:
        shown += [f"scripted lives crashed {crashes.total()} times:", *grouped(crashes)]
    return shown


def grouped(counts: Counter[str]) -> list[str]:
    """One line for each kind before the colon."""
    groups: dict[str, list[str]] = {}
    for name, count in sorted(counts.items()):
        kind, _, what = name.partition(": ")
        groups.setdefault(kind, []).append(f"{what} {count}".strip())
    return [f"  {kind}: {', '.join(whats)}" for kind, whats in groups.items()]
