"""One watch's place in the stream of a symbol, and what it missed."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Literal

from robson.domain.market import Tick
from robson.domain.values import Value
from robson.engine.missed import Crossing, Seen
from robson.engine.trailing import Watch


class Replayed(Value):
    """What became of the prices that a watch had missed.

    `crossing` is the first one that hit its stop; `is_forgiven` says that the position goes on all the same, behind
    `trailing_stop` at `price`. `missing` is the span of which the source gave neither trades nor candles.
    """

    trades: int
    candles: int
    price: Decimal | None
    trailing_stop: Decimal
    crossing: Crossing | None = None
    is_forgiven: bool = False
    missing: tuple[datetime, datetime | None] | None = None


class Attachment:
    """One watch on one symbol's ticks; it ends when the watch is hit, or with `detach`.

    A live one observes every tick. One that is *ahead* has seen more than the stream, and waits until that has passed.
    One that is *behind* has missed prices: until they are made up for, ticks may hit its stop and never move it.
    """

    __slots__ = (
        *("_on_detach", "is_attached", "number", "on_behind", "on_hit", "on_replayed", "owner", "place", "seen"),
        *("symbol", "trouble", "watch"),
    )

    def __init__(
        self,
        symbol: str,
        watch: Watch,
        on_hit: Callable[[Crossing], None],
        on_behind: Callable[[], None],
        on_replayed: Callable[[Replayed], None],
        seen: Seen | None,
        owner: str,
        on_detach: Callable[["Attachment"], None],
    ) -> None:
        self.symbol = symbol
        # Whose it is: the position's id.
        self.owner = owner
        self.watch = watch
        self.on_hit = on_hit
        self.on_behind = on_behind
        self.on_replayed = on_replayed
        # The last price taken into account before it became live; a live one has seen all that came since.
        self.seen = seen
        self.place: Literal["live", "ahead", "behind"] = "live"
        # Why the missed prices have not been read yet.
        self.trouble: str | None = None
        self.is_attached = True
        # Among all of its symbol, newer ones have higher ones; another one whenever it changes its place.
        self.number = 0
        self._on_detach = on_detach

    @property
    def is_behind(self) -> bool:
        """Whether prices that it missed have not been made up for."""
        return self.is_attached and self.place == "behind"

    def has_seen(self, tick: Tick) -> bool:
        """Whether a tick was taken into account before this became live."""
        return self.seen is not None and self.seen.covers(tick)

    def detach(self) -> None:
        """Observe nothing more; harmless when repeated."""
        if self.is_attached:
            self.is_attached = False
            self._on_detach(self)
