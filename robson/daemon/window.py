"""What every reading command gives: state, health, positions, plans, and the journal's sequence."""

import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import trio

from robson.daemon.foresight import foresee_panic
from robson.daemon.lookout import Lookout
from robson.daemon.orders import orders_of
from robson.daemon.planning import read_basis
from robson.daemon.readings import health_checks, journal_result, price_lines
from robson.daemon.reasons import Reasons
from robson.daemon.supervisor import Supervisor
from robson.daemon.telling import notifications_check, notify_status, notify_test
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import PositionId
from robson.drawing.subject import chart_of
from robson.engine.sizing import size
from robson.ports import Commit
from robson.protocol import PROTOCOL_VERSION, charting, oversight, telling
from robson.protocol import oversight_results as told
from robson.protocol import requests as ask
from robson.protocol import results as give
from robson.protocol.operations import Caller, Follower, Ticket
from robson.protocol.panic_results import PanicPreviewResult

if TYPE_CHECKING:
    from robson.notify.notifier import Notifier

_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """What the daemon says of itself, and its defaults for arming (quote and percent)."""

    version: str
    mode: give.Mode
    capital: Decimal
    risk_percent: Decimal


class Window(Lookout):
    """The reading half of `protocol.operations.Operations`, over one supervisor."""

    def __init__(self, supervisor: Supervisor, identity: Identity) -> None:
        super().__init__(supervisor)
        self._identity = identity
        self.followers: set[Follower] = set()
        self._drawing = trio.Lock()
        # None where no channel is set up.
        self.notifier: Notifier | None = None

    # --- reading -----------------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """What the daemon says of itself."""
        return self._identity

    def set_defaults(self, capital: Decimal, risk_percent: Decimal) -> None:
        """What arming takes from now on where a request does not say (quote, percent)."""
        self._identity = replace(self._identity, capital=capital, risk_percent=risk_percent)

    def state(self) -> give.DaemonState:
        """recovering until every stop is watched; degraded while a feed, the venue or the journal is out of reach."""
        if not self._supervisor.recovered.is_set():
            return "recovering"
        around = self._around
        if around.record.degraded is not None or not around.executor.reachable:
            return "degraded"
        return "degraded" if any(feed.stale for feed in around.market.states().values()) else "live"

    async def hello(self, request: ask.HelloRequest, caller: Caller) -> give.HelloResult:
        """Which daemon this is."""
        return give.HelloResult(
            protocol=PROTOCOL_VERSION,
            version=self._identity.version,
            mode=self._identity.mode,
            state=self.state(),
            paused=self._around.record.paused,
        )

    async def version(self, request: oversight.VersionRequest, caller: Caller) -> give.VersionResult:
        """What runs."""
        return give.VersionResult(
            version=self._identity.version,
            protocol=PROTOCOL_VERSION,
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
        )

    async def health(self, request: ask.HealthRequest, caller: Caller) -> give.HealthResult:
        """Whether it lives and is ready, check by check."""
        checks = health_checks(self._supervisor)
        if self.notifier is not None:
            checks["notifications"] = notifications_check(self.notifier)
        return give.HealthResult(live=True, ready=all(check.ok for check in checks.values()), checks=checks)

    async def status(self, request: ask.StatusRequest, caller: Caller) -> give.StatusResult:
        """The positions and feeds; RuleError `unknown_position`."""
        around, after = self._around, self._supervisor.protected_after
        if request.position_id is not None:
            views = [self._view(self._find(request.position_id))]
        else:
            views = await self._views(closed=request.all)
        return give.StatusResult(
            mode=self._identity.mode,
            state=self.state(),
            panic_latched=around.record.latched,
            feed={
                symbol: give.FeedView(
                    age_seconds=round(feed.age_seconds, 3),
                    last_price=feed.last_price,
                    stale=feed.stale,
                )
                for symbol, feed in around.market.states().items()
            },
            unprotected_seconds=round(sum(view.unprotected_seconds for view in views), 3),
            time_to_protected_seconds=round(after, 3) if after is not None else None,
            positions=tuple(views),
            paused=around.record.paused,
        )

    async def panic_preview(self, request: ask.PanicPreviewRequest, caller: Caller) -> PanicPreviewResult:
        """What panic would do now; within two seconds and a little."""
        open_ = [life.position for life in self._supervisor.lives.values()]
        return await foresee_panic(open_, self._around, self._identity.mode)

    async def show(self, request: oversight.ShowRequest, caller: Caller) -> told.ShowResult:
        """One position and its orders; its events are added on the way out. RuleError `unknown_position`."""
        position = self._find(request.position_id)
        orders = orders_of(position.position_id, self._around.record)
        view = msgspec.structs.asdict(self._view(position))
        return told.ShowResult(**view, orders=orders, oldest_seq=self.oldest_seq(), next_seq=None)

    async def why(self, request: oversight.WhyRequest, caller: Caller) -> told.WhyResult:
        """The chain from a price to a fill; RuleError `unknown_position`."""
        position_id = self._find(request.position_id).position_id
        reasons, next_seq = Reasons(), 1
        while rows := self.read_events(from_seq=next_seq, limit=_ROWS_AT_ONCE, position_id=position_id):
            for row in rows:
                reasons.take(row)
            next_seq = rows[-1].seq + 1
            await trio.lowlevel.checkpoint()
        # Found again: it may have gone on while its rows were read.
        orders = orders_of(position_id, self._around.record)
        return reasons.explain(self._find(position_id), orders, self._supervisor.book.stages_of(position_id))

    async def chart(self, request: charting.ChartRequest, caller: Caller) -> charting.ChartResult:
        """What draws a position; RuleError `unknown_position`."""
        # One at a time, in two steps: however many ask, whatever watches stops waits a few milliseconds at most.
        async with self._drawing:
            position = self._find(request.position_id)
            strip = self._supervisor.charts.samples(position.position_id)
            await trio.lowlevel.checkpoint()
            instrument = self._around.instruments.get(position.symbol)
            tick_size = instrument.tick_size if instrument is not None else None
            return chart_of(position, strip, tick_size=tick_size, points=request.points)

    async def journal(self, request: oversight.JournalRequest, caller: Caller) -> told.JournalResult:
        """What the journal holds."""
        record = self._around.record
        return journal_result(record.journal.measure(), writable=record.degraded is None, epoch=record.epoch)

    async def notify_test(
        self, request: telling.NotifyTestRequest, caller: Caller, ticket: Ticket | None
    ) -> telling.NotifyTestResult:
        """One attempt on each channel of notifications."""
        return await notify_test(self.notifier)

    async def notify_status(self, request: telling.NotifyStatusRequest, caller: Caller) -> telling.NotifyStatusResult:
        """Every channel of notifications as it is now."""
        return notify_status(self.notifier)

    def price_lines(self) -> Sequence[give.PriceLine]:
        """The newest price of each streamed symbol that has one."""
        return price_lines(self._around)

    async def plan(self, request: ask.PlanRequest, caller: Caller) -> give.PlanResult:
        """What a signal would order; the same arithmetic as the real thing, on the account as it stands.

        Where the venue does not answer it is made from what is known, and its notes say so.
        """
        around, symbol = self._around, request.symbol
        capital = self._identity.capital if request.capital_decimal is None else request.capital_decimal
        risk = self._identity.risk_percent if request.risk_percent_decimal is None else request.risk_percent_decimal
        basis = await read_basis(around, symbol, request.side, capital)
        sized = size(
            request.side,
            capital,
            risk,
            request.entry_price_decimal,
            request.stop_price_decimal,
            instrument=basis.instrument,
            terms=basis.terms,
            account=basis.account,
            credit=basis.credit,
            last_price=basis.last_price,
            other_stops=[n.stop for n in around.neighbours(symbol, but="") if n.stop and n.side is request.side],
        )
        return give.PlanResult(
            quantity=sized.quantity,
            raw_quantity=sized.raw_quantity,
            notional=sized.notional,
            risk_amount=sized.risk_amount,
            stop_distance=sized.stop_distance,
            stop_distance_percent=sized.stop_distance_percent,
            margin_required=sized.margin_required,
            leverage=sized.leverage,
            liquidation_price=sized.liquidation_price,
            fees_estimate=sized.fees_estimate,
            worst_case_loss=sized.worst_case_loss,
            cut_by=sized.cut_by,
            borrowable=basis.credit.borrowable,
            index_price=basis.credit.index_price,
            notes=basis.notes,
        )

    # --- the sequence ------------------------------------------------------------------------------------------------

    def read_events(self, *, from_seq: int, limit: int, position_id: str | None = None) -> Sequence[Recorded]:
        """At most `limit` committed rows with seq >= from_seq, ascending; an unknown position has none."""
        chosen = PositionId(position_id) if position_id is not None else None
        return self._around.record.journal.events(from_seq=from_seq, limit=limit, position_id=chosen)

    def oldest_seq(self) -> int:
        """The first seq that is not in the archive, 1 before the first."""
        return self._around.record.journal.oldest_seq()

    def last_seq(self) -> int:
        """The newest committed seq, 0 before the first."""
        return self._around.record.last_seq

    async def wait_events(self, after_seq: int) -> None:
        """Return once a row with seq > after_seq is committed; at once if there is one."""
        await self._around.record.wait_events(after_seq)

    def remember(self, reply: StoredReply) -> None:
        """Store a reply durably under its key; RuleError when that fails."""
        self._around.record.write(Commit(reply=reply))

    def stored_reply(self, key: str) -> StoredReply | None:
        """The reply stored under a key, also by an earlier run."""
        return self._around.record.journal.stored_reply(key)
