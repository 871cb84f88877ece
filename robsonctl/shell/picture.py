"""What the shell knows of the daemon at the moment: completion and the toolbar look at it."""

from collections import OrderedDict
from collections.abc import Sequence

from robson.protocol.results import PositionView, StatusResult

_GONE_MAX = 100


class Picture:
    """The last status and when it came; times are seconds of the loop's clock."""

    def __init__(self) -> None:
        self.status: StatusResult | None = None
        self.seen_at = 0.0
        self.connected = False
        # Why there is no connection, and when it is tried again.
        self.trouble = ""
        self.next_try_at = 0.0
        self._gone: OrderedDict[str, PositionView] = OrderedDict()

    def saw(self, status: StatusResult, at: float) -> None:
        """Take a new status; positions that are open no more are remembered, for looking back at them."""
        open_ids = {position.position_id for position in status.positions}
        for position in self.positions:
            if position.position_id not in open_ids:
                self._gone[position.position_id] = position
        while len(self._gone) > _GONE_MAX:
            self._gone.popitem(last=False)
        self.status = status
        self.seen_at = at

    @property
    def positions(self) -> Sequence[PositionView]:
        """The open positions."""
        return self.status.positions if self.status is not None else ()

    @property
    def gone(self) -> Sequence[PositionView]:
        """Positions that were open earlier in this session, the newest first, as they were last seen."""
        return list(reversed(self._gone.values()))

    @property
    def mode(self) -> str:
        """`paper` or `live`; `?` before the first word of the daemon."""
        return self.status.mode if self.status is not None else "?"

    def symbol_of(self, position_id: str | None) -> str:
        """The symbol of a position, empty when it is not known."""
        for position in (*self.positions, *self._gone.values()):
            if position.position_id == position_id:
                return position.symbol
        return ""
