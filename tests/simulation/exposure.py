"""An independent count of the seconds in which a position in the market was not protected."""

from collections import defaultdict

import trio

from robson.domain.position import Active, Exiting
from tests.rig import Rig

STALE_AFTER_SECONDS = 10.0


class ExposureCount:
    """Integrates over time: between two waits nothing changes but the age of the prices."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._since = 0.0
        # Position, whether something else than a price was missing, and until when its price is fresh.
        self._open: list[tuple[str, bool, float]] = []

    def begin(self, rig: Rig) -> None:
        """A run begins: what earlier runs counted is kept apart."""
        self.seconds.clear()
        self._open = []
        self._since = trio.current_time()

    def advance(self, rig: Rig) -> None:
        """Time has stood still since the last call, or it moved while this was the state of things."""
        now = trio.current_time()
        if now > self._since:
            for position_id, bare, fresh_until in self._open:
                begins = self._since if bare else max(self._since, fresh_until)
                self.seconds[position_id] += max(now - begins, 0.0)
        self._since = now
        self._open = []
        for position_id, life in rig.supervisor.lives.items():
            state = life.position.state
            if isinstance(state, (Active, Exiting)):
                quote = rig.market._quotes.get(life.position.symbol)
                is_active = isinstance(state, Active)
                bare = not rig.executor.reachable or position_id in rig.around.unlisted
                bare = bare or (is_active and (quote is None or not _is_watched(life)))
                fresh_until = quote.arrived_at + STALE_AFTER_SECONDS if is_active and quote else float("inf")
                self._open.append((position_id, bare, fresh_until))


def _is_watched(life: object) -> bool:
    attachment = life._attachment  # type: ignore[attr-defined]
    hit = life._hit is not None  # type: ignore[attr-defined]
    return bool(life.alive and not life.is_behind and (hit or (attachment is not None and attachment.is_attached)))  # type: ignore[attr-defined]
