"""Every next step of the intent protocol's model: the daemon's own, the market's, the operator's and the world's."""

from collections.abc import Iterator

from tests.model.intent_model import (
    ACTIVE,
    ARMED,
    ASKING,
    CLOCK,
    CLOSED,
    DENIED,
    ENTERING,
    EXITING,
    FIRST_ENTRY,
    IDLE,
    MARKED,
    NONE,
    OUTAGE_ATTEMPTS,
    OUTAGE_SLOT,
    PAST,
    PENDING,
    REFUSED,
    SELF,
    SENT,
    UNDECIDED,
    UNREAD,
    Copy,
    Order,
    Settings,
    State,
    Step,
    put,
    tidied,
)
from tests.model.world import crash, disk_turns, fates, tick


class IntentModel:
    """The transitions of one setting."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._broken = settings.broken
        self._fence = settings.fence

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that can happen next."""
        for order in state.orders:
            yield from self._executor(state, order)
            yield from fates(self.settings, state, order)
        yield from self._position(state)
        yield from self._market_and_operator(state)
        if self.settings.outages:
            yield from disk_turns(state)
            if not state.listed:
                yield from self._list(state)
        yield Step("time", "a tick passes", None, tick(self.settings, state))
        yield Step("crash", "the process dies and starts again", None, crash(self.settings, state))

    # --- the executor: one order at a time ---------------------------------------------------------------------------

    def _executor(self, state: State, order: Order) -> Iterator[Step]:
        if order.row == PENDING and order.hand == IDLE:
            yield from self._take_up(state, order)
        elif order.row == PENDING:  # only "commit_after_send" comes here
            yield Step("daemon", "writes down that it was sent", order.slot, put(state, order._replace(row=SENT)))
        elif order.hand == MARKED:
            yield from self._send(state, order)
        elif order.hand == ASKING:
            if order.answer:
                yield from self._hear(state, order)
            yield from self._resolve(state, order)

    def _take_up(self, state: State, order: Order) -> Iterator[Step]:
        if order.is_entry:
            why = self._reason_not_to_send(state, order)
            if why is not None:
                yield Step("daemon", f"drops it: {why}", order.slot, self._settled(state, order, REFUSED))
                return
        elif not state.listed:
            rule = "pending_exit_sent_at_recovery" if order.earlier else "operator_overtakes_recovery"
            if rule not in self._broken:
                return
        if "commit_after_send" in self._broken:
            yield Step("daemon", "sends it, not yet written as sent", order.slot, self._sent(state, order))
            return
        marked = order._replace(row=SENT, hand=MARKED, age=0, earlier=False, clock=UNREAD)
        stale = state.stale_entry_sent or (order.is_entry and order.earlier)
        for fence in self._fences(state, order):
            how = "" if fence == state.fence or not self.settings.self_fencing else f", under the {_FENCES[fence]}"
            after = put(state, marked, fence=fence, stale_entry_sent=stale)
            yield Step("daemon", f"marks it sent{how}", order.slot, after)

    def _reason_not_to_send(self, state: State, order: Order) -> str | None:
        if state.latched:
            return "panic"
        if order.earlier and "pending_entry_sent_at_recovery" not in self._broken:
            return "an earlier epoch's"
        return "not durable" if state.disk is not None else None

    def _fences(self, state: State, order: Order) -> Iterator[int]:
        """Decided once, on an account read that is newer than the last fill; unread, the clock fence stays."""
        if order.is_entry or state.fence != UNDECIDED:
            yield state.fence
            return
        yield CLOCK
        if self.settings.self_fencing is None or state.disk is not None:
            return
        funds = state.surplus if "fence_on_stale_read" in self._broken else state.funds
        if self._funds_one_only(funds, order.quantity) or "self_fence_always_true" in self._broken:
            yield SELF

    def _funds_one_only(self, funds: int, quantity: int) -> bool:
        return funds < 2 * quantity if self.settings.self_fencing == "quote" else funds - quantity < 1

    def _sent(self, state: State, order: Order) -> State:
        """The first byte leaves; a request that is older than its window by then is only good for a refusal."""
        sent = order._replace(
            hand=ASKING,
            sends=order.sends + order.is_entry,
            doubled=bool(order.copies or order.executed),
        )
        if order.age > self.settings.receive_window:
            return put(state, sent._replace(answer=REFUSED))
        return put(state, sent._replace(copies=(*order.copies, Copy(order.age, arrived=False, heard=True))))

    def _send(self, state: State, order: Order) -> Iterator[Step]:
        yield Step("daemon", "sends it", order.slot, self._sent(state, order))
        unreached = "cannot reach the venue: not a byte left"
        if order.is_entry:
            yield Step("daemon", unreached, order.slot, self._settled(state, order, REFUSED))
        elif order.age:
            again = put(state, order._replace(age=0))
            yield Step("daemon", f"{unreached}; marks the same id sent anew", order.slot, again)

    def _hear(self, state: State, order: Order) -> Iterator[Step]:
        what = "hears the refusal" if order.answer == REFUSED else "hears the fill"
        yield Step("daemon", what, order.slot, self._settled(state, order, order.answer))
        if order.answer == REFUSED and not order.is_entry:
            again = order._replace(hand=MARKED, age=0, clock=UNREAD, answer=0)
            yield Step("daemon", "hears: not now; marks the same id sent anew", order.slot, put(state, again))

    def _resolve(self, state: State, order: Order) -> Iterator[Step]:
        """Ask until the venue knows it, or until its denial must be believed."""
        if "resend_without_query" in self._broken and not order.doubled:
            again = self._sent(state, order._replace(age=0))
            yield Step("daemon", "sends the same id again without asking", order.slot, again)
        denied_first = "denied_before_clock_read" in self._broken
        if order.age >= self._fence and order.clock == (DENIED if denied_first else UNREAD):
            if denied_first:
                what, after = ", so it never arrived", self._absent(state, order)
            else:
                what, after = "", put(state, order._replace(clock=PAST))
            yield Step("daemon", f"reads the venue's clock: past the fence{what}", order.slot, after)
        if order.executed:
            yield Step("daemon", "asks: found", order.slot, self._settled(state, order, order.executed))
        if not order.executed or order.since < self.settings.query_lag:
            if denied_first and order.clock == UNREAD:
                yield Step("daemon", "asks: denied", order.slot, put(state, order._replace(clock=DENIED)))
            elif self._believes(state, order):
                after = self._absent(state, order)
                yield Step("daemon", "asks: denied, so it never arrived", order.slot, after)
        reread = "fence_reread" in self._broken and not order.is_entry and state.fence == CLOCK
        if reread and self._funds_one_only(state.funds, order.quantity):
            yield Step("daemon", "reads the account again: it funds only one", None, state._replace(fence=SELF))

    def _believes(self, state: State, order: Order) -> bool:
        """Whether a denial is final: the venue's clock was read past the fence first."""
        if order.clock != PAST and "fence_removed" not in self._broken:
            return False
        if state.stray and "stray_trades_bar_absence" in self._broken:
            return False
        # The journal's timestamp may not be the last one that was used.
        return order.is_entry or state.listed or "remark_not_written" in self._broken

    def _absent(self, state: State, order: Order) -> State:
        if order.is_entry and "entry_sent_again_after_absence" in self._broken:
            return put(state, order._replace(row=PENDING, hand=IDLE, clock=UNREAD))
        return self._settled(state, order, REFUSED)

    # --- settling ----------------------------------------------------------------------------------------------------

    def _settled(self, state: State, order: Order, outcome: int) -> State:
        """The last word on an order and what it means for the position, in one commit."""
        # What the venue has is looked at again only if this word is lost with the process.
        unwritten = state.disk is not None and outcome > 0
        over = order._replace(
            row=NONE,
            earlier=False,
            age=0,
            hand=IDLE,
            clock=UNREAD,
            answer=0,
            executed=order.executed if unwritten else 0,
            since=order.since if unwritten else 0,
            accounted=unwritten,
        )
        if order.is_entry:
            return self._entry_settled(state, over, outcome)
        if outcome > 0:
            return put(state, over, exit=state.exit + outcome)
        others = [other for other in state.orders if other.slot != order.slot and other.row == SENT]
        if others and "refusal_is_evidence" in self._broken:
            state = put(state, others[0]._replace(row=NONE, hand=IDLE), exit=state.entry)
        return put(state, over)

    def _entry_settled(self, state: State, over: Order, outcome: int) -> State:
        if outcome <= 0:
            return put(state, over, phase=CLOSED if state.asked else ARMED)
        if "entry_topped_up" in self._broken and outcome < over.quantity:
            rest = Order(slot=FIRST_ENTRY - 1, quantity=over.quantity - outcome, row=PENDING)
            return put(put(state, over, entry=outcome), rest)
        if state.asked and "wish_to_leave_forgotten" not in self._broken:
            return self._exit_decided(put(state, over, entry=state.entry + outcome))
        return put(state, over, phase=ACTIVE, entry=state.entry + outcome)

    # --- the position ------------------------------------------------------------------------------------------------

    def _exit_decided(self, state: State) -> State:
        """The trigger and attempt 1, in one commit."""
        return self._attempt(state._replace(phase=EXITING))

    def _attempt(self, state: State) -> State:
        """One more attempt for what the fills say is still held; a crash in an outage would derive its id again."""
        wanted = self.settings.quantity if "exit_size_from_request" in self._broken else state.entry
        quantity, attempts = wanted - state.exit, 0
        if state.disk is not None or any(order.slot >= OUTAGE_SLOT for order in state.orders):
            slot, attempts = OUTAGE_SLOT + state.attempts, state.attempts + 1
        else:
            slot = 1 if state.order(1) is None else 2
        order = state.order(slot) or Order(slot=slot, quantity=quantity)
        return put(state, order._replace(quantity=quantity, row=PENDING, hand=IDLE), attempts=attempts)

    def _position(self, state: State) -> Iterator[Step]:
        if state.latched:
            yield from self._obey_latch(state)
        if state.phase != EXITING:
            return
        open_exits = [order for order in state.orders if order.row != NONE]
        held = state.entry - state.exit
        if held < 0 and not open_exits and self.settings.self_fencing == "quote":
            after = tidied(state._replace(exit=state.entry, exited=state.exited + held))
            yield Step("daemon", "sells what its own attempts bought too much", None, after)
        elif held <= 0 and state.funds == state.surplus:
            if not open_exits or "closed_before_attempts_end" in self._broken:
                orders = tuple(order._replace(row=NONE, hand=IDLE) for order in state.orders)
                after = tidied(state._replace(phase=CLOSED, orders=orders))
                yield Step("daemon", "reads the account: flat, Closed", None, after)
        elif held > 0 and state.listed and self._may_try(state, open_exits):
            again = "a second attempt under the self fence" if open_exits else "the next exit attempt"
            yield Step("daemon", f"decides {again}", None, self._attempt(state))

    def _may_try(self, state: State, open_exits: list[Order]) -> bool:
        if not open_exits:
            return state.disk is None or state.attempts < OUTAGE_ATTEMPTS
        in_doubt = len(open_exits) == 1 and open_exits[0].row == SENT and open_exits[0].hand == ASKING
        return in_doubt and state.fence == SELF and state.disk is None

    def _obey_latch(self, state: State) -> Iterator[Step]:
        """What the latch means for the position; a crash in between changes nothing."""
        if state.phase == ARMED:
            yield Step("daemon", "obeys the latch: disarmed", None, tidied(state._replace(phase=CLOSED)))
        elif state.phase == ENTERING and not state.asked:
            yield Step("daemon", "obeys the latch: will exit on fill", None, state._replace(asked=True))
        elif state.phase == ACTIVE:
            yield Step("daemon", "obeys the latch: the exit is decided", None, self._exit_decided(state))

    def _list(self, state: State) -> Iterator[Step]:
        """Past the fence of whatever the last process may have sent, the venue's orders are read and taken over."""
        asks_once = "recovery_asks_once" in self._broken
        if state.phase not in {ACTIVE, EXITING} or (state.run_age < self._fence and not asks_once):
            return
        if asks_once and any(order.row != NONE for order in state.orders):
            return
        found = [order for order in state.orders if not order.is_entry and order.row != SENT and order.executed]
        if "recovery_asks_next_id_only" in self._broken:
            found = [order for order in found if order.row == PENDING or order.slot == OUTAGE_SLOT]
        after = state
        for order in found:
            after = self._settled(after, order, order.executed)
        if found and "pending_exit_outlives_listing" not in self._broken:
            # It was sized before those were known.
            for order in [order for order in after.orders if order.row == PENDING]:
                after = self._settled(after, order, REFUSED)
        phase = EXITING if found else state.phase
        fence = CLOCK if found and state.fence == UNDECIDED else state.fence
        what = "finds the exits that were never written" if found else "finds no unwritten exit"
        after = tidied(after._replace(listed=True, phase=phase, fence=fence))
        yield Step("daemon", f"reads the venue's orders: {what}", None, after)
        if asks_once and any(order.since < self.settings.query_lag for order in found):
            missed = tidied(state._replace(listed=True))
            yield Step("daemon", "asks for the next id once: denied", None, missed)

    # --- the market and the operator ---------------------------------------------------------------------------------

    def _market_and_operator(self, state: State) -> Iterator[Step]:
        if state.phase == ARMED:
            if state.signals and not state.latched:
                slot = FIRST_ENTRY - (self.settings.signals - state.signals)
                order = Order(slot=slot, quantity=self.settings.quantity, row=PENDING)
                after = put(state, order, phase=ENTERING, signals=state.signals - 1)
                yield Step("market", "gives the signal: the entry is decided", None, after)
            yield Step("operator", "disarms", None, tidied(state._replace(phase=CLOSED)))
        if state.phase == ENTERING and not state.asked:
            yield Step("operator", "closes: will exit on fill", None, state._replace(asked=True))
        if state.phase == ACTIVE:
            yield Step("operator", "closes: the exit is decided", None, self._exit_decided(state))
            yield Step("market", "hits the stop: the exit is decided", None, self._exit_decided(state))
        if state.phase <= ACTIVE and not state.latched:
            yield Step("operator", "panics: the latch is set", None, state._replace(latched=True))
        if state.phase == CLOSED:
            return
        if self.settings.hand_trades and not state.stray:
            yield Step("operator", "trades by hand on the pair", None, state._replace(stray=True))
        if self.settings.transfers and not state.moved_in:
            moved = state._replace(moved_in=True, surplus=state.surplus + self.settings.quantity)
            yield Step("operator", "moves collateral in", None, moved)


_FENCES = {CLOCK: "clock fence", SELF: "self fence"}
