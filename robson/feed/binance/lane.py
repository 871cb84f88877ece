"""What the feed knows of one symbol while it streams it."""

import math
from datetime import datetime
from decimal import Decimal

from robson.domain.market import Tick
from robson.feed.binance.codec import BookTop
from robson.feed.binance.off_market import Doubt, PrintFilter
from robson.feed.binance.sequence import TradeSequence


class Lane:
    """One symbol: the order of its trades, and how long it has been silent (readings of the steady clock)."""

    def __init__(self, symbol: str, now: float, doubt: Doubt) -> None:
        self.symbol = symbol
        # When the stream last told anything of it.
        self.event_at = now
        self.sequence = TradeSequence()
        self.filter = PrintFilter(doubt)
        # Of the trades behind a gap: when they came, and what may be shown of them before the gap is filled.
        self.came: dict[int, float] = {}
        self.glances: PrintFilter | None = None
        self.is_open = True
        self.is_filling = False
        # Whether the market was told that prices are late or lost, and the stream has told nothing since.
        self.is_interrupted = False
        # Of the book: its newest state since the last interruption, its last known prices, and the time given to it.
        self.top: BookTop | None = None
        self.book: tuple[Decimal, Decimal] | None = None
        self.at: datetime | None = None
        # The newest trade that REST has shown, before the stream had any.
        self.newest_known: int | None = None
        self.is_silent = False
        self.examine_at = math.inf
        self.examined_at = -math.inf
        # The last polled price (and ask) of the present silence.
        self.polled: tuple[Decimal, Decimal | None] | None = None
        self.examinations = 0

    def hear(self, now: float) -> None:
        """The stream has told something."""
        self.event_at = now
        self.is_silent = self.is_interrupted = False
        self.examinations = 0
        self.polled = None

    def know(self, newest: Tick | None) -> None:
        """REST has shown the newest trade."""
        if newest is not None and newest.trade_id is not None:
            self.newest_known = max(newest.trade_id, self.newest_known or 0)

    @property
    def last_id(self) -> int | None:
        """The newest trade that is known, None before the first."""
        return self.sequence.last if self.sequence.last is not None else self.newest_known
