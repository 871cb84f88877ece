"""What says after a crash whether every order that went out stands in the journal."""

from typing import Protocol


class Seal(Protocol):
    """Whole as long as nothing went out unwritten; torn before the first order that does."""

    def is_whole(self, epoch: int) -> bool:
        """Whether the run of that epoch left it whole: every order that it sent was durable before."""

    def apply(self, epoch: int) -> None:
        """From now on a crash leaves it whole for this run."""

    def tear(self) -> None:
        """From now on a crash leaves it torn; never raises, as exits must go out all the same."""
