"""A model of the intent protocol, small enough that every interleaving is visited.

One position: its entry, its exit, and whatever a crash, the network, the venue, the disk and the operator can do in
between. A state holds what is durable (the journal), what a crash forgets (what the process knows), what is on the
wire, what the venue executed, and what its records show. `IntentModel.steps` gives every next state. `checker` walks
all of it breadth first, so that a counterexample is a shortest one, and looks backwards from the end for states that
cannot finish.

How to read it:

* Time is counted in ticks and only as ages (since a request's timestamp, since an execution), which stop counting where
  they stop mattering. So runs, crashes, refusals and attempts have no bound, and the state space has one.
* One step of the model is one thing that the code does without awaiting in between, or one durable commit.
* A request on its way is a *copy*. It is lost, or arrives; the venue takes it until its timestamp + receive window, and
  may work on it for the venue's timeout before it executes it, whole or in part, or refuses it. Answers get lost, too.
* The venue's ids are unique among open orders only: a second copy of the same id executes again.
* After an execution the venue's records may deny it for `query_lag` ticks.
* The account funds exits: `surplus` is what it could exit with beyond the position's own holding.
* With `outages` the journal may stop taking writes; exits go out all the same, and a crash takes what was in memory.
* `broken` names rules that are left out: the mutations of `mutations.py`.

This module holds the states and what must be true of them; `world` is the network, the venue, time, crashes and the
disk; `steps` is the daemon, the market and the operator; `checker` is the search. docs/MODEL.md says what is not
modelled, and which function of the code each step stands for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# Where the position stands (Error is left out: docs/MODEL.md).
ARMED, ENTERING, ACTIVE, EXITING, CLOSED = range(5)
# An intent in the journal; NONE: settled, or never written.
NONE, PENDING, SENT = range(3)
# An intent in the executor's hand: marked sent but not a byte gone; asking (the request may still be open).
IDLE, MARKED, ASKING = range(3)
# The exit's fence, decided once.
UNDECIDED, CLOCK, SELF = range(3)
# What the executor believes of the venue's clock: not yet past the fence; past it; (a mutation) denied before reading.
UNREAD, PAST, DENIED = range(3)

REFUSED = -1
FIRST_ENTRY = 0
# Client order ids that were used during an outage of the journal: after a crash the same ids are derived again.
OUTAGE_SLOT = 3
OUTAGE_ATTEMPTS = 2


class Copy(NamedTuple):
    """One request: ticks since its timestamp, whether the venue has it, and whether its sender still listens."""

    age: int
    arrived: bool
    heard: bool


class Order(NamedTuple):
    """One client order id: its row, what the executor knows of it, and what the world made of it.

    Slot 0 is the entry, -1 a second signal's; exit attempts have 1 and 2, and 3 and beyond while the journal is not
    written. An id that is over gives its slot back, as nothing can happen to it any more.
    """

    slot: int
    quantity: int
    # Durable: the intent, whether an earlier epoch decided it, and ticks since the journaled timestamp.
    row: int = NONE
    earlier: bool = False
    age: int = 0
    # In memory: what the executor is about, and what it knows of the venue's clock.
    hand: int = IDLE
    clock: int = UNREAD
    # In the world: the requests, what the newest execution gave and when, an answer on its way back.
    copies: tuple[Copy, ...] = ()
    executed: int = 0
    since: int = 0
    answer: int = 0
    # In memory only, in an outage: the execution is accounted for.
    accounted: bool = False
    # For the invariants: how often an entry was sent; whether an id was sent although it might still execute.
    sends: int = 0
    doubled: bool = False

    @property
    def is_entry(self) -> bool:
        """Whether this is an entry's id."""
        return self.slot <= FIRST_ENTRY

    @property
    def is_over(self) -> bool:
        """Whether nothing is open and nothing can arrive or be found any more."""
        return self.row == NONE and not self.copies and not self.executed


class Row(NamedTuple):
    """An intent as a journal that takes no more writes still has it."""

    slot: int
    quantity: int
    row: int
    earlier: bool
    age: int


class Durable(NamedTuple):
    """The journal as it was when the disk began to refuse."""

    phase: int
    asked: bool
    latched: bool
    entry: int
    exit: int
    fence: int
    attempts: int
    rows: tuple[Row, ...]


class State(NamedTuple):
    """Everything, at one moment. Quantities are whole units; `entry` and `exit` are the fills that the journal has."""

    signals: int
    surplus: int
    phase: int = ARMED
    asked: bool = False
    latched: bool = False
    entry: int = 0
    exit: int = 0
    fence: int = UNDECIDED
    orders: tuple[Order, ...] = ()
    # The truth at the venue.
    entered: int = 0
    entries: int = 0
    exited: int = 0
    stale_entry_sent: bool = False
    # Only with `hand_trades` and `transfers`.
    stray: bool = False
    moved_in: bool = False
    # Only with `outages`: how many are left, the journal while it is not written, ticks since the restart, whether the
    # venue's orders were read since, and how many ids were used beyond those that an earlier journal has.
    outages: int = 0
    disk: Durable | None = None
    run_age: int = 0
    listed: bool = True
    attempts: int = 0

    @property
    def funds(self) -> int:
        """The units that the account could exit with now."""
        return self.surplus + self.entered - self.exited

    def order(self, slot: int) -> Order | None:
        """The order of a slot, None when the slot is free."""
        for order in self.orders:
            if order.slot == slot:
                return order
        return None


class Step(NamedTuple):
    """One transition: who did what to which order, and what came of it."""

    who: str
    what: str
    slot: int | None
    after: State


@dataclass(frozen=True, slots=True)
class Settings:
    """How large the model is, and what may happen in it. Times in ticks, quantities in units."""

    receive_window: int = 1
    venue_timeout: int = 2
    query_lag: int = 2
    quantity: int = 2
    signals: int = 1
    surpluses: tuple[int, ...] = (0, 2)
    # What an account that cannot fund two exits looks like: "base" funds - quantity < 1; "quote" funds < 2 x quantity.
    self_fencing: str | None = "base"
    entry_partials: bool = True
    exit_partials: bool = True
    # Whether an exit that the account funds in part only executes that part, or is refused whole.
    capped: bool = True
    hand_trades: bool = False
    transfers: bool = False
    outages: int = 0
    broken: frozenset[str] = field(default_factory=frozenset)

    @property
    def last_age(self) -> int:
        """The last age at which a copy can still execute."""
        return self.receive_window + self.venue_timeout

    @property
    def fence(self) -> int:
        """The age from which a denial may be believed: nothing can arrive, and the records have caught up."""
        last, lag = self.last_age, max(self.query_lag, 1)
        if "fence_without_venue_timeout" in self.broken:
            last -= self.venue_timeout
        if "fence_without_receive_window" in self.broken:
            last -= self.receive_window
        if "denials_in_one_moment" in self.broken:
            lag = 1
        return last + lag

    @property
    def oldest(self) -> int:
        """Where ages stop counting."""
        return self.last_age + max(self.query_lag, 1)


def initial_states(settings: Settings) -> Iterator[State]:
    """Armed, with nothing sent and nothing held, on each kind of account."""
    for surplus in settings.surpluses:
        yield State(signals=settings.signals, surplus=surplus, outages=settings.outages)


def put(state: State, order: Order, **changes: Any) -> State:
    """The state with this order in the place of the one in its slot."""
    orders = (*(other for other in state.orders if other.slot != order.slot), order)
    return tidied(state._replace(orders=orders, **changes))


def tidied(state: State) -> State:
    """The state without what can have no effect any more, so that equal futures are one state."""
    orders = tuple(order for order in state.orders if not order.is_over)
    leaving = state.phase >= EXITING
    listed = state.listed or state.phase in {ARMED, CLOSED}
    if state.disk is None and listed:
        orders = _renumbered(orders)
    orders = tuple(sorted(orders))
    in_outage = state.disk is not None or any(order.slot >= OUTAGE_SLOT for order in orders)
    return state._replace(
        orders=orders,
        latched=state.latched and not leaving,
        asked=state.asked and not leaving,
        signals=state.signals if state.phase <= ENTERING else 0,
        attempts=state.attempts if in_outage else 0,
        listed=listed,
        run_age=0 if listed else state.run_age,
    )


def _renumbered(orders: tuple[Order, ...]) -> tuple[Order, ...]:
    """Once the journal has every id that was used, the ids of an outage are like any others."""
    late = [order for order in orders if order.slot >= OUTAGE_SLOT]
    if not late or any(order.row == NONE for order in late):
        return orders
    others = [order for order in orders if order.slot < OUTAGE_SLOT]
    free = [slot for slot in (1, 2) if all(order.slot != slot for order in others)]
    assert len(late) <= len(free), orders
    return (*others, *(order._replace(slot=slot) for order, slot in zip(late, free, strict=False)))


# --- what must always hold -------------------------------------------------------------------------------------------


def one_entry(state: State) -> bool:
    """At most one entry executes per position."""
    return state.entries <= 1


def never_flipped(state: State) -> bool:
    """What the exits executed never exceeds what the entry did."""
    return state.exited <= state.entered


def no_id_twice(state: State) -> bool:
    """No client order id is sent again while an earlier request of it may still execute, or has executed."""
    return not any(order.doubled for order in state.orders)


def entry_sent_once(state: State) -> bool:
    """An entry is sent once, whatever became of it: its signal is stale."""
    return all(order.sends <= 1 for order in state.orders if order.is_entry)


def no_stale_entry(state: State) -> bool:
    """A pending entry of an earlier epoch is never sent."""
    return not state.stale_entry_sent


def closed_is_over(state: State) -> bool:
    """Closed means flat, and every attempt is terminal or past the fence."""
    return state.phase != CLOSED or (
        state.entered == state.exited and not any(order.row or order.copies for order in state.orders)
    )


def nothing_unowned(state: State) -> bool:
    """An Armed position holds nothing, and nothing that could enter is on its way."""
    return state.phase != ARMED or (
        state.entered == state.exited and not any(order.copies for order in state.orders if order.is_entry)
    )


def wish_kept(state: State) -> bool:
    """Whoever asked to leave while the entry was on its way does not find the position waiting afterwards."""
    return not (state.asked and state.phase in {ARMED, ACTIVE})


def fills_are_true(state: State) -> bool:
    """The journal never claims more than the venue executed."""
    return state.entry <= state.entered and state.exit <= state.exited


def two_in_flight(state: State) -> bool:
    """At most two attempts of an exit are open, and two only under the self fence."""
    open_exits = sum(order.row != NONE for order in state.orders if not order.is_entry)
    return open_exits <= (2 if state.fence == SELF else 1)


INVARIANTS = (
    one_entry,
    never_flipped,
    no_id_twice,
    entry_sent_once,
    no_stale_entry,
    closed_is_over,
    nothing_unowned,
    wish_kept,
    fills_are_true,
    two_in_flight,
)


def overshoot_bounded(state: State) -> bool:
    """Under the self fence too much may be bought back, but less than a second whole exit; it is sold before Closed."""
    return state.exited - state.entered <= (state.surplus if state.fence == SELF else 0)


def is_finished(state: State) -> bool:
    """Closed, or Armed again with nothing on its way: no promise is left to keep."""
    over = state.entered == state.exited and not any(order.row or order.copies for order in state.orders)
    return over and (state.phase == CLOSED or (state.phase == ARMED and not state.latched))
