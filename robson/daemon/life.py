"""The living side of one position: its watch, its news, and `feel`, through which every stimulus goes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

import structlog
import trio

from robson.daemon.exit_terms import exit_terms
from robson.daemon.gaps import tell_replayed
from robson.daemon.placing import hand_over, intent_of, stamp
from robson.daemon.surroundings import Surroundings
from robson.domain.position import Active, Position, Trail
from robson.domain.sequence import StoredReply
from robson.domain.stimuli import (
    DisarmRequested,
    ReleaseRequested,
    SignalArrived,
    SignalFailed,
    Stimulus,
    StopHit,
    StopMoved,
    StopTightened,
)
from robson.engine.decide import Decision, decide
from robson.engine.missed import Crossing, Seen
from robson.engine.trailing import Watch
from robson.feed.attachment import Attachment, Replayed
from robson.metrics import FRAME
from robson.ports import Commit, Fill, Intent, PairRecord
from robson.pulse import Pulse

_log = structlog.get_logger("robson.position")

# Far more than the stop moves between two looks of the charts.
_STOPS_KEPT = 256

# Without durability these may be refused; everything else protects, or tells what has already happened.
REFUSABLE = (SignalArrived, SignalFailed, DisarmRequested, ReleaseRequested, StopTightened)


class Life:
    """The living side of a position: its watch, its waits and its decisions.

    `feel` is synchronous from the stimulus to the durable record, so no other task can come in between.
    """

    def __init__(self, position: Position, around: Surroundings) -> None:
        self.position = position
        self.around = around
        self.detail: str | None = None
        self.refused_signals = 0
        # How often in a row the exit came no further.
        self.exit_failures = 0
        # When its stop was seen to be hit (steady, s), until the order goes out; from the frame on, each stage's end.
        self.hit_at: float | None = None
        self.stamps: list[float] = []
        self.alive = False
        # Whether its monitor still goes round, and since when (steady, s) it is at one step of its exit.
        self.pulse = Pulse(self._wake)
        self.exit_step_since: float | None = None
        # Its own interest in the symbol's prices: a neighbour's ends with the neighbour.
        self.is_subscribed = False
        self.on_change: Callable[[Life], None] = lambda _life: None
        self._watch: Watch | None = None
        self._attachment: Attachment | None = None
        self._hit: Crossing | None = None
        # Whether its own monitor acts on a hit; not while it is one of several that are decided together.
        self.acts_alone = True
        self.on_hit: Callable[[Life], None] = lambda _life: None
        self._news = trio.Event()
        # Where its stop was set since charts have looked, by the clock of the price source.
        self.stops: list[tuple[datetime, Decimal]] = []
        self._note_stop(None)

    def feel(
        self,
        stimulus: Stimulus | None,
        *,
        intents: tuple[Intent, ...] = (),
        fills: tuple[Fill, ...] = (),
        pairs: tuple[PairRecord, ...] = (),
        reply: Callable[[Decision], StoredReply | None] | None = None,
        already_sent: Mapping[str, datetime] | None = None,
        durable: bool = False,
    ) -> Decision:
        """Decide, write it durably, and only then act on it.

        Raises RuleError when the state forbids the request, or when an entry, or what must be `durable`, cannot be
        written. None as a stimulus writes the rest without deciding anything. Orders that are `already_sent` (by client
        order id, with the time) are resolved instead of sent.
        """
        now = self.around.clock.now()
        decision = decide(self.position, stimulus, now) if stimulus is not None else Decision(position=self.position)
        stamp(self.stamps, stimulus, self.around.clock)
        placed = tuple(intent_of(self.around, order, now, already_sent or {}) for order in decision.actions)
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
            self.around.record.write(commit, protective=not (durable or isinstance(stimulus, REFUSABLE)))
        stamp(self.stamps, stimulus, self.around.clock)
        hand_over(self.around.executor, placed, already_sent or {})
        self._become(decision.position)
        return decision

    def tighten(self, asked: StopTightened, reply: Callable[[Decision], StoredReply | None]) -> Decision:
        """Move the stop to where the operator wants it, durably; raises RuleError and leaves it where it was."""
        decision = self.feel(asked, reply=reply)
        if self._watch is not None and decision.facts:
            self._watch.tighten(asked.trailing_stop)
        return decision

    def moved(self) -> StopMoved | None:
        """The watch's present stop, None while nothing is watched."""
        if self._watch is None:
            return None
        seen = self.around.market.seen(self._attachment) if self._attachment is not None else None
        trade_id, seen_at = (seen.trade_id, seen.at) if seen is not None else (self._watch.trade_id, None)
        return StopMoved(
            trailing_stop=self._watch.stop,
            extreme=self._watch.extreme,
            trade_id=trade_id,
            seen_at=seen_at,
        )

    @property
    def trail(self) -> Trail | None:
        """The watch's present stop as a record, None while nothing is watched."""
        return self._watch.trail() if self._watch is not None else None

    def follow(self) -> Decision | None:
        """What the moved stop is worth, not yet written; None when there is nothing new."""
        moved, state = self.moved(), self.position.state
        if moved is None or not isinstance(state, Active) or moved.trailing_stop == state.trail.stop:
            return None
        decision = decide(self.position, moved, self.around.clock.now())
        return decision if decision.facts else None

    def take_over(self, decision: Decision, *, quietly: bool = False) -> None:
        """Make what was decided without `feel` the state, once it is written; whoever did it `quietly` stirs later."""
        self._become(decision.position, quietly=quietly)

    def _become(self, position: Position, *, quietly: bool = False) -> None:
        before, self.position = self.position, position
        self._note_stop(before.trail)
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
        if not quietly:
            self.stir()

    def _note_stop(self, before: Trail | None) -> None:
        trail, entry = self.position.trail, self.position.entry
        if trail is not None and entry is not None and (before is None or before.stop != trail.stop):
            self.stops.append((trail.seen_at or entry.filled_at, trail.stop))
            del self.stops[:-_STOPS_KEPT]

    # --- waiting -----------------------------------------------------------------------------------------------------

    def stir(self) -> None:
        """Wake whoever waits for news of this position."""
        self.on_change(self)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def news(self) -> None:
        """Return at the next decision, hit or settled order."""
        await self._news.wait()

    async def out_of(self, *states: type[object]) -> None:
        """Return once the position is in none of these states."""
        while isinstance(self.position.state, states):
            await self.news()

    async def listed(self) -> None:
        """Return once it is known which exits of this position ever went out."""
        while self.position.position_id in self.around.unlisted:
            self.detail = "its exit waits until it is known what went out while the journal could not be written"
            await self.news()
            self.detail = None

    # --- watching ----------------------------------------------------------------------------------------------------

    def watch(self) -> None:
        """Watch the stop from now on; the prices since the last one taken into account come first, in order.

        After a fill that is the fill itself, however late it was learnt; after a restart, the last trade in the
        journal. What is not kept here is read from the source, and until then ticks may hit the stop, not move it.
        """
        state, market = self.position.state, self.around.market
        if self._watch is not None or not isinstance(state, Active) or not self.is_subscribed:
            return
        trail = state.trail
        self._watch = Watch.of(self.position.side, trail)
        seen = Seen(trade_id=trail.trade_id, at=trail.seen_at or state.entry.filled_at)
        self._attachment = market.attach(
            self.position.symbol,
            self._watch,
            self._on_hit,
            seen=seen,
            on_behind=self.stir,
            on_replayed=self._on_replayed,
            owner=self.position.position_id,
        )

    async def catch_up(self) -> None:
        """After a restart: return once the stop is rebuilt and watched, or there is none any more."""
        self.watch()
        while self.is_behind:
            await self.news()

    @property
    def is_behind(self) -> bool:
        """Whether prices that the stop has missed are still being read."""
        return self._attachment is not None and self._attachment.is_behind

    @property
    def trouble(self) -> str | None:
        """Why missed prices have not been read yet; None where nothing is wrong."""
        if self._attachment is None or not self._attachment.is_behind or self._attachment.trouble is None:
            return None
        return f"prices that its stop has missed were not read yet: {self._attachment.trouble}"

    def _on_replayed(self, replayed: Replayed) -> None:
        tell_replayed(self.position, replayed, self.around)
        self.stir()

    def restart(self, position: Position) -> None:
        """Begin again from a stored position, after the monitor died."""
        self._unwatch()
        self._hit = None
        self.acts_alone = True
        self.position = position
        self.stir()

    def _unwatch(self) -> None:
        if self._attachment is not None:
            self._attachment.detach()
        self._attachment = self._watch = None

    def _on_hit(self, crossing: Crossing) -> None:
        self._hit = crossing
        self.hit_at = self.around.clock.monotonic()
        self.stamps = [*FRAME.stamps, self.hit_at] if FRAME.stamps else []
        self.on_hit(self)
        self.stir()

    @property
    def is_hit(self) -> bool:
        """Whether its stop was hit and nobody has acted on that yet."""
        return self._hit is not None and isinstance(self.position.state, Active)

    def take_hit(self) -> StopHit | None:
        """The hit that this one's own monitor is to act on now, with the stop as it stood; None without one."""
        if self._hit is None or not self.acts_alone:
            return None
        hit = self.hit_stimulus()
        self._hit = None
        return hit

    def hit_stimulus(self) -> StopHit:
        """The same for whoever decides before its monitor is awake; it stays until that has been decided."""
        hit = self._hit
        assert hit is not None
        return StopHit(
            price=hit.price,
            trailing_stop=hit.trailing_stop,
            extreme=hit.extreme,
            trade_id=hit.trade_id,
            crossed_at=hit.at,
            candle_seconds=hit.candle_seconds,
            exit_terms=exit_terms(self.position, self.around),
        )

    @property
    def is_watched(self) -> bool:
        """Whether the stop is rebuilt, compared with ticks (or just hit), and a live task acts on a hit."""
        return self._watch is not None and not self.is_behind and self.alive
