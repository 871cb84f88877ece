"""Breadth-first search over every state of the model, and the search backwards from the end."""

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from tests.model.intent_model import (
    FIRST_ENTRY,
    OUTAGE_SLOT,
    Order,
    Settings,
    State,
    Step,
    initial_states,
    is_finished,
)
from tests.model.steps import IntentModel

Invariant = Callable[[State], bool]


class Counterexample(NamedTuple):
    """The rule that does not hold, and the shortest way there."""

    rule: str
    trace: tuple[Step, ...]

    def __str__(self) -> str:
        lines = (f"{number:3d}. {line}" for number, line in enumerate(told(self.trace), 1))
        return "\n".join((f"{self.rule} does not hold after", *lines))


class Result(NamedTuple):
    """What was visited; `wrong` is None when every rule held everywhere."""

    states: int
    transitions: int
    depth: int
    seen: frozenset[str]
    wrong: Counterexample | None

    def __str__(self) -> str:
        return f"{self.states} states, {self.transitions} transitions, depth {self.depth}"


# What the tests visited, for their summary.
VISITED: list[str] = []

# Neither a crash nor the operator's help counts as a way to the end.
UNHELPFUL = frozenset({"crash", "operator"})


def check(settings: Settings, invariants: Sequence[Invariant], *, can_finish: bool = True) -> Result:
    """Visit every state; stop at the first that breaks an invariant, then look for states that cannot finish."""
    model = IntentModel(settings)
    index: dict[State, int] = {}
    states: list[State] = []
    parent = array("l")
    edges: array[int] = array("L")  # pairs: from, to; only those that may count as a way to the end
    transitions = 0
    seen: set[str] = set()
    queue: deque[int] = deque()
    for state in initial_states(settings):
        index[state] = len(states)
        queue.append(len(states))
        states.append(state)
        parent.append(-1)
    while queue:
        here = queue.popleft()
        for step in model.steps(states[here]):
            after = step.after
            there = index.get(after)
            if there is None:
                there = index[after] = len(states)
                states.append(after)
                parent.append(here)
                queue.append(there)
                for rule in invariants:
                    if not rule(after):
                        found = Counterexample(rule.__name__, _trace(model, states, parent, there))
                        return Result(len(states), transitions, len(found.trace), frozenset(seen), found)
            if there != here:
                transitions += 1
                seen.add(step.what)
                if can_finish and step.who not in UNHELPFUL:
                    edges.append(here)
                    edges.append(there)
    stuck = _first_stuck(states, edges) if can_finish else None
    wrong = None if stuck is None else Counterexample("can_finish", _trace(model, states, parent, stuck))
    return Result(len(states), transitions, _depth(parent), frozenset(seen), wrong)


def _depth(parent: "array[int]") -> int:
    depths = array("L", bytes(8 * len(parent)))
    for here, before in enumerate(parent):
        depths[here] = depths[before] + 1 if before >= 0 else 0
    return max(depths)


def _first_stuck(states: Sequence[State], edges: "array[int]") -> int | None:
    """The earliest visited state from which no finished state can be reached; None when there is none."""
    incoming = array("L", bytes(8 * (len(states) + 1)))
    for at in range(1, len(edges), 2):
        incoming[edges[at] + 1] += 1
    for here in range(len(states)):
        incoming[here + 1] += incoming[here]
    sources, fill = array("L", bytes(4 * len(edges))), array("L", incoming)
    for at in range(0, len(edges), 2):
        there = edges[at + 1]
        sources[fill[there]] = edges[at]
        fill[there] += 1
    reached = bytearray(len(states))
    todo = [here for here, state in enumerate(states) if is_finished(state)]
    for here in todo:
        reached[here] = 1
    while todo:
        here = todo.pop()
        for at in range(incoming[here], incoming[here + 1]):
            before = sources[at]
            if not reached[before]:
                reached[before] = 1
                todo.append(before)
    found = reached.find(0)
    return None if found < 0 else found


def _trace(model: IntentModel, states: Sequence[State], parent: "array[int]", end: int) -> tuple[Step, ...]:
    path = [end]
    while parent[path[-1]] >= 0:
        path.append(parent[path[-1]])
    path.reverse()
    trace = []
    for here, there in pairwise(path):
        trace.append(next(step for step in model.steps(states[here]) if step.after == states[there]))
    return tuple(trace)


def told(trace: Sequence[Step]) -> Iterator[str]:
    """A trace in words; exit attempts are numbered as they were decided, an id that is used again keeps its number."""
    numbers: dict[int, int] = {}
    before: dict[int, Order] = {}
    attempts = 0
    for step in trace:
        name = _name(step.slot, numbers)
        yield f"{step.who}: {name}{step.what}"
        after = {order.slot: order for order in step.after.orders}
        for slot in after.keys() - before.keys():
            if slot > FIRST_ENTRY and not (step.who == "crash" and slot in numbers):
                moved = [old for old in before if old >= OUTAGE_SLOT and old not in after and slot < OUTAGE_SLOT]
                if moved:
                    numbers[slot] = numbers[moved[0]]
                elif slot < OUTAGE_SLOT or slot not in numbers:
                    attempts += 1
                    numbers[slot] = attempts
        before = after


def _name(slot: int | None, numbers: dict[int, int]) -> str:
    if slot is None:
        return ""
    return f"exit {numbers[slot]}: " if slot > FIRST_ENTRY else "entry: " if slot == FIRST_ENTRY else "second entry: "
