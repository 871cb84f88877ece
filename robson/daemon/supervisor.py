"""Every position's owner: arming, recovery, and a guarded nursery each."""

from collections.abc import Callable
from decimal import Decimal

import structlog
import trio

from robson.daemon import course
from robson.daemon.archiving import archive_oldest
from robson.daemon.book import OrderBook
from robson.daemon.charts import Charts
from robson.daemon.drift import DriftWatch
from robson.daemon.filters import keep_filters
from robson.daemon.life import Life
from robson.daemon.loans import repay_strays
from robson.daemon.panicking import ask_all_to_leave, ask_to_leave, exit_request
from robson.daemon.ratchets import Ratchets
from robson.daemon.recovery import prepare, tell_protected
from robson.daemon.surroundings import Surroundings, weighs_on_pair
from robson.daemon.unwritten import find_unwritten, remember_unlisted
from robson.daemon.vigil import Vigil
from robson.daemon.volley import Volley
from robson.domain.errors import JournalUnusable, Rejected, RuleError, VenueError
from robson.domain.events import Fact, Notice, PositionArmed
from robson.domain.position import Position
from robson.domain.sequence import StoredReply
from robson.domain.stimuli import FaultFound
from robson.domain.values import ExitReason, PositionId, Side
from robson.engine.evolve import evolve
from robson.ports import Commit, Recovery

POSITIONS_MAX = 10_000
MONITOR_DEATHS_MAX = 3
MONITOR_DEATHS_WINDOW_SECONDS = 60.0

_log = structlog.get_logger("robson.supervisor")


class Supervisor:
    """Owns all lives."""

    def __init__(self, around: Surroundings, *, keep_events: int = 0) -> None:
        self.around = around
        self.lives: dict[str, Life] = {}
        around.lives = self.lives
        self.recovered = trio.Event()
        self.vigil = Vigil(around)
        self.keep_events = keep_events
        self.charts = Charts(around, self.lives)
        self.ratchets = Ratchets(around, self.lives)
        self.volley = Volley(around)
        around.market.on_told = self.volley.act
        self.drift = DriftWatch(around, self._repay_strays)
        around.explain = self.drift.explain
        self.book = OrderBook(around, self.lives, self._repay_strays)
        self._nursery: trio.Nursery | None = None
        self._repaying: set[str] = set()
        self._repaid = trio.Event()
        self._unrecovered = 0
        # Real seconds from the start of the process until every stop was rebuilt and watched; None until then.
        self.protected_after: float | None = None

    # --- loans without a position -------------------------------------------------------------------------------------

    def _repay_strays(self, symbol: str) -> None:
        """See to it that no loan stays behind that no position accounts for; once per pair at a time."""
        if symbol not in self._repaying and self._nursery is not None:
            self._repaying.add(symbol)
            self._nursery.start_soon(self._repay_guarded, symbol)

    async def loans_repaid(self) -> None:
        """Return once no pair is looked through for loans that no position accounts for."""
        while self._repaying:
            await self._repaid.wait()

    async def _repay_guarded(self, symbol: str) -> None:
        try:
            await repay_strays(symbol, self.around)
        except Exception:  # noqa: BLE001  the bar on entries stays: the account is read before each
            _log.exception("repayment_failed", symbol=symbol)
        finally:
            self._repaying.discard(symbol)
            self._repaid.set()
            self._repaid = trio.Event()

    # --- positions ---------------------------------------------------------------------------------------------------

    async def arm(
        self,
        *,
        symbol: str,
        side: Side,
        strategy: str,
        capital: Decimal,
        risk_percent: Decimal,
        params: dict[str, str],
        reply: Callable[[PositionId], StoredReply | None],
    ) -> Life:
        """Arm a position: everything that can be checked is checked before it exists."""
        around = self.around
        assert self._nursery is not None, "armed before the supervisor ran"
        self.refuse_arming()
        filled = around.strategies.validate(strategy, params)
        try:
            await around.instrument(symbol)
            await around.pair_terms(symbol)
        except Rejected:
            raise  # its own words say more
        except VenueError as error:
            raise RuleError("venue_unreachable", f"{symbol} was not read: {error}", retryable=True) from error
        await around.market.subscribe(symbol)
        position_id = PositionId(around.new_id())
        armed = PositionArmed(
            symbol=symbol,
            side=side,
            strategy=strategy,
            capital=capital,
            risk_percent=risk_percent,
            params=filled,
        )
        fact = Fact(position_id=position_id, at=around.clock.now(), event=armed)
        position = evolve(None, fact)
        try:
            self.refuse_arming()  # once more: the latch may have been set while the venue was asked
            around.record.write(Commit(facts=(fact,), positions=(position,), reply=reply(position_id)))
        except RuleError:
            with trio.CancelScope(shield=True):
                await around.market.release(symbol)
            raise
        return self.begin(position)

    def begin(self, position: Position) -> Life:
        """Look after a new position that is in the journal and whose symbol is subscribed."""
        assert self._nursery is not None, "begun before the supervisor ran"
        life = self._adopt(position)
        self._nursery.start_soon(self._guarded, life)
        return life

    def refuse_arming(self) -> None:
        """Raise RuleError when no new position may begin now."""
        record = self.around.record
        if record.latched:
            raise RuleError("panic_latched", "the panic latch is set", hint="`robsonctl resume` releases it")
        if record.degraded is not None:
            raise RuleError("degraded", f"nothing is armed while degraded: {record.degraded}", retryable=True)
        if len(self.lives) >= POSITIONS_MAX:
            raise RuleError(
                "too_many_positions", f"{POSITIONS_MAX} positions were open, which is the most there can be"
            )

    def adopt_recovered(self, recovery: Recovery) -> None:
        """Take over what the journal holds; called once, before `run`."""
        for position in recovery.positions:
            self._adopt(position, recovered=True)
            if weighs_on_pair(position):
                # When it last traded is not worth asking: the account may lag now.
                self.around.filled_at[position.symbol] = self.around.clock.monotonic()
        self._unrecovered = len(recovery.positions)
        remember_unlisted(self.around)
        for life in self.lives.values():
            self.vigil.review(life)  # nobody watches it yet, and its exit may have to wait for that look

    def _adopt(self, position: Position, *, recovered: bool = False) -> Life:
        life = Life(position, self.around)
        life.is_subscribed = not recovered
        life.on_hit = self.volley.note
        self.vigil.begin(life, recovered=recovered)
        self.lives[position.position_id] = life
        return life

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep every position alive until cancelled; what is open stays open in the journal."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.vigil.tell_together, self.recovered)
            nursery.start_soon(self.ratchets.run)
            nursery.start_soon(self.volley.run)
            nursery.start_soon(self.around.record.mend)
            nursery.start_soon(self.around.market.make_up)
            nursery.start_soon(self.around.record.look_after)
            nursery.start_soon(self.charts.run)
            nursery.start_soon(keep_filters, self.around)
            nursery.start_soon(archive_oldest, self.around.record, self.keep_events)
            nursery.start_soon(self.drift.run, self.recovered)
            nursery.start_soon(self.around.market.watch_staleness, self.vigil.freshness_changed)
            for life in list(self.lives.values()):
                nursery.start_soon(self._recover, life)
            if self.around.unlisted:
                nursery.start_soon(find_unwritten, list(self.lives.values()), self.around)
            for pair in self.around.record.recovery.pairs:
                self._repay_strays(pair.symbol)
            if not self._unrecovered:
                self._end_recovery()
            task_status.started()

    async def _recover(self, life: Life) -> None:
        await prepare(life)
        if self.around.record.latched:
            ask_to_leave(life)  # a panic that a crash interrupted is finished, with prices or without
        await life.catch_up()
        self._unrecovered -= 1
        if self._unrecovered == 0:
            self._end_recovery()
        await self._guarded(life)

    def _end_recovery(self) -> None:
        """Every stop is rebuilt and watched: say how long that took."""
        self.protected_after = tell_protected(self.around)
        self.recovered.set()

    async def _guarded(self, life: Life) -> None:
        """Run one life; its faults stay here. Too many deaths in a minute need a person."""
        # A list, as are a life's stops: an empty deque takes 700 bytes, and there is one for each position.
        deaths: list[float] = []
        while True:
            try:
                await course.run(life)
                break
            except Exception as error:  # noqa: BLE001  a fault in one position never touches another
                now = self.around.clock.monotonic()
                deaths.append(now)
                while deaths[0] < now - MONITOR_DEATHS_WINDOW_SECONDS:
                    deaths.pop(0)
                _log.exception("monitor_died", position_id=life.position.position_id, deaths=len(deaths))
                if len(deaths) > MONITOR_DEATHS_MAX:
                    deaths.clear()
                    message = f"its monitor died {MONITOR_DEATHS_MAX + 1} times in a minute, at last with {error!r}"
                    life.feel(FaultFound(code="monitor_died", message=message[:500], recoverable=True))
                life.restart(self._as_written(life))
        self.vigil.end(life)
        self.charts.end(life)
        del self.lives[life.position.position_id]
        await self.around.market.release(life.position.symbol)

    def _as_written(self, life: Life) -> Position:
        """The position as the journal has it; as memory has it while the journal cannot be trusted to be complete."""
        record = self.around.record
        if record.degraded is not None:
            return life.position
        try:
            return record.journal.position(life.position.position_id) or life.position
        except JournalUnusable as error:
            _log.error("journal_unreadable", position_id=life.position.position_id, error=str(error))
            return life.position

    # --- the operator's exits ----------------------------------------------------------------------------------------

    def request_exit(self, life: Life, reason: ExitReason) -> None:
        """Begin or join the one exit of a position; raises RuleError when its state has none."""
        life.feel(exit_request(life, reason))

    def latch(self) -> None:
        """From now on nothing enters; in memory when the disk is gone. Positions are asked to leave as they recover."""
        record = self.around.record
        if not record.latched:
            latched = Notice(type="panic_latched", at=self.around.clock.now())
            record.write(Commit(latch=True, notices=(latched,)), protective=True)

    def panic(self) -> list[tuple[Life, RuleError | None]]:
        """Latch first; then let every open position leave, by capital at risk and many in one commit."""
        self.latch()
        lives = list(self.lives.values())
        asked = ask_all_to_leave(lives, self.volley)
        return [(life, asked[life.position.position_id]) for life in lives]

    # --- moved stops -------------------------------------------------------------------------------------------------

    def flush_stops(self) -> None:
        """Write every stop that moved since the last flush."""
        self.ratchets.flush()

    def flush(self) -> None:
        """Write whatever waits for others to be written with: at the end there are none."""
        self.vigil.tell()
        self.flush_stops()
        self.charts.flush()
