"""Moved stops on their way to the journal: gathered, and written in groups that hold nobody up."""

from collections.abc import Iterator, Mapping

import trio

from robson.daemon.life import Life
from robson.daemon.surroundings import Surroundings

FLUSH_SECONDS = 0.25
# Stops of one transaction: whatever waits for the loop waits four milliseconds or so.
GROUP = 50
# No more than a fifth of the time goes into writing stops down: what a crash loses is rebuilt from the prices.
PAUSE_OF_WORK = 4


class Ratchets:
    """Writes every stop that has moved, each at most once in FLUSH_SECONDS and later where there are very many."""

    def __init__(self, around: Surroundings, lives: Mapping[str, Life]) -> None:
        self._around = around
        self._lives = lives
        # In the order in which they were found to have moved; those that the disk refused stay.
        self._due: dict[str, None] = {}

    async def run(self) -> None:
        """Flush whenever something has moved, until cancelled."""
        clock, pause = self._around.clock, FLUSH_SECONDS
        while True:
            await self._around.market.wait_moved()
            await trio.sleep(pause)
            worked = 0.0
            for group in self._groups():
                began = clock.monotonic()
                self._write(group)
                worked += clock.monotonic() - began
                # A decision that became due meanwhile comes first.
                await trio.lowlevel.checkpoint()
            pause = max(FLUSH_SECONDS, PAUSE_OF_WORK * worked)

    def flush(self) -> None:
        """Write everything that has moved, at once."""
        for group in self._groups():
            self._write(group)

    def _groups(self) -> Iterator[list[str]]:
        self._due.update((attachment.owner, None) for attachment in self._around.market.take_moved())
        due = list(self._due)
        for first in range(0, len(due), GROUP):
            yield due[first : first + GROUP]

    def _write(self, group: list[str]) -> None:
        lives = [self._lives[owner] for owner in group if owner in self._lives]
        due = [(life, decision) for life in lives if (decision := life.follow()) is not None]
        facts = [fact for _, decision in due for fact in decision.facts]
        if due and not self._around.record.ratchet(facts, [decision.position for _, decision in due]):
            return
        for owner in group:
            self._due.pop(owner, None)
        for life, decision in due:
            life.take_over(decision)
