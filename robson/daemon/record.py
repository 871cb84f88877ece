"""The journal as the daemon uses it: durable first, and still protective when the disk is gone."""

from collections.abc import Iterable, Sequence

import structlog
import trio

from robson.domain.errors import JournalUnwritable, RuleError
from robson.domain.events import Fact, Notice
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import ClientOrderId
from robson.ports import Clock, Commit, Intent, Journal, PairRecord, Recovery

RETRY_SECONDS = 1.0

_log = structlog.get_logger("robson.journal")


class Record:
    """Writes decisions, remembers what is open, and tells readers when there is something new.

    While the journal cannot be written, protective decisions (exits, the latch) go on in memory and are written, in
    their order, when the disk returns; everything else is refused.
    """

    def __init__(self, journal: Journal, recovery: Recovery, clock: Clock) -> None:
        self.journal = journal
        self.recovery = recovery
        self.epoch = recovery.epoch
        self.latched = recovery.latched
        self.degraded: str | None = None
        self.last_seq = recovery.last_seq
        self._clock = clock
        self._intents: dict[ClientOrderId, Intent] = {
            intent.order.client_order_id: intent for intent in recovery.intents
        }
        self._pairs = {pair.symbol: pair for pair in recovery.pairs}
        self._unwritten_trades: set[tuple[str, int]] = set()
        self._backlog: list[Commit] = []
        self._news = trio.Event()
        self._trouble = trio.Event()

    # --- writing -----------------------------------------------------------------------------------------------------

    def write(self, commit: Commit, *, protective: bool = False) -> None:
        """Write one decision before anything acts on it.

        Raises RuleError (`journal_unwritable`, retryable) when it is not durable; a protective one is kept in memory
        instead.
        """
        try:
            self._drain()
            rows = self.journal.commit(commit)
        except JournalUnwritable as error:
            self._degrade(str(error))
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

    def ratchet(self, facts: Sequence[Fact]) -> bool:
        """Write moved stops cheaply; False when the disk refused (the next flush brings the newest stop anyway)."""
        try:
            # A stop may belong to an entry whose fill the journal has yet to learn.
            self._drain()
            rows = self.journal.ratchet(facts)
        except JournalUnwritable as error:
            self._degrade(str(error))
            return False
        self._announce(rows)
        return True

    def keep(self, intent: Intent) -> bool:
        """Write a changed intent durably; False when the disk refused (it is then remembered in memory)."""
        commit = Commit(intents=(intent,))
        if self.degraded is None:
            try:
                self.write(commit)
            except RuleError:
                pass
            else:
                return True
        self._take_over(commit)
        return False

    def notice(self, notice: Notice) -> None:
        """Write a notice; it is dropped when the disk refuses, the log still has it."""
        _log.info(notice.type, position_id=notice.position_id, **{k: v for k, v in notice.data.items() if k != "event"})
        try:
            self.write(Commit(notices=(notice,)))
        except RuleError:
            _log.warning("notice_not_written", notice=notice.type)

    def start_degraded(self, reason: str) -> None:
        """Begin with a journal that can only be read: exits go on, everything else waits for the disk."""
        self._degrade(reason)

    async def mend(self) -> None:
        """While degraded, try the disk again until it takes what was kept in memory."""
        while True:
            await self._trouble.wait()
            await trio.sleep(RETRY_SECONDS)
            try:
                self._drain()
                since, self.degraded = self.degraded, None
                rows = self.journal.commit(
                    Commit(
                        notices=(
                            Notice(type="journal_recovered", at=self._clock.now(), data={"was": since or "unknown"}),
                        ),
                        intents=tuple(self._intents.values()),
                        latch=self.latched,
                    )
                )
            except JournalUnwritable as error:
                self._degrade(str(error))
                continue
            self._trouble = trio.Event()
            self._announce(rows)

    def _drain(self) -> None:
        while self._backlog:
            self._announce(self.journal.commit(self._backlog[0]))
            del self._backlog[0]

    def _degrade(self, reason: str) -> None:
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
        for pair in commit.pairs:
            self._pairs[pair.symbol] = pair
        for intent in commit.intents:
            if intent.is_open:
                self._intents[intent.order.client_order_id] = intent
            else:
                self._intents.pop(intent.order.client_order_id, None)

    # --- reading -----------------------------------------------------------------------------------------------------

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
        return tuple(i for i in self._intents.values() if i.order.position_id == position_id)

    def knows_trade(self, symbol: str, trade_id: int) -> bool:
        """Whether this execution is accounted to an order of ours already."""
        return (symbol, trade_id) in self._unwritten_trades or self.journal.has_fill(symbol, trade_id)

    def pair(self, symbol: str) -> PairRecord | None:
        """What is remembered of a pair."""
        return self._pairs.get(symbol)

    async def wait_events(self, after_seq: int) -> None:
        """Return once a row with a higher seq is committed."""
        while self.last_seq <= after_seq:
            await self._news.wait()

    def _announce(self, rows: Sequence[Recorded]) -> None:
        if rows:
            self.last_seq = rows[-1].seq
            self._news.set()
            self._news = trio.Event()
