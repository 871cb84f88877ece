"""The journal as the daemon uses it: durable first, and still protective when the disk is gone."""

from collections import Counter
from collections.abc import Iterable, Sequence

import structlog
import trio

from robson.daemon.backlog import keep_notice
from robson.daemon.slowness import Slowness
from robson.domain.errors import JournalUnusable, JournalUnwritable, RuleError
from robson.domain.events import Fact, Notice, TrailingStopUpdated
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import ClientOrderId, PositionId
from robson.metrics import COMMIT_SECONDS, Distribution
from robson.ports import Clock, Commit, Intent, Journal, PairRecord, Recovery, Seal
from robson.ports.journal import Twin

RETRY_SECONDS = 1.0
# How soon a journal that was deleted or replaced is noticed although nothing is written.
UPKEEP_SECONDS = 2.0

# Notices that somebody should look at.
ALARMS = frozenset({"order_in_doubt", "exit_refused", "exit_failing", "drift_found", "unprotected"})

_log = structlog.get_logger("robson.journal")


class Record:
    """Writes decisions, remembers what is open, and tells readers when there is something new.

    While the journal cannot be written, protective decisions (exits, the latch) go on in memory and are written, in
    their order, when the disk returns; everything else is refused.
    """

    def __init__(self, journal: Journal, recovery: Recovery, clock: Clock, seal: Seal) -> None:
        self.journal = journal
        self.recovery = recovery
        self.epoch = recovery.epoch
        self.latched = recovery.latched
        self.paused = recovery.paused
        self.degraded: str | None = None
        self._upkeep_remark: str | None = None
        self._slowness = Slowness()
        # Of this run: rows of the sequence by type, and how long each decision took to be durable (s).
        self.rows: Counter[str] = Counter()
        self.commits = Distribution(COMMIT_SECONDS)
        self.twin: Twin | None = None
        self.last_seq = recovery.last_seq
        self._clock = clock
        self._intents: dict[ClientOrderId, Intent] = {}
        self._intents_of: dict[PositionId, dict[ClientOrderId, Intent]] = {}
        self._take_over(Commit(intents=recovery.intents))
        self._pairs = {pair.symbol: pair for pair in recovery.pairs}
        self._unwritten_trades: set[tuple[str, int]] = set()
        self._backlog: list[Commit] = []
        self._news = trio.Event()
        self._trouble = trio.Event()
        self._seal = seal
        # Whether every order that earlier runs sent is known; if not, exits may have gone out unwritten.
        self.is_complete = seal.is_whole(recovery.epoch - 1)
        self._reseal()

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self, commit: Commit, *, protective: bool = False) -> None:
        """Write one decision before anything acts on it.

        Raises RuleError (`journal_unwritable`, retryable) when it is not durable; a protective one is kept in memory
        instead.
        """
        try:
            self._drain()
            rows = self._commit(commit)
        except JournalUnwritable as error:
            self.degrade(str(error))
            if not protective:
                raise RuleError(
                    "journal_unwritable",
                    f"nothing was done, because the journal could not be written: {error}",
                    hint="exits go on; see `robsonctl health`",
                    retryable=True,
                ) from error
            self._backlog.append(commit)
            self._unwritten_trades.update((fill.symbol, fill.trade.trade_id) for fill in commit.fills)
            rows = ()
        self._take_over(commit)
        self._announce(rows)

    def _commit(self, commit: Commit) -> tuple[Recorded, ...]:
        began = self._clock.monotonic()
        rows = self.journal.commit(commit)
        ended = self._clock.monotonic()
        self._slowness.note(began, ended)
        self.commits.note(ended - began)
        return rows

    def ratchet(self, facts: Sequence[Fact], positions: Sequence[Position]) -> bool:
        """Write moved stops cheaply, or durably where no trade id tells from where on they could be rebuilt.

        False when the disk refused (the next flush brings the newest stop anyway). `positions` are the states after.
        """
        try:
            # A stop may belong to an entry whose fill the journal has yet to learn.
            self._drain()
            if any(isinstance(fact.event, TrailingStopUpdated) and fact.event.trade_id is None for fact in facts):
                rows = self.journal.commit(Commit(facts=tuple(facts), positions=tuple(positions)))
            else:
                rows = self.journal.ratchet(facts)
        except JournalUnwritable as error:
            self.degrade(str(error))
            return False
        self._announce(rows)
        return True

    def keep(self, *intents: Intent) -> bool:
        """Write changed intents durably, in one commit; False when the disk refused (they are then in memory)."""
        commit = Commit(intents=intents)
        if self.degraded is None:
            try:
                self.write(commit)
            except RuleError:
                pass
            else:
                return True
        self._take_over(commit)
        return False

    def notice(self, *notices: Notice) -> None:
        """Write notices, in their turn when the disk takes them again; beyond a limit they are in the log alone."""
        for notice in notices:
            told = {key: value for key, value in notice.data.items() if key != "event"}
            (_log.warning if notice.type in ALARMS else _log.info)(notice.type, position_id=notice.position_id, **told)
        try:
            self.write(Commit(notices=notices))
        except RuleError:
            for notice in (one for one in notices if not keep_notice(self._backlog, one)):
                _log.warning("notice_not_written", notice=notice.type)

    def start_degraded(self, reason: str) -> None:
        """Begin with a journal that can only be read: exits go on, everything else waits for the disk."""
        self.degrade(reason)

    async def mend(self) -> None:
        """While degraded, try the disk again until it takes what was kept in memory."""
        while True:
            await self._trouble.wait()
            await trio.sleep(RETRY_SECONDS)
            try:
                self.journal.reopen()
                self._drain()
                told = {"was": self.degraded or "unknown"}
                rows = self.journal.commit(
                    Commit(
                        notices=(Notice(type="journal_recovered", at=self._clock.now(), data=told),),
                        intents=tuple(self._intents.values()),
                        latch=self.latched,
                    )
                )
            except JournalUnwritable as error:
                self.degrade(str(error))
                continue
            self.degraded = None
            self._trouble = trio.Event()
            _log.warning("journal_recovered", **told)
            self._announce(rows)
            self._reseal()

    def completed(self) -> None:
        """Say that what earlier runs sent unwritten was found and written."""
        self.is_complete = True
        self._reseal()

    def _reseal(self) -> None:
        if self.is_complete and self.degraded is None:
            self._seal.apply(self.epoch)
        else:
            self._seal.tear()

    async def look_after(self) -> None:
        """See every few seconds whether the journal is still there and ours, and keep its log short."""
        while True:
            if self.degraded is None:
                self._look_for_twin()
            await trio.sleep(UPKEEP_SECONDS)
            if self.degraded is not None:
                continue
            try:
                remark = self.journal.upkeep()
            except JournalUnwritable as error:
                self.degrade(str(error))
                continue
            if remark is not None and self._upkeep_remark is None:
                _log.warning("journal_remark", remark=remark)
            self._upkeep_remark = remark
            self._slowness.forget(self._clock.monotonic())

    @property
    def remark(self) -> str | None:
        """What an operator should know of a journal that works; None when there is nothing."""
        return self._slowness.remark or self._upkeep_remark

    def _look_for_twin(self) -> None:
        """Tell of a copy of the journal that is or may be in use, once."""
        try:
            before, self.twin = self.twin, self.journal.twin()
        except JournalUnusable as error:
            self.degrade(str(error))
            return
        if (twin := self.twin) is not None and (before is None or before.told != twin.told):
            _log.error("journal_copied", told=twin.told)
            found = {"place": twin.place, "host": twin.host, "in_use": twin.in_use, "why": twin.told}
            self.notice(Notice(type="journal_copied", at=self._clock.now(), data=found))

    def _drain(self) -> None:
        while self._backlog:
            self._announce(self.journal.commit(self._backlog[0]))
            del self._backlog[0]

    def degrade(self, reason: str) -> None:
        """From now on exits only, until a write succeeds; told once."""
        # Before anything that was not written is acted on.
        self._seal.tear()
        if self.degraded is None:
            _log.error("journal_degraded", reason=reason)
            self._backlog.append(
                Commit(notices=(Notice(type="journal_degraded", at=self._clock.now(), data={"reason": reason}),))
            )
        self.degraded = reason
        self._trouble.set()

    def _take_over(self, commit: Commit) -> None:
        if commit.latch is not None:
            self.latched = commit.latch
        if commit.pause is not None:
            self.paused = commit.pause
        for pair in commit.pairs:
            self._pairs[pair.symbol] = pair
        for intent in commit.intents:
            order_id, owner = intent.order.client_order_id, intent.order.position_id
            if intent.is_open:
                self._intents[order_id] = self._intents_of.setdefault(owner, {})[order_id] = intent
            else:
                self._intents.pop(order_id, None)
                self._intents_of.get(owner, {}).pop(order_id, None)
                if not self._intents_of.get(owner):
                    self._intents_of.pop(owner, None)

    def unwritten(self, position_id: str) -> Position | None:
        """One position as it was last decided while the disk refused; None when the journal knows it all."""
        for commit in reversed(self._backlog):
            for position in commit.positions:
                if position.position_id == position_id:
                    return position
        return None

    def open_intents(self) -> Iterable[Intent]:
        """Every intent that still needs work, oldest first."""
        return tuple(self._intents.values())

    def intents_of(self, position_id: str) -> tuple[Intent, ...]:
        """The open intents of one position."""
        return tuple(self._intents_of.get(PositionId(position_id), {}).values())

    def knows_trade(self, symbol: str, trade_id: int) -> bool:
        """Whether this execution is accounted to an order of ours already; False where the disk cannot say."""
        if (symbol, trade_id) in self._unwritten_trades:
            return True
        try:
            return self.journal.has_fill(symbol, trade_id)
        except JournalUnusable as error:
            # A trade without an owner keeps an order in doubt, which delays and never doubles anything.
            self.degrade(str(error))
            return False

    def pair(self, symbol: str) -> PairRecord | None:
        """What is remembered of a pair."""
        return self._pairs.get(symbol)

    async def wait_events(self, after_seq: int) -> None:
        """Return once a row with a higher seq is committed."""
        while self.last_seq <= after_seq:
            await self._news.wait()

    async def wait_trouble(self) -> None:
        """Return once the journal cannot be written; at once while it cannot."""
        await self._trouble.wait()

    async def wait_mended(self) -> None:
        """Return once it can be written again; at once while it can."""
        while self.degraded is not None:
            await self._news.wait()

    def _announce(self, rows: Sequence[Recorded]) -> None:
        if rows:
            self.rows.update(row.type for row in rows)
            self.last_seq = rows[-1].seq
            self._news.set()
            self._news = trio.Event()
