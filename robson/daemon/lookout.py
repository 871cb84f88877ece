"""Positions as whoever asks sees them: found by id, living, stored or not yet written."""

from collections.abc import Sequence

import trio

from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.daemon.views import position_view
from robson.domain.errors import RuleError
from robson.domain.position import Position
from robson.protocol import results as give

_VIEWS_AT_ONCE = 8


class Lookout:
    """Finds positions and shows them; changes nothing."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    @property
    def _around(self) -> Surroundings:
        return self._supervisor.around

    async def _views(self, *, closed: bool) -> list[give.PositionView]:
        """The positions in the order of arming, looked at a few in each turn of the loop; each is whole in itself."""
        stored: Sequence[str] = self._around.record.journal.position_ids() if closed else ()
        views: dict[str, give.PositionView] = {}
        # The living last: who closes meanwhile is known to the journal, and who was armed meanwhile is known here.
        await self._look([one for one in stored if one not in self._supervisor.lives], views)
        await self._look(list(self._supervisor.lives), views)
        if not closed:
            return [view for view in views.values() if view.state != "Closed"]
        for position_id in stored:
            if position_id not in views and (position := self._known(position_id)) is not None:
                views[position_id] = self._view(position)
        return sorted(views.values(), key=lambda view: view.armed_at)

    async def _look(self, position_ids: Sequence[str], views: dict[str, give.PositionView]) -> None:
        for number, position_id in enumerate(position_ids, 1):
            if (position := self._known(position_id)) is not None:
                views[position_id] = self._view(position)
            if number % _VIEWS_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()

    def _known(self, position_id: str) -> Position | None:
        life = self._supervisor.lives.get(position_id)
        if life is not None:
            return life.position
        record = self._around.record
        return record.unwritten(position_id) or record.journal.position(position_id)

    def _find(self, position_id: str) -> Position:
        position = self._known(position_id)
        if position is None:
            raise RuleError(
                "unknown_position", f"position {position_id[:64]!r} was not found", hint="`status` with all lists them"
            )
        return position

    def _view(self, position: Position) -> give.PositionView:
        life = self._supervisor.lives.get(position.position_id)
        if life is None:
            seconds = self._supervisor.vigil.stored_seconds(position.position_id)
            return position_view(position, self._around, trail=None, detail=None, unprotected_seconds=seconds)
        return position_view(
            position,
            self._around,
            trail=life.trail,
            detail=self._doubt(position) or life.trouble or self._supervisor.drift.words(position) or life.detail,
            unprotected_seconds=self._supervisor.vigil.seconds(position.position_id),
        )

    def _doubt(self, position: Position) -> str | None:
        """What is not known about a position's orders, in words."""
        for intent in self._around.record.intents_of(position.position_id):
            if intent.status == "in_doubt":
                return f"its {intent.order.role} order is in doubt: {intent.detail}"
        return None
