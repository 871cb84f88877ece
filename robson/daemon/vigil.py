"""Who counts the seconds: whether each position in the market has a fresh price, a live monitor and a venue."""

from collections import Counter

import trio

from robson.daemon.life import Life
from robson.daemon.surroundings import Surroundings
from robson.daemon.unprotected import Exposure, as_decimal
from robson.domain.events import Notice
from robson.domain.position import Active, Exiting
from robson.domain.values import PositionId

TOGETHER_SECONDS = 1.0


class Vigil:
    """Keeps the unprotected time of every open position, and tells of each interval that ends."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self._exposures: dict[str, Exposure] = {}
        self._lives: dict[str, Life] = {}
        self._over_seconds = 0.0
        # What the first second has to tell, of many positions: a commit of its own for each would hold up the loop.
        self._held: list[Notice] | None = []
        around.executor.reach.on_change = self._review_all

    def begin(self, life: Life, *, recovered: bool) -> None:
        """Count for a position from now on; what earlier runs counted stands in the journal."""
        position_id = life.position.position_id
        self._exposures[position_id] = Exposure(self.stored_seconds(position_id) if recovered else 0.0)
        self._lives[position_id] = life
        life.on_change = self.review

    def end(self, life: Life) -> None:
        """The position is over."""
        self.review(life)
        exposure = self._exposures.pop(life.position.position_id)
        self._over_seconds += exposure.seconds_of_run(self.around.clock.monotonic())
        del self._lives[life.position.position_id]

    def seconds(self, position_id: str) -> float:
        """How long an open position was unprotected so far (s)."""
        exposure = self._exposures.get(position_id)
        return exposure.seconds(self.around.clock.monotonic()) if exposure is not None else 0.0

    def seconds_of_run(self) -> float:
        """How long positions were unprotected in this run, all together (s); it never falls."""
        now = self.around.clock.monotonic()
        return self._over_seconds + sum(exposure.seconds_of_run(now) for exposure in self._exposures.values())

    def causes(self) -> Counter[str]:
        """How many positions lack what at this moment."""
        return Counter(cause for exposure in self._exposures.values() for cause in exposure.causes)

    def stored_seconds(self, position_id: str) -> float:
        """The same from the journal's notices, for a position that is over or was recovered."""
        return float(self.around.record.journal.unprotected_seconds(PositionId(position_id)))

    def review(self, life: Life) -> None:
        """See whether a position is protected now; the end of an unprotected interval is told."""
        exposure = self._exposures.get(life.position.position_id)
        if exposure is None:
            return
        was = exposure.causes
        seconds = exposure.update(self._missing(life), self.around.clock.monotonic())
        if seconds is not None and seconds > 0:
            told = Notice(
                type="unprotected",
                at=self.around.clock.now(),
                position_id=life.position.position_id,
                data={"seconds": str(as_decimal(seconds)), "causes": list(was)},
            )
            if self._held is None:
                self.around.record.notice(told)
            else:
                self._held.append(told)

    async def tell_together(self, recovered: trio.Event) -> None:
        """Tell of the intervals that end while positions are recovered in one commit, after a second at the latest."""
        with trio.move_on_after(TOGETHER_SECONDS):
            await recovered.wait()
        self.tell()

    def tell(self) -> None:
        """Write what was held back, and hold back nothing any more."""
        held, self._held = self._held, None
        if held:
            self.around.record.notice(*held)

    def _review_all(self) -> None:
        for life in list(self._lives.values()):
            self.review(life)

    def _missing(self, life: Life) -> tuple[str, ...]:
        if not isinstance(life.position.state, (Active, Exiting)):
            return ()
        missing = []
        if isinstance(life.position.state, Active):
            if self.around.market.is_stale(life.position.symbol):
                missing.append("feed")
            if not life.is_watched:
                missing.append("monitor")
        if life.position.position_id in self.around.unlisted:
            missing.append("unwritten")
        if not self.around.executor.reachable:
            missing.append("venue")
        return tuple(missing)

    def freshness_changed(self, symbol: str, stale: bool, age_seconds: float) -> None:
        """The feed of a symbol became stale or fresh again."""
        self.around.record.notice(
            Notice(
                type="feed_stale" if stale else "feed_recovered",
                at=self.around.clock.now(),
                data={"symbol": symbol, "age_seconds": str(as_decimal(age_seconds))},
            )
        )
        for life in list(self._lives.values()):
            if life.position.symbol == symbol:
                self.review(life)
