"""What happens to the daemon in the model: the network and the venue, time, crashes, and the disk."""

from collections.abc import Iterator

from tests.model.intent_model import (
    ASKING,
    ENTERING,
    EXITING,
    IDLE,
    NONE,
    PENDING,
    REFUSED,
    SENT,
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

# --- the network and the venue ---------------------------------------------------------------------------------------


def fates(settings: Settings, state: State, order: Order) -> Iterator[Step]:
    """What can become of each request of an order, and of its answer."""
    if order.answer:
        yield Step("network", "loses the answer", order.slot, put(state, order._replace(answer=0)))
    for index, copy in enumerate(order.copies):
        if copy in order.copies[:index]:
            continue
        left = order._replace(copies=order.copies[:index] + order.copies[index + 1 :])
        if copy.arrived:
            yield from _work(settings, state, left, copy)
        else:
            yield Step("network", "loses it", order.slot, put(state, left))
            arrived = left._replace(copies=(*left.copies, copy._replace(arrived=True)))
            yield Step("network", "delivers it", order.slot, put(state, arrived))


def _work(settings: Settings, state: State, order: Order, copy: Copy) -> Iterator[Step]:
    """The venue has taken the request: it executes it, in part or whole, or refuses it."""
    for units in _executable(settings, state, order):
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
    refused = order._replace(answer=REFUSED if copy.heard else order.answer)
    yield Step("venue", "refuses it", order.slot, put(state, refused))


def _executable(settings: Settings, state: State, order: Order) -> range:
    most, partials = order.quantity, settings.entry_partials
    if not order.is_entry:
        partials = settings.exit_partials
        if state.funds < order.quantity:
            most = max(state.funds, 0) if settings.capped else 0
    if not most:
        return range(0)
    return range(1 if partials else most, most + 1)


# --- time ------------------------------------------------------------------------------------------------------------


def tick(settings: Settings, state: State) -> State:
    """Everything that has an age is one tick older; requests that can no longer be taken or carried out are gone."""
    oldest, lag = settings.oldest, settings.query_lag
    orders = tuple(
        order._replace(
            age=min(order.age + 1, oldest) if order.row == SENT or order.hand == ASKING else 0,
            copies=tuple(
                copy._replace(age=copy.age + 1)
                for copy in order.copies
                if copy.age < (settings.last_age if copy.arrived else settings.receive_window)
            ),
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


# --- crashes and the disk --------------------------------------------------------------------------------------------


def crash(settings: Settings, state: State) -> State:
    """What was not durable is gone, nobody hears old answers, and a new process begins with the journal.

    The time between is no step of its own: a process that does nothing for a while is the same.
    """
    if state.disk is not None:
        state = _as_written(state, state.disk)
    orders = tuple(
        order._replace(
            earlier=order.row == PENDING and (order.is_entry or bool(settings.outages)),
            hand=ASKING if order.row == SENT else IDLE,
            clock=UNREAD,
            answer=0,
            accounted=False,
            copies=tuple(copy._replace(heard=False) for copy in order.copies),
        )
        for order in state.orders
    )
    return tidied(state._replace(orders=orders, listed=not settings.outages, run_age=0))


def _as_written(state: State, disk: Durable) -> State:
    """The state as the journal tells it; what the venue made of later orders stays true all the same."""
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


def disk_turns(state: State) -> Iterator[Step]:
    """The journal can no longer be written, or can be again."""
    if state.disk is not None:
        orders = tuple(
            order._replace(executed=0, since=0, accounted=False) if order.accounted else order for order in state.orders
        )
        mended = tidied(state._replace(disk=None, orders=orders))
        yield Step("disk", "takes writes again, and all that was kept in memory", None, mended)
    elif state.outages and state.listed and ENTERING <= state.phase <= EXITING:
        rows = tuple(
            Row(order.slot, order.quantity, order.row, order.earlier, order.age) for order in state.orders if order.row
        )
        journal = Durable(
            phase=state.phase,
            asked=state.asked,
            latched=state.latched,
            entry=state.entry,
            exit=state.exit,
            fence=state.fence,
            attempts=state.attempts,
            rows=rows,
        )
        refusing = state._replace(disk=journal, outages=state.outages - 1)
        yield Step("disk", "refuses every write from now on", None, refusing)
