"""What must hold after every step of a life, whatever the weather: looked at on each write, each change of an account
and each time that nothing is left to do before time goes on.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import trio
from trio.abc import Instrument

from robson.daemon.life import Life
from robson.domain.events import EVENT_TYPES, Fact, read_event
from robson.domain.position import Active, Closed, Position
from robson.domain.sequence import Recorded
from robson.domain.values import Fence, PositionId, Role
from robson.engine.evolve import evolve
from robson.ports import OrderRequest
from robson.venue.ledger import Change
from tests.rig import Rig
from tests.simulation.accounts import MemoryAccounts
from tests.simulation.books import compare_books, least_of, least_of_late
from tests.simulation.exposure import ExposureCount
from tests.simulation.oracle import StopOracle
from tests.simulation.venue import RoughVenue

# An exit's receive window and the venue's own timeout.
FENCE_SECONDS = 12.0
# How old a price may be on which a step of an exit was decided: three slow readings may follow it.
READ_AGE_SECONDS = 15.0


class Violation(AssertionError):
    """Something that must never be so was so."""


class Watchman(Instrument):
    """Looks after one life through all of its runs; the first violation ends the life."""

    def __init__(self, accounts: MemoryAccounts) -> None:
        self.accounts = accounts
        accounts.on_change = self.account_changed
        self.rig: Rig | None = None
        self.violation: Violation | None = None
        self.scope: trio.CancelScope | None = None
        self.rows: list[Recorded] = []
        self.durable = 0
        self.folded: dict[str, Position] = {}
        self.names: dict[str, Counter[str]] = defaultdict(Counter)
        self.requests: dict[str, OrderRequest] = {}
        self.owners: dict[str, str] = {}
        # What each order really executed (base), and the requests that may still execute.
        self.executed: dict[str, Decimal] = {}
        self.under_way: Counter[str] = Counter()
        self.self_fenced: set[str] = set()
        self.arrivals: Counter[str] = Counter()
        self.arrived_at: dict[str, float] = {}
        self.lived: set[str] = set()
        self.exposure = ExposureCount()
        self.oracle = StopOracle()
        self.steps = self.looks = 0
        self._dirty = True
        self.explained: Counter[str] = Counter()
        # The smallest order of each pair when a position last left it (base), by the prices shortly before.
        self.least_when_left: dict[str, Decimal] = {}
        # How many have left each pair beside others since one was the last out: each may leave dust of its own.
        self.left_beside: Counter[str] = Counter()

    def demand(self, holds: object, what: str, *details: object) -> None:
        """Keep the first violation and end the life; the product may be in the middle of something."""
        if holds or self.violation is not None:
            return
        shown = "; ".join(map(str, details))
        self.violation = Violation(f"{what} (at {trio.current_time():.3f} s, row {len(self.rows)}): {shown}")
        if self.scope is not None:
            self.scope.cancel()

    def begin(self, rig: Rig) -> None:
        """A run begins."""
        self.rig = rig
        self.lived = set()
        self._dirty = True
        self.exposure.begin(rig)
        self.oracle.begin()

    def end(self, *, lost: int | None) -> None:
        """A run has ended; `lost` is the number of rows that are left after a power cut, None when all are."""
        self.rig = None
        if lost is not None:
            del self.rows[lost:]
            self.refold()

    def refold(self) -> None:
        """Begin anew from the rows that are left."""
        rows, self.rows = self.rows, []
        self.folded, self.names = {}, defaultdict(Counter)
        self.written(rows)

    # --- the journal -------------------------------------------------------------------------------------------------

    def written(self, rows: Sequence[Recorded]) -> None:
        """Rows were committed."""
        self._dirty = True
        for row in rows:
            self.demand(row.seq == len(self.rows) + 1, "the sequence has a gap or a repetition", row)
            self.rows.append(row)
            if row.type in EVENT_TYPES and row.position_id is not None:
                self._take(row)

    def _take(self, row: Recorded) -> None:
        position_id = row.position_id
        assert position_id is not None
        before = self.folded.get(position_id)
        event = read_event(row.type, msgspec.json.encode(row.data))
        fact = Fact(position_id=PositionId(position_id), at=row.at, event=event)
        after = self.folded[position_id] = evolve(before, fact)
        names = self.names[position_id]
        names[row.type] += 1
        self.demand(before is None or before.is_open, "something happened to a Closed position", row)
        self.demand(names["entry_filled"] <= 1, "an entry was filled twice", row)
        self.demand(names["exit_triggered"] <= 1 + names["position_error"], "an exit had two owners", row)
        if before is not None and before.trail is not None and after.trail is not None:
            moved = (after.trail.stop - before.trail.stop) * after.side.sign
            self.demand(moved >= 0, "a stop was loosened", before.trail, row)
        if row.type == "exit_triggered":
            self.oracle.left(position_id)
        elif row.type == "entry_filled" and self.rig is not None and isinstance(after.state, Active):
            self.oracle.entered(after)
        if isinstance(after.state, Closed) and after.entry is not None and self.rig is not None:
            self._closed(self.rig, after)

    def _closed(self, rig: Rig, position: Position) -> None:
        """The last one out leaves neither a debt nor anything that could be sold."""
        symbol = position.symbol
        self.least_when_left[symbol] = self._least_of_late(rig, symbol)
        others = rig.around.on_pair(symbol, but=position.position_id)
        self.left_beside[symbol] = self.left_beside[symbol] + 1 if others else 0
        pair = self.accounts.pair(symbol)
        # Who came and left within the lag may be shown the account from before; the next start repays what is left.
        lags = isinstance(rig.venue, RoughVenue) and rig.venue.weather.lag("account") > 0
        if others or pair is None or lags or self._is_busy(rig, symbol, but=position.position_id):
            return
        account, known = pair.account, rig.record.pair(symbol)
        held = account.base.total - (known.baseline_base if known else 0)
        least = self.least_when_left[symbol]
        # What is too small to be bought back is carried by the pair's record.
        is_free = account.quote.debt == 0 and account.base.debt < least
        self.demand(is_free, "the last one out left a debt", account, position)
        self.demand(held < least, "the last one out left something to sell", held, least, known, position)

    def _least_of_late(self, rig: Rig, symbol: str) -> Decimal:
        """The smallest order at the least price, by the coarsest filters, since whoever leaves now can have read it."""
        since = trio.current_time() - READ_AGE_SECONDS
        late = [tick.price for at, tick in self.oracle.traded.get(symbol, []) if at >= since]
        return least_of_late(rig, symbol, late, since)

    # --- the venue ---------------------------------------------------------------------------------------------------

    def placed(self, request: OrderRequest, *, epoch: int) -> None:
        """An order leaves the daemon."""
        rig = self.rig
        assert rig is not None
        order_id, record = request.client_order_id, rig.record
        self.requests[order_id] = request
        known = [intent for intent in record.open_intents() if intent.order.client_order_id == order_id]
        self.demand(known, "an order left without an intent", request)
        if not known:
            return
        position_id = self.owners[order_id] = known[0].order.position_id
        if known[0].order.fence is not Fence.CLOCK:
            self.self_fenced.add(order_id)
        stored = [i for i in rig.journal.intents(PositionId(position_id)) if i.order.client_order_id == order_id]
        durable = bool(stored) and stored[0].status == "sent" and stored[0].timestamp_ms == request.timestamp_ms
        if request.role is Role.ENTRY:
            self.demand(durable, "an entry left before it was durable", request, stored)
            self.demand(not record.latched, "an entry left under panic", request)
            self.demand(known[0].epoch == epoch, "an entry of an earlier run was sent", request)
            self.demand(order_id not in self.arrivals, "an entry was sent twice", request)
        else:
            self.demand(durable or record.degraded, "an exit left before it was durable", request, stored)
            rivals = [
                other
                for other, owner in self.owners.items()
                if owner == position_id
                and other != order_id
                and self.under_way[other] > 0
                and self.requests[other].role is Role.EXIT
                and self._attempt(other) != known[0].order.attempt
            ]
            alone = not rivals or known[0].order.fence is not Fence.CLOCK
            self.demand(alone, "an exit left while an earlier one may still execute", request, rivals)

    def _attempt(self, order_id: str) -> int:
        folded = self.folded.get(self.owners[order_id])
        orders = folded.exit.orders if folded is not None and folded.exit is not None else ()
        return next((order.attempt for order in orders if order.client_order_id == order_id), 0)

    def arrived(self, order_id: str) -> None:
        """A request may have reached the market."""
        self.arrivals[order_id] += 1
        now, before = trio.current_time(), self.arrived_at.get(order_id)
        self.arrived_at[order_id] = now
        # Unwritten and forgotten, an exit that surely came to nothing may go out under its id again: after the fence.
        is_over = order_id not in self.executed and self.under_way[order_id] == 0
        is_fenced = before is None or (now - before > FENCE_SECONDS and is_over)
        self.demand(is_fenced, "an order was sent twice", self.requests.get(order_id))

    def account_changed(self, symbol: str, change: Change) -> None:
        """Orders executed, loans came or went."""
        self._dirty = True
        for order in change.orders:
            order_id = order.ticket.client_order_id
            if order.executed > 0 and order_id in self.owners:
                self.demand(order_id not in self.executed, "an order executed twice", order)
                self.executed[order_id] = order.executed
                self.oracle.executed_at[order_id] = trio.current_time()
                self._check_executed(self.owners[order_id], symbol)

    def _check_executed(self, position_id: str, symbol: str) -> None:
        mine = [(self.requests[o], q) for o, q in self.executed.items() if self.owners[o] == position_id]
        entries = [(request.order_side, q) for request, q in mine if request.role is Role.ENTRY]
        self.demand(len(entries) <= 1, "two entries of one position executed", position_id, mine)
        rig = self.rig
        if rig is None or not entries or symbol not in rig.around.instruments:
            return
        ((entry_side, entered),) = entries[:1]
        exits = [
            (q if request.order_side is not entry_side else -q) for request, q in mine if request.role is Role.EXIT
        ]
        # The last one out sells the dust of earlier ones, a short buys its fee and interest along. Under the self fence
        # less than a second whole exit may execute, too, and is given back.
        slack = least_of(rig, symbol) * 2 + entered / 500
        is_self_fenced = any(o in self.self_fenced and self.owners[o] == position_id for o in self.executed)
        slack += entered if is_self_fenced else Decimal(0)
        left = sum(exits, Decimal(0))
        self.demand(left <= entered + slack, "an exit executed more than its entry", position_id, entered, left)

    # --- between two steps -------------------------------------------------------------------------------------------

    def before_io_wait(self, timeout: float) -> None:
        """Nothing is left to do at this moment: everything has its owner, and the books agree."""
        if self.rig is None or self.violation is not None or trio._core._run.GLOBAL_RUN_CONTEXT.runner.runq:  # type: ignore[attr-defined]
            return
        self.steps += 1
        self.exposure.advance(self.rig)
        if self._dirty or not self.lived.issuperset(self.rig.supervisor.lives):
            self._dirty = False
            self.looks += 1
            self._look(self.rig)

    def _look(self, rig: Rig) -> None:
        record, lives = rig.record, rig.supervisor.lives
        for position_id, folded in self.folded.items():
            if not folded.is_open:
                continue
            life = lives.get(position_id)
            if life is None:
                unwritten = record.unwritten(position_id)
                is_over = unwritten is not None and not unwritten.is_open
                self.demand(is_over, "a position is in nobody's hands", folded)
                continue
            if life.alive and position_id not in self.lived:
                self.lived.add(position_id)
                self.oracle.recovered(folded, rig.feed.kept.get(folded.symbol, []))
            self.demand(life.alive or position_id not in self.lived, "a position is left alone", folded)
            if record.degraded is None:
                self.demand(life.position == folded, "a state is not what its events say", life.position, folded)
            if isinstance(life.position.state, Active) and life.alive:
                watched = life._hit is not None or (life._attachment is not None and life._attachment.is_attached)
                self.demand(watched, "a position in the market is not watched", folded)
                self._check_stop(rig, life)
        if record.degraded is None:
            for symbol in rig.around.instruments:
                if not self._is_busy(rig, symbol):
                    compare_books(self, rig, symbol)

    def _check_stop(self, rig: Rig, life: Life) -> None:
        known = self.oracle.trails.get(life.position.position_id)
        if known is None or rig.record.degraded is not None or life._watch is None or life.is_behind:
            return
        symbol, trail = known
        if symbol in self.oracle.blind:
            return
        self.demand(not trail.is_crossed, "a stop was crossed, and its exit missed", life.position, trail)
        self.demand(life._watch.stop == trail.stop, "a stop is not where it must be", life._watch.stop, trail)

    def _is_busy(self, rig: Rig, symbol: str, *, but: str = "") -> bool:
        """Whether anything is on its way on a pair that the books cannot know yet."""
        under_way = any(n and self.requests[o].symbol == symbol for o, n in self.under_way.items())
        # What a decision of this very moment ends is still in the record.
        waiting = any(i.order.symbol == symbol and i.order.position_id != but for i in rig.record.open_intents())
        lives = rig.supervisor.lives
        # What went out unwritten is known once the venue's records were looked through.
        unlisted = any(key in lives and lives[key].position.symbol == symbol for key in rig.around.unlisted)
        return under_way or waiting or unlisted or symbol in rig.supervisor._repaying
