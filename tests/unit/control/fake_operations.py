"""A daemon that remembers what it was asked, with a sequence and replies kept in memory."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import trio

from robson.daemon.readings import journal_result
from robson.domain.errors import RuleError
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import PositionId
from robson.ports.journal import JournalSize
from robson.protocol import charting, oversight, telling
from robson.protocol import oversight_results as told
from robson.protocol import requests as ask
from robson.protocol import results as give
from robson.protocol.operations import Caller, Follower, Ticket
from robson.protocol.panic_results import PanicPreviewResult
from tests.pictures import GALLERY

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIZE = JournalSize(
    events=0,
    oldest_seq=1,
    last_seq=0,
    positions=0,
    open_positions=0,
    orders=0,
    open_orders=0,
    fills=0,
    replies=0,
    archives=0,
    size=4096,
)


class StillClock:
    """A clock that stands at noon; its other hand is Trio's."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return trio.current_time()


class FakeOperations:
    """Answers every command; `close` waits until it is let go."""

    def __init__(self) -> None:
        self.asked: list[ask.Request] = []
        self.followers: set[Follower] = set()
        self.callers: list[Caller] = []
        self.positions: dict[str, give.PositionView] = {}
        self.rows: list[Recorded] = []
        self.replies: dict[str, StoredReply] = {}
        self.refusal: Exception | None = None
        self.refusal_after_commit: Exception | None = None
        self.latched = False
        self.paused = False
        self.prices = {"BTCUSDT": "95010.1"}
        self.oldest = 1
        self.ready = True
        self.close_begun = trio.Event()
        self.let_close_go = trio.Event()
        self.closed = trio.Event()
        self._committed = trio.Event()

    def commit(self, kind: str, position_id: str | None = None, **data: Any) -> None:
        self.rows.append(
            Recorded(
                seq=len(self.rows) + 1,
                type=kind,
                at=NOON,
                position_id=None if position_id is None else PositionId(position_id),
                data=data,
            )
        )
        self._committed.set()
        self._committed = trio.Event()

    def _note(self, request: ask.Request, caller: Caller) -> None:
        self.asked.append(request)
        self.callers.append(caller)
        if self.refusal is not None:
            raise self.refusal

    async def hello(self, request: ask.HelloRequest, caller: Caller) -> give.HelloResult:
        self._note(request, caller)
        return give.HelloResult(protocol=1, version="0", mode="paper", state="live")

    async def notify_test(
        self, request: telling.NotifyTestRequest, caller: Caller, ticket: Ticket | None
    ) -> telling.NotifyTestResult:
        self._note(request, caller)
        return telling.NotifyTestResult(channels=())

    async def notify_status(self, request: telling.NotifyStatusRequest, caller: Caller) -> telling.NotifyStatusResult:
        self._note(request, caller)
        return telling.NotifyStatusResult(channels=(), ping="off")

    async def health(self, request: ask.HealthRequest, caller: Caller) -> give.HealthResult:
        self._note(request, caller)
        return give.HealthResult(live=True, ready=self.ready, checks={"feed": give.Check(ok=True, detail="0.2 s")})

    async def status(self, request: ask.StatusRequest, caller: Caller) -> give.StatusResult:
        self._note(request, caller)
        shown = [self._known(request.position_id)] if request.position_id else list(self.positions.values())
        if not (request.all or request.position_id):
            shown = [position for position in shown if position.state != "Closed"]
        return give.StatusResult(
            mode="paper",
            state="live",
            panic_latched=self.latched,
            feed={"BTCUSDT": give.FeedView(age_seconds=0.2, last_price=Decimal("95010.10"), stale=False)},
            unprotected_seconds=0.0,
            positions=tuple(shown),
        )

    async def panic_preview(self, request: ask.PanicPreviewRequest, caller: Caller) -> PanicPreviewResult:
        self._note(request, caller)
        return PanicPreviewResult(
            mode="paper",
            panic_latched=self.latched,
            positions=(),
            notional=Decimal(0),
            slippage=Decimal(0),
            without_estimate=0,
        )

    async def plan(self, request: ask.PlanRequest, caller: Caller) -> give.PlanResult:
        self._note(request, caller)
        distance = abs(request.entry_price_decimal - request.stop_price_decimal)
        return give.PlanResult(
            quantity=Decimal("0.06666"),
            raw_quantity=Decimal(100) / Decimal(1500),
            notional=Decimal("6332.70"),
            risk_amount=Decimal(100),
            stop_distance=distance,
            stop_distance_percent=Decimal("1.57"),
            margin_required=Decimal("633.27"),
            leverage=Decimal(10),
            fees_estimate=Decimal("0.00000001"),
            worst_case_loss=Decimal("112.6"),
        )

    async def arm(self, request: ask.ArmRequest, caller: Caller, ticket: Ticket | None) -> give.ArmResult:
        self._note(request, caller)
        await trio.lowlevel.checkpoint()
        position_id = f"p{len(self.positions) + 1:03}"
        self.positions[position_id] = give.PositionView(
            position_id=position_id,
            symbol=request.symbol,
            side=request.side.value,
            state="Armed",
            strategy=request.strategy,
            capital=request.capital_decimal or Decimal(10000),
            risk_percent=request.risk_percent_decimal or Decimal(1),
            armed_at=NOON,
        )
        result = give.ArmResult(position_id=position_id)
        if ticket is not None:
            self.remember(ticket.seal(result))
        self.commit("position_armed", position_id, symbol=request.symbol)
        if self.refusal_after_commit is not None:
            raise self.refusal_after_commit
        return result

    async def signal(self, request: ask.SignalRequest, caller: Caller, ticket: Ticket | None) -> give.SignalResult:
        self._note(request, caller)
        self._known(request.position_id)
        if request.stop_price_decimal > request.entry_price_decimal:
            reason = give.Reason(code="stop_on_wrong_side", message="the technical stop was above the entry")
            return give.SignalResult(accepted=False, reason=reason)
        return give.SignalResult(accepted=True, quantity=Decimal("0.06666"))

    async def disarm(self, request: ask.DisarmRequest, caller: Caller, ticket: Ticket | None) -> give.DisarmResult:
        self._note(request, caller)
        self._known(request.position_id)
        return give.DisarmResult(position_id=request.position_id)

    async def close(self, request: ask.CloseRequest, caller: Caller, ticket: Ticket | None) -> give.CloseResult:
        self._note(request, caller)
        self.close_begun.set()
        await self.let_close_go.wait()
        self.commit("position_closed", request.position_id)
        self.closed.set()
        return give.CloseResult(position_id=request.position_id, outcome="closed")

    async def adopt(self, request: ask.AdoptRequest, caller: Caller, ticket: Ticket | None) -> give.AdoptResult:
        self._note(request, caller)
        return give.AdoptResult(
            position_id="p001",
            quantity=request.quantity_decimal,
            entry_price=request.entry_price_decimal or Decimal(95000),
            trailing_stop=request.stop_price_decimal,
            borrowed={},
        )

    async def release(self, request: ask.ReleaseRequest, caller: Caller, ticket: Ticket | None) -> give.ReleaseResult:
        self._note(request, caller)
        known = self._known(request.position_id)
        return give.ReleaseResult(
            position_id=known.position_id, symbol=known.symbol, side=known.side, quantity=Decimal("0.05"), owed={}
        )

    async def panic(self, request: ask.PanicRequest, caller: Caller, ticket: Ticket | None) -> give.PanicResult:
        self._note(request, caller)
        self.latched = True
        outcomes = (give.PanicOutcome(position_id=name, outcome="disarmed") for name in self.positions)
        return give.PanicResult(latched=True, positions=tuple(outcomes))

    async def resume(self, request: ask.ResumeRequest, caller: Caller, ticket: Ticket | None) -> give.ResumeResult:
        self._note(request, caller)
        self.latched = False
        self.ready = True
        return give.ResumeResult()

    async def show(self, request: oversight.ShowRequest, caller: Caller) -> told.ShowResult:
        self._note(request, caller)
        view = msgspec.structs.asdict(self._known(request.position_id))
        return told.ShowResult(**view, orders=(), oldest_seq=self.oldest, next_seq=None)

    async def chart(self, request: charting.ChartRequest, caller: Caller) -> charting.ChartResult:
        self._note(request, caller)
        known = self._known(request.position_id)
        return msgspec.structs.replace(GALLERY["open"], position_id=known.position_id)

    async def why(self, request: oversight.WhyRequest, caller: Caller) -> told.WhyResult:
        self._note(request, caller)
        known = self._known(request.position_id)
        return told.WhyResult(
            position_id=known.position_id,
            symbol=known.symbol,
            side=known.side,
            state=known.state,
            complete=True,
            stop_moves=0,
            adjustments=0,
            chain=(),
        )

    async def journal(self, request: oversight.JournalRequest, caller: Caller) -> told.JournalResult:
        self._note(request, caller)
        return journal_result(SIZE, writable=True, epoch=1)

    async def version(self, request: oversight.VersionRequest, caller: Caller) -> give.VersionResult:
        self._note(request, caller)
        return give.VersionResult(version="0", protocol=1, python="3", sqlite="3")

    async def adjust(
        self, request: oversight.AdjustRequest, caller: Caller, ticket: Ticket | None
    ) -> told.AdjustResult:
        self._note(request, caller)
        return told.AdjustResult(
            position_id=self._known(request.position_id).position_id,
            previous_stop=Decimal(93_500),
            trailing_stop=request.stop_price_decimal,
            price=Decimal(95_010),
        )

    async def pause(self, request: oversight.PauseRequest, caller: Caller, ticket: Ticket | None) -> told.PauseResult:
        self._note(request, caller)
        self.paused = True
        return told.PauseResult(paused=True)

    async def unpause(
        self, request: oversight.UnpauseRequest, caller: Caller, ticket: Ticket | None
    ) -> told.PauseResult:
        self._note(request, caller)
        self.paused = False
        return told.PauseResult(paused=False)

    def price_lines(self) -> Sequence[give.PriceLine]:
        return [
            give.PriceLine(event="price", at=NOON, data={"symbol": symbol, "price": price, "stale": False})
            for symbol, price in self.prices.items()
        ]

    def read_events(self, *, from_seq: int, limit: int, position_id: str | None = None) -> Sequence[Recorded]:
        rows = (row for row in self.rows[max(0, from_seq - 1) :] if position_id in {None, row.position_id})
        return [row for row, _ in zip(rows, range(limit), strict=False)]

    def oldest_seq(self) -> int:
        return self.oldest

    def last_seq(self) -> int:
        return len(self.rows)

    async def wait_events(self, after_seq: int) -> None:
        while len(self.rows) <= after_seq:
            await self._committed.wait()

    def remember(self, reply: StoredReply) -> None:
        self.replies[reply.key] = reply

    def stored_reply(self, key: str) -> StoredReply | None:
        return self.replies.get(key)

    def _known(self, position_id: str) -> give.PositionView:
        if position_id not in self.positions:
            raise RuleError("unknown_position", f"position_id was {position_id!r}, which is no position of ours")
        return self.positions[position_id]
