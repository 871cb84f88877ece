"""Every next step of the intent protocol's model: what the daemon, the venue, the operator, time and a crash can do."""

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
    Durable,
    Order,
    Row,
    Settings,
    State,
    Step,
    put,
    tidied,
)


class IntentModel:
    """The transitions; `broken` rules are looked up once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._broken = settings.broken
        self._fence = settings.fence

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that can happen next."""
        for order in state.orders:
            yield from self._executor(state, order)
            yield from self._venue(state, order)
        yield from self._position(state)
        yield from self._outside(state)
        if state.disk is not None or state.outages:
            yield from self._disk(state)
        if self.settings.outages and not state.listed:
            yield from self._listing(state)
        yield Step("time", "a tick passes", None, self._tick(state))
        yield Step("crash", "the process dies and starts again", None, self._crash(state))

    # --- the executor: one order at a time ---------------------------------------------------------------------------

    def _executor(self, state: State, order: Order) -> Iterator[Step]:
        if order.row == PENDING and order.hand == IDLE:
            yield from self._pending(state, order)
        elif order.hand == MARKED:
            yield from self._send(state, order)
        elif order.row == PENDING:  # only "commit_after_send" comes here
            yield Step("daemon", "writes down that it was sent", order.slot, put(state, order._replace(row=SENT)))
        elif order.hand == ASKING:
            if order.answer:
                yield from self._answered(state, order)
            yield from self._resolve(state, order)

    def _pending(self, state: State, order: Order) -> Iterator[Step]:
        if order.is_entry:
            if state.latched:
                yield Step("daemon", "drops it: panic", order.slot, self._settled(state, order, REFUSED))
                return
            if order.earlier and "pending_entry_sent_at_recovery" not in self._broken:
                yield Step("daemon", "drops it: an earlier epoch's", order.slot, self._settled(state, order, REFUSED))
                return
            if state.disk is not None:
                yield Step("daemon", "drops it: not durable", order.slot, self._settled(state, order, REFUSED))
                return
        elif self._waits_for_listing(state, order):
            return
        if "commit_after_send" in self._broken:
            yield Step("daemon", "sends it, not yet written as sent", order.slot, self._sent(state, order))
            return
        marked = order._replace(row=SENT, hand=MARKED, age=0, earlier=False, clock=UNREAD)
        stale = state.stale_entry_sent or (order.is_entry and order.earlier)
        for fence in self._fences(state, order):
            name = "marks it sent" if fence == state.fence or not self.settings.self_fencing else _MARKS[fence]
            yield Step("daemon", name, order.slot, put(state, marked, fence=fence, stale_entry_sent=stale))

    def _waits_for_listing(self, state: State, order: Order) -> bool:
        """After a restart an exit waits until what may have gone out unwritten is known."""
        if state.listed:
            return False
        rule = "pending_exit_sent_at_recovery" if order.earlier else "operator_overtakes_recovery"
        return rule not in self._broken

    def _fences(self, state: State, order: Order) -> Iterator[int]:
        """Decided once, on an account read that is newer than the last fill; unread, the clock fence stays."""
        if order.is_entry or state.fence != UNDECIDED:
            yield state.fence
            return
        yield CLOCK
        if self.settings.self_fencing is None or state.disk is not None:
            return
        stale = "fence_on_stale_read" in self._broken
        funds = state.surplus if stale else state.funds
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
            yield Step("daemon", f"{unreached}; marks it sent again", order.slot, put(state, order._replace(age=0)))

    def _answered(self, state: State, order: Order) -> Iterator[Step]:
        what = "hears the refusal" if order.answer == REFUSED else "hears the fill"
        yield Step("daemon", what, order.slot, self._settled(state, order, order.answer))
        if order.answer == REFUSED and not order.is_entry:
            again = order._replace(hand=MARKED, age=0, clock=UNREAD, answer=0)
            yield Step("daemon", "hears: not now; marks the same id sent again", order.slot, put(state, again))
        yield Step("network", "loses the answer", order.slot, put(state, order._replace(answer=0)))

    def _resolve(self, state: State, order: Order) -> Iterator[Step]:
        """Ask until the venue knows it, or until its denial must be believed."""
        if "resend_without_query" in self._broken and not order.doubled:
            again = order._replace(age=0)
            yield Step("daemon", "sends the same id again without asking", order.slot, self._sent(state, again))
        if order.clock in {UNREAD, DENIED} and order.age >= self._fence:
            if order.clock == DENIED:
                after = self._absent(state, order)
                yield Step("daemon", "reads the venue's clock: past the fence, so it never arrived", order.slot, after)
            elif "denied_before_clock_read" not in self._broken:
                after = put(state, order._replace(clock=PAST))
                yield Step("daemon", "reads the venue's clock: past the fence", order.slot, after)
        if order.executed:
            yield Step("daemon", "asks: found", order.slot, self._settled(state, order, order.executed))
        if not order.executed or order.since < self.settings.query_lag:
            yield from self._denied(state, order)
        reread = "fence_reread" in self._broken and not order.is_entry and state.fence == CLOCK
        if reread and self._funds_one_only(state.funds, order.quantity):
            yield Step("daemon", "reads the account again: it funds only one", None, state._replace(fence=SELF))

    def _denied(self, state: State, order: Order) -> Iterator[Step]:
        if "denied_before_clock_read" in self._broken:
            if order.clock == UNREAD:
                yield Step("daemon", "asks: denied", order.slot, put(state, order._replace(clock=DENIED)))
            return
        if order.clock != PAST and "fence_removed" not in self._broken:
            return
        if state.stray and "stray_trades_bar_absence" in self._broken:
            return
        remarked = state.listed or "remark_not_written" in self._broken
        if not order.is_entry and not remarked:
            return
        yield Step("daemon", "asks: denied, so it never arrived", order.slot, self._absent(state, order))

    def _absent(self, state: State, order: Order) -> State:
        if order.is_entry and "entry_sent_again_after_absence" in self._broken:
            return put(state, order._replace(row=PENDING, hand=IDLE, clock=UNREAD))
        return self._settled(state, order, REFUSED)

    # --- settling ----------------------------------------------------------------------------------------------------

    def _settled(self, state: State, order: Order, outcome: int) -> State:
        """The last word on an order and what it means for the position, in one commit."""
        known = state.disk is not None and outcome > 0
        over = order._replace(
            row=NONE,
            earlier=False,
            age=0,
            hand=IDLE,
            clock=UNREAD,
            answer=0,
            # What the venue has is looked at again only if this word is lost.
            executed=order.executed if known else 0,
            since=order.since if known else 0,
            accounted=known,
        )
        if order.is_entry:
            return self._entry_settled(state, over, outcome)
        if outcome > 0:
            return put(state, over, exit=state.exit + outcome)
        if "refusal_is_evidence" in self._broken:
            others = [other for other in state.orders if other.slot != order.slot and other.row == SENT]
            if others:
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

    def _exit_decided(self, state: State) -> State:
        """The trigger and attempt 1, in one commit."""
        return self._attempt(state._replace(phase=EXITING))

    def _attempt(self, state: State) -> State:
        """One more attempt for what the fills say is still held; an outage uses ids that a crash would use again."""
        wanted = self.settings.quantity if "exit_size_from_request" in self._broken else state.entry
        quantity = wanted - state.exit
        unwritten = state.disk is not None or any(order.slot >= OUTAGE_SLOT for order in state.orders)
        if unwritten:
            slot, attempts = OUTAGE_SLOT + state.attempts, state.attempts + 1
        else:
            slot, attempts = (1 if state.order(1) is None else 2), 0
        known = state.order(slot) or Order(slot=slot, quantity=quantity)
        return put(state, known._replace(quantity=quantity, row=PENDING, hand=IDLE), attempts=attempts)

    # --- the position ------------------------------------------------------------------------------------------------

    def _position(self, state: State) -> Iterator[Step]:
        if state.latched:
            yield from self._panicked(state)
        if state.phase == ACTIVE and not state.latched and self._is_watched(state):
            yield Step("market", "hits the stop: the exit is decided", None, self._exit_decided(state))
        if state.phase != EXITING:
            return
        open_exits = [order for order in state.orders if order.row != NONE]
        held = state.entry - state.exit
        if held < 0 and not open_exits and self.settings.self_fencing == "quote":
            after = tidied(state._replace(exit=state.entry, exited=state.exited + held))
            yield Step("daemon", "sells what its own attempts bought too much", None, after)
        elif held <= 0:
            flat = state.funds == state.surplus
            if flat and (not open_exits or "closed_before_attempts_end" in self._broken):
                orders = tuple(order._replace(row=NONE, hand=IDLE) for order in state.orders)
                after = tidied(state._replace(phase=CLOSED, orders=orders))
                yield Step("daemon", "reads the account: flat, Closed", None, after)
        elif not open_exits:
            room = state.disk is None or state.attempts < OUTAGE_ATTEMPTS
            if room and state.listed:
                yield Step("daemon", "decides the next exit attempt", None, self._attempt(state))
        elif len(open_exits) == 1 and state.fence == SELF and state.disk is None and state.listed:
            if open_exits[0].row == SENT and open_exits[0].hand == ASKING:
                yield Step("daemon", "decides a second attempt under the self fence", None, self._attempt(state))

    def _panicked(self, state: State) -> Iterator[Step]:
        """What the latch means for the position; after a crash this is finished."""
        if state.phase == ARMED:
            yield Step("daemon", "obeys the latch: disarmed", None, tidied(state._replace(phase=CLOSED)))
        elif state.phase == ENTERING and not state.asked:
            yield Step("daemon", "obeys the latch: will exit on fill", None, state._replace(asked=True))
        elif state.phase == ACTIVE and self._may_be_asked(state):
            yield Step("daemon", "obeys the latch: the exit is decided", None, self._exit_decided(state))

    def _is_watched(self, state: State) -> bool:
        """A stop is watched again only after what went out unwritten was looked for."""
        return state.listed

    def _may_be_asked(self, state: State) -> bool:
        return state.listed or "operator_overtakes_recovery" in self._broken

    # --- the venue ---------------------------------------------------------------------------------------------------

    def _venue(self, state: State, order: Order) -> Iterator[Step]:
        for index, copy in enumerate(order.copies):
            if copy in order.copies[:index]:
                continue
            rest = order.copies[:index] + order.copies[index + 1 :]
            refused = order._replace(copies=rest, answer=REFUSED if copy.heard else order.answer)
            if copy.arrived:
                yield from self._work(state, order._replace(copies=rest), copy)
                yield Step("venue", "refuses it", order.slot, put(state, refused))
                continue
            yield Step("network", "loses it", order.slot, put(state, order._replace(copies=rest)))
            arrived = order._replace(copies=(*rest, copy._replace(arrived=True)))
            yield Step("network", "delivers it", order.slot, put(state, arrived))

    def _work(self, state: State, order: Order, copy: Copy) -> Iterator[Step]:
        for units in self._executable(state, order):
            answer = units if copy.heard else order.answer
            done = order._replace(executed=units, since=0, accounted=False, answer=answer)
            after = put(
                state,
                done,
                entered=state.entered + (units if order.is_entry else 0),
                entries=state.entries + order.is_entry,
                exited=state.exited + (0 if order.is_entry else units),
            )
            what = "executes it" if units == order.quantity else f"executes {units} of {order.quantity}"
            yield Step("venue", what, order.slot, after)

    def _executable(self, state: State, order: Order) -> range:
        settings = self.settings
        most, partials = order.quantity, settings.entry_partials
        if not order.is_entry:
            partials = settings.exit_partials
            if state.funds < order.quantity:
                most = max(state.funds, 0) if settings.capped else 0
        if not most:
            return range(0)
        return range(1 if partials else most, most + 1)

    # --- the world outside -------------------------------------------------------------------------------------------

    def _outside(self, state: State) -> Iterator[Step]:
        if state.phase == ARMED and state.signals and not state.latched and state.disk is None:
            slot = FIRST_ENTRY - (self.settings.signals - state.signals)
            order = Order(slot=slot, quantity=self.settings.quantity, row=PENDING)
            after = put(state, order, phase=ENTERING, signals=state.signals - 1)
            yield Step("market", "gives the signal: the entry is decided", None, after)
        if state.phase == ARMED:
            yield Step("operator", "disarms", None, tidied(state._replace(phase=CLOSED)))
        if state.phase == ENTERING and not state.asked:
            yield Step("operator", "closes: will exit on fill", None, state._replace(asked=True))
        if state.phase == ACTIVE and self._may_be_asked(state):
            yield Step("operator", "closes: the exit is decided", None, self._exit_decided(state))
        if state.phase <= ACTIVE and not state.latched:
            yield Step("operator", "panics: the latch is set", None, state._replace(latched=True))
        if self.settings.hand_trades and not state.stray and state.phase != CLOSED:
            yield Step("operator", "trades by hand on the pair", None, state._replace(stray=True))
        if self.settings.transfers and not state.moved_in and state.phase != CLOSED:
            moved = state._replace(moved_in=True, surplus=state.surplus + self.settings.quantity)
            yield Step("operator", "moves collateral in", None, moved)

    def _tick(self, state: State) -> State:
        settings = self.settings
        oldest, lag = settings.oldest, settings.query_lag
        orders = tuple(
            order._replace(
                age=min(order.age + 1, oldest) if order.row == SENT or order.hand == ASKING else 0,
                copies=tuple(copy._replace(age=copy.age + 1) for copy in order.copies if copy.age < self._last(copy)),
                since=min(order.since + 1, lag) if order.executed else 0,
            )
            for order in state.orders
        )
        disk = state.disk
        if disk is not None:
            rows = tuple(row._replace(age=min(row.age + 1, oldest)) if row.row == SENT else row for row in disk.rows)
            disk = disk._replace(rows=rows)
        run_age = state.run_age if state.listed else min(state.run_age + 1, oldest)
        return tidied(state._replace(orders=orders, disk=disk, run_age=run_age))

    def _last(self, copy: Copy) -> int:
        """The last age at which a request can still be taken, or carried out."""
        return self.settings.last_age if copy.arrived else self.settings.receive_window

    # --- crashes and the disk ----------------------------------------------------------------------------------------

    def _crash(self, state: State) -> State:
        """What was not durable is gone, and nobody listens for answers any more; then recovery begins."""
        if state.disk is not None:
            state = self._as_written(state, state.disk)
        orders = tuple(
            order._replace(
                earlier=order.row == PENDING and (order.is_entry or bool(self.settings.outages)),
                hand=ASKING if order.row == SENT else IDLE,
                clock=UNREAD,
                answer=0,
                accounted=False,
                copies=tuple(copy._replace(heard=False) for copy in order.copies),
            )
            for order in state.orders
        )
        listed = not self.settings.outages
        return tidied(state._replace(orders=orders, listed=listed, run_age=0))

    def _as_written(self, state: State, disk: Durable) -> State:
        rows = {row.slot: row for row in disk.rows}
        orders = []
        for order in state.orders:
            row = rows.pop(order.slot, Row(order.slot, order.quantity, NONE, earlier=False, age=0))
            orders.append(order._replace(quantity=row.quantity, row=row.row, earlier=row.earlier, age=row.age))
        orders.extend(Order(row.slot, row.quantity, row.row, row.earlier, row.age) for row in rows.values())
        return state._replace(
            phase=disk.phase,
            asked=disk.asked,
            latched=disk.latched,
            entry=disk.entry,
            exit=disk.exit,
            fence=disk.fence,
            attempts=disk.attempts,
            orders=tuple(orders),
            disk=None,
        )

    def _disk(self, state: State) -> Iterator[Step]:
        if state.disk is None:
            if ENTERING <= state.phase <= EXITING and state.listed:
                rows = tuple(
                    Row(order.slot, order.quantity, order.row, order.earlier, order.age)
                    for order in state.orders
                    if order.row != NONE
                )
                journal = Durable(
                    state.phase,
                    state.asked,
                    state.latched,
                    state.entry,
                    state.exit,
                    state.fence,
                    state.attempts,
                    rows,
                )
                after = state._replace(disk=journal, outages=state.outages - 1)
                yield Step("disk", "refuses every write from now on", None, after)
            return
        mended = state._replace(disk=None, orders=tuple(_recorded(order) for order in state.orders))
        yield Step("disk", "takes writes again, and all that was kept in memory", None, tidied(mended))

    def _listing(self, state: State) -> Iterator[Step]:
        """Past the fence of whatever the last process may have sent, the venue's orders are read and taken over."""
        asks_once = "recovery_asks_once" in self._broken
        if state.phase not in {ACTIVE, EXITING} or (state.run_age < self._fence and not asks_once):
            return
        found = [order for order in state.orders if not order.is_entry and order.row != SENT and order.executed]
        if "recovery_asks_next_id_only" in self._broken:
            found = [order for order in found if order.row == PENDING or order.slot == OUTAGE_SLOT]
        if asks_once and any(order.row != NONE for order in state.orders):
            return
        after = state
        for order in found:
            after = self._settled(after, order, order.executed)
        if found and "pending_exit_outlives_listing" not in self._broken:
            # It was sized before those were known.
            for order in [order for order in after.orders if order.row == PENDING and not order.is_entry]:
                after = self._settled(after, order, REFUSED)
        phase = EXITING if found else state.phase
        fence = CLOCK if found and state.fence == UNDECIDED else state.fence
        what = "finds the exits that were never written" if found else "finds no unwritten exit"
        after = tidied(after._replace(listed=True, phase=phase, fence=fence))
        yield Step("daemon", f"reads the venue's orders: {what}", None, after)
        if asks_once and any(order.since < self.settings.query_lag for order in found):
            after = tidied(state._replace(listed=True))
            yield Step("daemon", "asks for the next id once: denied", None, after)


_MARKS = {CLOCK: "marks it sent, under the clock fence", SELF: "marks it sent, under the self fence"}


def _recorded(order: Order) -> Order:
    """An order after the journal learnt everything about it; ids get the small slots back."""
    if order.accounted:
        return order._replace(executed=0, since=0, accounted=False)
    return order._replace(slot=1) if order.slot >= OUTAGE_SLOT else order
