"""The proof of life: the feed, the executor and every position's monitor have each gone round since they were asked.

Whether the exchange answers is no part of it: a restart does not mend that.
"""

from collections.abc import Sequence

from robson.daemon.supervisor import Supervisor
from robson.pulse import Pulse

# One step of an exit is bounded by its timeouts to a minute.
EXIT_STEP_MOST_SECONDS = 120.0
NAMED_MOST = 5


class Proof:
    """Asks every loop for a beat, and tells which have not answered."""

    def __init__(self, supervisor: Supervisor, feed: Pulse | None) -> None:
        """`feed` is None for one without a loop of its own."""
        self._supervisor = supervisor
        self._feed = feed
        self._asked: list[tuple[str, Pulse]] = []
        self._unmanned: set[str] = set()

    def take(self) -> Sequence[str]:
        """What has not answered since the last call, in words, nothing if all is well; and ask everybody again."""
        hung = [name for name, pulse in self._asked if pulse.is_owing]
        if not self._supervisor.around.executor.pulse.is_running:
            hung.append("the executor, which is gone")
        hung += self._without_monitor()
        hung += self._stuck_exits()
        self._asked = list(self._loops())
        for _, pulse in self._asked:
            pulse.ask()
        return hung

    def _loops(self) -> list[tuple[str, Pulse]]:
        lives = self._supervisor.lives.values()
        loops = [("the executor", self._supervisor.around.executor.pulse)]
        if self._feed is not None:
            loops.append(("the feed", self._feed))
        return [*loops, *((f"the monitor of {life.position.position_id}", life.pulse) for life in lives)]

    def _without_monitor(self) -> list[str]:
        """Positions that have had none at two looks; before the end of the recovery they wait for the venue."""
        if not self._supervisor.recovered.is_set():
            return []
        lives = self._supervisor.lives.items()
        unmanned = {position_id for position_id, life in lives if not life.pulse.is_running}
        still, self._unmanned = sorted(unmanned & self._unmanned), unmanned
        return [f"the monitor of {position_id}, which is gone" for position_id in still]

    def _stuck_exits(self) -> list[str]:
        now = self._supervisor.around.clock.monotonic()
        return [
            f"the exit of {life.position.position_id}"
            for life in self._supervisor.lives.values()
            if life.exit_step_since is not None and now - life.exit_step_since > EXIT_STEP_MOST_SECONDS
        ]


def listed(names: Sequence[str]) -> str:
    """Some names in one line; the rest is counted."""
    rest = len(names) - NAMED_MOST
    return ", ".join(names[:NAMED_MOST]) + (f" and {rest} more" if rest > 0 else "")
