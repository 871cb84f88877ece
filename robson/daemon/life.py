"""The living side of one position: its watch, its news, and `feel`, through which every stimulus goes."""

from collections.abc import Callable, Mapping
from datetime import datetime

import structlog
import trio

from robson.daemon.surroundings import Surroundings, exit_terms
from robson.domain.market import Tick
from robson.domain.position import Active, Position, Trail
from robson.domain.sequence import StoredReply
from robson.domain.stimuli import DisarmRequested, SignalArrived, SignalFailed, Stimulus, StopHit, StopMoved
from robson.engine.decide import Decision, decide
from robson.engine.trailing import Watch
from robson.executor.intents import new_intent
from robson.feed.quote import Attachment
from robson.ports import Commit, Fill, Intent, PairRecord

_log = structlog.get_logger("robson.position")

# Without durability these may be refused; everything else protects, or tells what has already happened.
REFUSABLE = (SignalArrived, SignalFailed, DisarmRequested)


class Life:
    """The living side of a position: its watch, its waits and its decisions.

    `feel` is synchronous from the stimulus to the durable record, so no other task can come in between.
    """

    def __init__(self, position: Position, around: Surroundings) -> None:
        self.position = position
        self.around = around
        self.detail: str | None = None
        self.refused_signals = 0
        self.alive = False
        self.on_change: Callable[[Life], None] = lambda _life: None
        self._watch: Watch | None = None
        self._attachment: Attachment | None = None
        self._hit: Tick | None = None
        self._news = trio.Event()

    # --- deciding ----------------------------------------------------------------------------------------------------

    def feel(
        self,
        stimulus: Stimulus | None,
        *,
        intents: tuple[Intent, ...] = (),
        fills: tuple[Fill, ...] = (),
        pairs: tuple[PairRecord, ...] = (),
        reply: Callable[[Decision], StoredReply | None] | None = None,
        already_sent: Mapping[str, datetime] | None = None,
    ) -> Decision:
        """Decide, write it durably, and only then act on it.

        Raises RuleError when the state forbids the request, or when an entry cannot be written. None as a stimulus
        writes the rest without deciding anything. Orders that are `already_sent` (by client order id, with the time)
        are resolved instead of sent.
        """
        now = self.around.clock.now()
        decision = decide(self.position, stimulus, now) if stimulus is not None else Decision(position=self.position)
        placed = tuple(
            new_intent(order, now, self.around.record.epoch, sent_at=(already_sent or {}).get(order.client_order_id))
            for order in decision.actions
        )
        stored = reply(decision) if reply is not None else None
        if decision.facts or intents or fills or pairs or stored:
            commit = Commit(
                facts=decision.facts,
                positions=(decision.position,) if decision.facts else (),
                intents=(*intents, *placed),
                fills=fills,
                pairs=pairs,
                reply=stored,
            )
            self.around.record.write(commit, protective=not isinstance(stimulus, REFUSABLE))
        self._become(decision.position)
        if placed:
            self.around.executor.wake()
        return decision

    def moved(self) -> StopMoved | None:
        """The watch's present stop, None while nothing is watched."""
        if self._watch is None:
            return None
        return StopMoved(trailing_stop=self._watch.stop, extreme=self._watch.extreme, trade_id=self._watch.trade_id)

    @property
    def trail(self) -> Trail | None:
        """The watch's present stop as a record, None while nothing is watched."""
        return self._watch.trail() if self._watch is not None else None

    def follow(self) -> Decision | None:
        """What the moved stop is worth, not yet written; None when there is nothing new."""
        moved = self.moved()
        if moved is None or not isinstance(self.position.state, Active):
            return None
        if moved.trailing_stop == self.position.state.trail.stop:
            return None
        decision = decide(self.position, moved, self.around.clock.now())
        return decision if decision.facts else None

    def take_over(self, decision: Decision) -> None:
        """Make what `follow` decided the state, once it is written."""
        self._become(decision.position)

    def _become(self, position: Position) -> None:
        before, self.position = self.position, position
        if type(before.state) is not type(position.state):
            if not isinstance(position.state, Active):
                self._unwatch()
            else:
                self.watch()
            _log.info(
                "state_changed",
                position_id=position.position_id,
                symbol=position.symbol,
                before=before.state_name,
                state=position.state_name,
            )
        self.stir()

    # --- waiting -----------------------------------------------------------------------------------------------------

    def stir(self) -> None:
        """Wake whoever waits for news of this position."""
        self.on_change(self)
        self._news.set()
        self._news = trio.Event()

    async def news(self) -> None:
        """Return at the next decision, hit or settled order."""
        await self._news.wait()

    async def out_of(self, *states: type[object]) -> None:
        """Return once the position is in none of these states."""
        while isinstance(self.position.state, states):
            await self.news()

    # --- watching ----------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Watch the stop from now on; the prices since the fill come first, so that a late fill is no blind spot."""
        state = self.position.state
        if self._watch is not None or not isinstance(state, Active):
            return
        market, symbol = self.around.market, self.position.symbol
        self._watch = watch = Watch.of(self.position.side, state.trail)
        for tick in market.recent(symbol, since=self.around.heard_at(state.entry.filled_at)):
            if watch.trade_id is not None and tick.trade_id is not None and tick.trade_id <= watch.trade_id:
                continue  # already in the stored trail: an older price must not be held against a newer stop
            if watch.observe(tick.price, tick.trade_id):
                self._on_hit(tick)
                return
        self._attachment = market.attach(symbol, watch, self._on_hit)
        self.on_change(self)

    async def catch_up(self) -> None:
        """After a restart: the prices missed since the last written trade come first, in order, then live ones."""
        state = self.position.state
        if not isinstance(state, Active) or state.trail.trade_id is None:
            return
        watch = Watch.of(self.position.side, state.trail)
        symbol = self.position.symbol
        hit, after = await self.around.market.catch_up(symbol, watch, state.trail.trade_id + 1)
        # Nothing awaits from here to the attachment, so no price is missed and none is seen twice.
        if not isinstance(self.position.state, Active):
            return  # panic is obeyed during a recovery, too
        self._watch = watch
        if hit is not None:
            self._on_hit(hit)
        else:
            # Without news since the stored trail, prices up to it are still old: a tape may have begun again.
            seen = state.trail.trade_id if after is None else after
            self._attachment = self.around.market.attach(symbol, watch, self._on_hit, after=seen)

    def restart(self, position: Position) -> None:
        """Begin again from a stored position, after the monitor died."""
        self._unwatch()
        self._hit = None
        self.position = position
        self.stir()

    def _unwatch(self) -> None:
        if self._attachment is not None:
            self._attachment.detach()
        self._attachment = self._watch = None

    def _on_hit(self, tick: Tick) -> None:
        self._hit = tick
        self.stir()

    def take_hit(self) -> StopHit | None:
        """The hit that nobody has acted on yet, with the stop as it stood; None without one."""
        if self._hit is None or self._watch is None:
            return None
        hit, self._hit = self._hit, None
        return StopHit(
            price=hit.price,
            trailing_stop=self._watch.stop,
            extreme=self._watch.extreme,
            trade_id=hit.trade_id,
            crossed_at=hit.at,
            exit_terms=exit_terms(self.position, self.around),
        )

    @property
    def is_watched(self) -> bool:
        """Whether ticks are compared with the stop (or have just hit it) and a live task acts on the hit."""
        return self._watch is not None and self.alive
