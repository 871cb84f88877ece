"""The full matrices: what every stimulus does in every state, and where every event may happen."""

from decimal import Decimal

import msgspec
import pytest

from robson.domain.errors import IllegalTransition, RuleError
from robson.domain.events import EVENT_TYPES, Fact, event_type
from robson.domain.position import STATE_NAMES, Armed, Position
from robson.domain.stimuli import Stimulus
from robson.domain.values import ExitReason
from robson.engine.decide import decide
from robson.engine.evolve import evolve
from tests.unit.engine.samples import EVENTS, ID, NOON, STATES, STIMULI, events_of, signal, trace

# What each word of the tables below stands for: events > state afterwards, orders asked for.
MEANING = {
    ".": "",
    "wrong": "refused: wrong_state",
    "enter": "entry_signal_received entry_order_placed > Entering, 1 order",
    "reject": "signal_rejected > Armed",
    "reject+": "signal_rejected position_disarmed > Closed",
    "void": "signal_rejected > Error",
    "disarm": "position_disarmed > Closed",
    "fill": "entry_filled > Active",
    "fill+out": "entry_filled exit_order_placed > Exiting, 1 order",
    "beyond": "entry_filled exit_triggered exit_order_placed > Exiting, 1 order",
    "kept": "entry_filled > Error",
    "ratchet": "trailing_stop_updated > Active",
    "looser": "refused: stop_looser",
    "passed": "refused: stop_passed",
    "hit": "trailing_stop_updated exit_triggered exit_order_placed > Exiting, 1 order",
    "out": "exit_triggered exit_order_placed > Exiting, 1 order",
    "await": "exit_triggered > Entering",
    "retry": "exit_triggered > Exiting",
    "sold": "exit_filled > Exiting",
    "late": "exit_filled > Error",
    "more": "exit_order_placed > Exiting, 1 order",
    "closed": "position_closed > Closed",
    "fault": "position_error > Error",
    "cut": "exit_filled > Active",
    "gone": "exit_triggered exit_filled > Exiting",
    "over": "entry_signal_received entry_filled > Active",
}

TABLES = """
                                 |Armed  |Armed, signal refused |Entering |Entering, exit decided |Active
SignalArrived                    |enter  |enter                 |wrong    |wrong                  |wrong
SignalArrived, against a rule    |reject |reject                |wrong    |wrong                  |wrong
SignalArrived, id accepted before|enter  |.                     |wrong    |wrong                  |wrong
SignalFailed                     |reject |reject                |.        |.                      |.
EntryExecuted                    |.      |.                     |fill     |fill+out               |.
EntryExecuted, beyond its stop   |.      |.                     |beyond   |fill+out               |.
EntryExecuted, another order     |.      |.                     |.        |.                      |.
EntryRefused                     |.      |.                     |reject   |reject+                |.
EntryRefused, another order      |.      |.                     |.        |.                      |.
StopMoved                        |.      |.                     |.        |.                      |ratchet
StopMoved, looser                |.      |.                     |.        |.                      |.
StopTightened                    |wrong  |wrong                 |wrong    |wrong                  |ratchet
StopTightened, looser            |wrong  |wrong                 |wrong    |wrong                  |looser
StopTightened, beyond the price  |wrong  |wrong                 |wrong    |wrong                  |passed
StopHit                          |.      |.                     |.        |.                      |hit
ExitRequested, close             |wrong  |wrong                 |await    |.                      |out
ExitRequested, panic             |disarm |disarm                |await    |.                      |out
DisarmRequested                  |disarm |disarm                |wrong    |wrong                  |wrong
ExitExecuted                     |.      |.                     |.        |.                      |.
ExitExecuted, another order      |.      |.                     |.        |.                      |.
FilledElsewhere                  |.      |.                     |.        |.                      |cut
FilledElsewhere, all of it       |.      |.                     |.        |.                      |gone
HoldingAdopted                   |over   |over                  |wrong    |wrong                  |wrong
ReleaseRequested                 |wrong  |wrong                 |wrong    |wrong                  |closed
RemainderFound                   |.      |.                     |.        |.                      |.
ExitsFound                       |.      |.                     |.        |.                      |out
FlatProved                       |.      |.                     |.        |.                      |.
FaultFound                       |fault  |fault                 |fault    |fault                  |fault

                                 |Exiting, no order |Exiting, order out |Exiting, order filled |Closed |Closed, disarmed
SignalArrived                    |wrong             |wrong              |wrong                 |wrong  |wrong
SignalArrived, against a rule    |wrong             |wrong              |wrong                 |wrong  |wrong
SignalArrived, id accepted before|wrong             |wrong              |wrong                 |wrong  |wrong
SignalFailed                     |.                 |.                  |.                     |.      |.
EntryExecuted                    |.                 |.                  |.                     |.      |.
EntryExecuted, beyond its stop   |.                 |.                  |.                     |.      |.
EntryExecuted, another order     |.                 |.                  |.                     |.      |.
EntryRefused                     |.                 |.                  |.                     |.      |.
EntryRefused, another order      |.                 |.                  |.                     |.      |.
StopMoved                        |.                 |.                  |.                     |.      |.
StopMoved, looser                |.                 |.                  |.                     |.      |.
StopTightened                    |wrong             |wrong              |wrong                 |wrong  |wrong
StopTightened, looser            |wrong             |wrong              |wrong                 |wrong  |wrong
StopTightened, beyond the price  |wrong             |wrong              |wrong                 |wrong  |wrong
StopHit                          |.                 |.                  |.                     |.      |.
ExitRequested, close             |.                 |.                  |.                     |wrong  |wrong
ExitRequested, panic             |.                 |.                  |.                     |.      |.
DisarmRequested                  |wrong             |wrong              |wrong                 |wrong  |wrong
ExitExecuted                     |.                 |sold               |.                     |.      |.
ExitExecuted, another order      |.                 |.                  |.                     |.      |.
FilledElsewhere                  |sold              |sold               |sold                  |.      |.
FilledElsewhere, all of it       |sold              |sold               |sold                  |.      |.
HoldingAdopted                   |wrong             |wrong              |wrong                 |wrong  |wrong
ReleaseRequested                 |wrong             |wrong              |wrong                 |wrong  |wrong
RemainderFound                   |more              |more               |more                  |.      |.
ExitsFound                       |more              |more               |more                  |.      |.
FlatProved                       |closed            |closed             |closed                |.      |.
FaultFound                       |fault             |fault              |fault                 |.      |.

                                 |Error, nothing begun |Error, entry on its way |Error, entry on its way, exit decided
SignalArrived                    |wrong                |wrong                   |wrong
SignalArrived, against a rule    |wrong                |wrong                   |wrong
SignalArrived, id accepted before|wrong                |wrong                   |wrong
SignalFailed                     |.                    |.                       |.
EntryExecuted                    |.                    |kept                    |fill+out
EntryExecuted, beyond its stop   |.                    |beyond                  |fill+out
EntryExecuted, another order     |.                    |.                       |.
EntryRefused                     |.                    |void                    |reject+
EntryRefused, another order      |.                    |.                       |.
StopMoved                        |.                    |.                       |.
StopMoved, looser                |.                    |.                       |.
StopTightened                    |wrong                |wrong                   |wrong
StopTightened, looser            |wrong                |wrong                   |wrong
StopTightened, beyond the price  |wrong                |wrong                   |wrong
StopHit                          |.                    |.                       |.
ExitRequested, close             |disarm               |await                   |await
ExitRequested, panic             |disarm               |await                   |await
DisarmRequested                  |disarm               |wrong                   |wrong
ExitExecuted                     |.                    |.                       |.
ExitExecuted, another order      |.                    |.                       |.
FilledElsewhere                  |.                    |.                       |.
FilledElsewhere, all of it       |.                    |.                       |.
HoldingAdopted                   |wrong                |wrong                   |wrong
ReleaseRequested                 |wrong                |wrong                   |wrong
RemainderFound                   |.                    |.                       |.
ExitsFound                       |.                    |.                       |.
FlatProved                       |.                    |.                       |.
FaultFound                       |.                    |.                       |.

                                 |Error, in the market |Error, exit order out
SignalArrived                    |wrong                |wrong
SignalArrived, against a rule    |wrong                |wrong
SignalArrived, id accepted before|wrong                |wrong
SignalFailed                     |.                    |.
EntryExecuted                    |.                    |.
EntryExecuted, beyond its stop   |.                    |.
EntryExecuted, another order     |.                    |.
EntryRefused                     |.                    |.
EntryRefused, another order      |.                    |.
StopMoved                        |.                    |.
StopMoved, looser                |.                    |.
StopTightened                    |wrong                |wrong
StopTightened, looser            |wrong                |wrong
StopTightened, beyond the price  |wrong                |wrong
StopHit                          |.                    |.
ExitRequested, close             |retry                |retry
ExitRequested, panic             |retry                |retry
DisarmRequested                  |wrong                |wrong
ExitExecuted                     |.                    |late
ExitExecuted, another order      |.                    |.
FilledElsewhere                  |late                 |late
FilledElsewhere, all of it       |gone                 |gone
HoldingAdopted                   |wrong                |wrong
ReleaseRequested                 |closed               |closed
RemainderFound                   |.                    |.
ExitsFound                       |out                  |out
FlatProved                       |.                    |.
FaultFound                       |.                    |.
"""

# The state after each event; a dot where the event cannot happen. "Armed, signal taken" lasts only between two events.
EVOLUTION = """
                      |none |Armed |Armed, signal taken |Entering |Entering, exit decided |Active  |Exiting |Closed
position_armed        |Armed|.     |.                   |.        |.                      |.       |.       |.
entry_signal_received |.    |Armed |.                   |.        |.                      |.       |.       |.
signal_rejected       |.    |Armed |Armed               |Armed    |Armed                  |.       |.       |.
entry_order_placed    |.    |.     |Entering            |.        |.                      |.       |.       |.
entry_filled          |.    |.     |.                   |Active   |Exiting                |.       |.       |.
trailing_stop_updated |.    |.     |.                   |.        |.                      |Active  |.       |.
exit_triggered        |.    |.     |.                   |Entering |.                      |Exiting |.       |.
exit_order_placed     |.    |.     |.                   |.        |.                      |.       |Exiting |.
exit_filled           |.    |.     |.                   |.        |.                      |.       |Exiting |.
position_closed       |.    |.     |.                   |.        |.                      |.       |Closed  |.
position_disarmed     |.    |Closed|Closed              |.        |.                      |.       |.       |.
position_error        |.    |Error |Error               |Error    |Error                  |Error   |Error   |.

                      |Error, nothing begun |Error, entry on its way |Error, entry on its way, exit decided
position_armed        |.                    |.                       |.
entry_signal_received |.                    |.                       |.
signal_rejected       |.                    |Error                   |Error
entry_order_placed    |.                    |.                       |.
entry_filled          |.                    |Error                   |Exiting
trailing_stop_updated |.                    |.                       |.
exit_triggered        |.                    |Entering                |Entering
exit_order_placed     |.                    |.                       |.
exit_filled           |.                    |.                       |.
position_closed       |.                    |.                       |.
position_disarmed     |Closed               |.                       |.
position_error        |.                    |.                       |.

                      |Error, in the market |Error, exit order out
position_armed        |.                    |.
entry_signal_received |.                    |.
signal_rejected       |.                    |.
entry_order_placed    |.                    |.
entry_filled          |.                    |.
trailing_stop_updated |.                    |.
exit_triggered        |Exiting              |Exiting
exit_order_placed     |.                    |.
exit_filled           |.                    |Error
position_closed       |.                    |.
position_disarmed     |.                    |.
position_error        |.                    |.
"""


def cells(tables: str) -> dict[tuple[str, str], str]:
    """(column, row) to word."""
    found: dict[tuple[str, str], str] = {}
    for table in tables.strip("\n").split("\n\n"):
        head, *rows = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
        for row in rows:
            assert len(row) == len(head), row
            for column, word in zip(head[1:], row[1:], strict=True):
                assert (column, row[0]) not in found, row
                found[column, row[0]] = word
    return found


DECISIONS, TRANSITIONS = cells(TABLES), cells(EVOLUTION)


def outcome(position: Position, stimulus: Stimulus) -> str:
    try:
        decision = decide(position, stimulus, NOON)
    except RuleError as error:
        return f"refused: {error.code}"
    if not decision.facts:
        assert decision.position is position
        assert not decision.actions
        return ""
    orders = f", {len(decision.actions)} order" if decision.actions else ""
    return f"{' '.join(events_of(decision))} > {decision.position.state_name}{orders}"


def test_the_table_has_every_state_and_every_stimulus() -> None:
    assert set(DECISIONS) == {(state, stimulus) for state in STATES for stimulus in STIMULI}
    assert set(DECISIONS.values()) == set(MEANING)
    assert {position.state_name for position in STATES.values()} == set(STATE_NAMES)
    assert {type(stimulus) for stimulus in STIMULI.values()} == set(Stimulus.__args__)


@pytest.mark.parametrize("stimulus", STIMULI)
@pytest.mark.parametrize("state", STATES)
def test_a_stimulus_in_a_state(state: str, stimulus: str) -> None:
    assert outcome(STATES[state], STIMULI[stimulus]) == MEANING[DECISIONS[state, stimulus]]


@pytest.mark.parametrize(("state", "stimulus"), [pair for pair, word in DECISIONS.items() if word == "wrong"])
def test_a_refusal_names_the_state_and_says_what_to_do(state: str, stimulus: str) -> None:
    with pytest.raises(RuleError, match=f"was {STATES[state].state_name}") as caught:
        decide(STATES[state], STIMULI[stimulus], NOON)
    assert caught.value.hint


def evolutions() -> dict[str, Position | None]:
    taken = trace(STATES["Armed"], signal())[0]
    return {
        "none": None,
        "Armed, signal taken": evolve(STATES["Armed"], taken.facts[0]),
        **{name: state for name, state in STATES.items() if name not in {"Armed, signal refused", "Closed, disarmed"}},
    }


def test_the_table_has_every_state_and_every_event() -> None:
    assert [event_type(event) for event in EVENTS] == list(EVENT_TYPES)
    three = {"Exiting, no order", "Exiting, order out", "Exiting, order filled"}
    columns = {"Exiting" if state in three else state for state in evolutions()}
    assert set(TRANSITIONS) == {(state, kind) for state in columns for kind in EVENT_TYPES}


@pytest.mark.parametrize("event", EVENTS, ids=event_type)
@pytest.mark.parametrize("state", evolutions())
def test_an_event_in_a_state(state: str, event: object) -> None:
    position = evolutions()[state]
    fact = Fact(position_id=ID, at=NOON, event=event)  # type: ignore[arg-type]
    kind = event_type(fact.event)
    column = "Exiting" if state.startswith("Exiting") else state
    expected = TRANSITIONS[column, kind]
    if expected == ".":
        with pytest.raises(IllegalTransition, match=kind):
            evolve(position, fact)
    else:
        assert evolve(position, fact).state_name == expected


def test_what_others_did_is_folded_where_the_same_event_of_ours_would_be_a_fault() -> None:
    (own, closed), reduced = (EVENTS[8], EVENTS[9]), {"elsewhere": ExitReason.CLOSED_ELSEWHERE}
    elsewhere = Fact(position_id=ID, at=NOON, event=msgspec.structs.replace(own, **reduced))
    released = Fact(position_id=ID, at=NOON, event=msgspec.structs.replace(closed, exit_reason=ExitReason.RELEASED))
    for name in ("Active", "Error, in the market"):
        after = evolve(STATES[name], elsewhere)
        assert after.state_name == STATES[name].state_name
        assert after.reduction.quantity == Decimal("0.06659")
        assert evolve(after, released).state_name == "Closed"
    for name in ("Armed", "Entering", "Error, nothing begun", "Closed"):
        for fact in (elsewhere, released):
            with pytest.raises(IllegalTransition):
                evolve(STATES[name], fact)


def test_an_adopted_holding_needs_no_order() -> None:
    taken = evolutions()["Armed, signal taken"]
    entry = Fact(position_id=ID, at=NOON, event=msgspec.structs.replace(EVENTS[4], client_order_id=""))
    assert evolve(taken, entry).state_name == "Active"
    with pytest.raises(IllegalTransition):
        evolve(STATES["Armed"], entry)


def test_a_signal_is_taken_between_two_events_only() -> None:
    taken = evolutions()["Armed, signal taken"]
    assert taken is not None
    assert isinstance(taken.state, Armed)
    assert taken.state.signal is not None
    assert taken.state.signal.signal_id == "s1"
