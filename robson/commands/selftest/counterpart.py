"""What the daemon under test trades with, and the file in which that remembers what really happened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

# Market seconds per second. The venue's delays below then last some 15 ms, and a clock fence a third of a second.
SPEED = "50"
# A slow venue, so that many orders are on their way at any moment; a thin one, so that some execute in part; little
# money, so that longs borrow, too; and low fees, so that it lasts.
_SETTINGS = {
    "ROBSON_PAPER_COLLATERAL": "20000",
    "ROBSON_PAPER_FEE_RATE": "0.0002",
    "ROBSON_PAPER_LATENCY_MS": "600",
    "ROBSON_PAPER_LATENCY_JITTER_MS": "400",
    "ROBSON_PAPER_PARTIAL_FILL_PROBABILITY": "0.15",
}


class Counterpart(Protocol):
    """A venue as the self-test sees it: its account file, and how `robson run` is told of it."""

    account: Path
    settings: Mapping[str, str]

    def flags(self, run: int) -> Sequence[str]:
        """The daemon's flags for its start number `run`, from 0 on."""


class PaperCounterpart:
    """The paper venue inside of the daemon; each run has a market and paper luck of its own."""

    def __init__(self, state: Path, seed: str) -> None:
        self.account = state / "paper-account.db"
        self.settings: Mapping[str, str] = _SETTINGS
        self._seed = seed

    def flags(self, run: int) -> Sequence[str]:
        """The daemon's flags for its start number `run`, from 0 on."""
        return ("--feed", "synthetic", "--speed", SPEED, "--seed", f"{self._seed}-{run}")
