"""Where each stop must be, worked out from the prices alone: a stop that was crossed is an exit, and none is missed."""

from dataclasses import dataclass
from decimal import Decimal

import trio

from robson.domain.market import Tick
from robson.domain.position import Active, Position
from robson.domain.values import Side


@dataclass
class Trail:
    """One stop, by the rules of the trade: the hit is checked before the stop moves."""

    side: Side
    stop: Decimal
    extreme: Decimal
    distance: Decimal
    seen_id: int = 0
    is_crossed: bool = False

    def take(self, tick: Tick) -> None:
        """The next price in order."""
        assert tick.trade_id is not None
        if tick.trade_id <= self.seen_id:
            return
        self.seen_id, price, sign = tick.trade_id, tick.price, self.side.sign
        if self.is_crossed or (price - self.stop) * sign <= 0:
            self.is_crossed = True
        elif (price - self.extreme) * sign > 0:
            self.extreme = price
            self.stop = max(self.stop * sign, (price - self.distance * sign) * sign) * sign


class StopOracle:
    """Follows every position in the market through the prices that reach the daemon, and those that it must make up."""

    def __init__(self) -> None:
        # How far the clocks may be apart: whether a price came before or after a fill is not known within that.
        self.blur_seconds = 0.0
        self.trails: dict[str, tuple[str, Trail]] = {}
        # Symbols with trades that nobody can know to be missing before the next one comes.
        self.blind: set[str] = set()
        # When each order executed, and each trade on each symbol (the steady clock), whether it was delivered or not.
        self.executed_at: dict[str, float] = {}
        self.traded: dict[str, list[tuple[float, Tick]]] = {}
        # When each trade reached this run, by its id: what the daemon could know at a fill.
        self.delivered: dict[str, list[tuple[float, int]]] = {}

    def begin(self) -> None:
        """A run begins."""
        self.trails.clear()
        self.delivered.clear()

    def recovered(self, position: Position, kept: list[Tick]) -> None:
        """A position is watched again: what was traded since the last written price had to be caught up with first."""
        state = position.state
        if position.position_id in self.trails or not isinstance(state, Active) or state.trail.trade_id is None:
            return
        trail = self._follow(position)
        trail.seen_id = state.trail.trade_id
        for tick in kept:
            trail.take(tick)

    def entered(self, position: Position) -> None:
        """A fill was learnt: the prices since the moment it happened come first."""
        state = position.state
        assert isinstance(state, Active), position
        since, traded = self.executed_at[state.entry.client_order_id], self.traded.get(position.symbol, [])
        if any(abs(at - since) <= self.blur_seconds for at, _ in traded):
            return
        heard = [trade_id for at, trade_id in self.delivered.get(position.symbol, []) if at <= since]
        if heard and any(at <= since and (tick.trade_id or 0) > max(heard) for at, tick in traded):
            return  # trades from before the fill that had not come in: they may count as prices since the fill
        trail = self._follow(position)
        # A run that has heard of no trade yet goes by their times: what was traded before the fill may still be read.
        trail.seen_id = max((tick.trade_id or 0 for at, tick in traded if at <= since), default=0)
        for at, tick in traded:
            if at > since:
                trail.take(tick)

    def _follow(self, position: Position) -> Trail:
        state = position.state
        assert isinstance(state, Active), position
        trail = Trail(position.side, state.trail.stop, state.trail.extreme, state.trail.distance)
        self.trails[position.position_id] = (position.symbol, trail)
        return trail

    def left(self, position_id: str) -> None:
        """The position is no longer in the market behind its stop."""
        self.trails.pop(position_id, None)

    def trade(self, tick: Tick) -> None:
        """A trade happened."""
        self.traded.setdefault(tick.symbol, []).append((trio.current_time(), tick))

    def tick(self, tick: Tick) -> None:
        """A trade reached the daemon, in order and for the first time."""
        self.delivered.setdefault(tick.symbol, []).append((trio.current_time(), tick.trade_id or 0))
        for symbol, trail in self.trails.values():
            if symbol == tick.symbol:
                trail.take(tick)

    def glance(self, tick: Tick, *, behind: set[str]) -> None:
        """A polled price reached the daemon: it may hit, it never moves a stop.

        A stop that is `behind` is compared as it stood before the gap; the next price is held against the new one.
        """
        for position_id, (symbol, trail) in self.trails.items():
            if position_id not in behind and symbol == tick.symbol and (tick.price - trail.stop) * trail.side.sign <= 0:
                trail.is_crossed = True
