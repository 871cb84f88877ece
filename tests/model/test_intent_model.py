"""The intent protocol holds in every state that its model can reach, and breaks without any one of its rules.

ROBSON_TEST_MODEL=large checks larger settings as well (a minute or two, half a GB of memory).
"""

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.model import checker
from tests.model.checker import Result, check
from tests.model.intent_model import (
    FIRST_ENTRY,
    INVARIANTS,
    Settings,
    State,
    initial_states,
    never_flipped,
    overshoot_bounded,
)
from tests.model.mutations import ASSUMPTIONS, MUTATIONS, Mutation
from tests.model.steps import IntentModel

LARGE = os.environ.get("ROBSON_TEST_MODEL") == "large"

SETTINGS = {
    # The clock fence alone, on accounts that fund one exit, one and a half, and two.
    "clock": Settings(self_fencing=None, surpluses=(0, 1, 2), signals=2),
    "self fence": Settings(surpluses=(0, 1, 2), signals=2),
    # A short's fence declines only when the account could buy back everything twice.
    "self fence of a short": Settings(
        self_fencing="quote", surpluses=(0, 1, 2), exit_partials=False, capped=False, signals=2
    ),
    "self fence of a short, partial fills": Settings(self_fencing="quote", surpluses=(0, 1, 2)),
    "clock, hand-made trades": Settings(self_fencing=None, hand_trades=True),
    "clock, one outage of the journal": Settings(self_fencing=None, outages=1),
}
if LARGE:
    SETTINGS |= {
        "large, self fence": Settings(
            receive_window=2, venue_timeout=3, quantity=3, surpluses=(0, 1, 3), signals=2, hand_trades=True
        ),
        "large, clock, two outages": Settings(self_fencing=None, quantity=3, surpluses=(0, 3), signals=2, outages=2),
        "large, self fence, one outage": Settings(outages=1),
    }


@cache
def checked(name: str) -> Result:
    settings = SETTINGS[name]
    oversells = settings.self_fencing == "quote" and (settings.capped or settings.exit_partials)
    invariants = [rule for rule in INVARIANTS if not (oversells and rule is never_flipped)]
    result = check(settings, [*invariants, overshoot_bounded])
    checker.VISITED.append(f"intent model, {name}: {result}")
    return result


@pytest.mark.parametrize("name", SETTINGS)
def test_every_reachable_state_keeps_the_promises_and_can_finish(name: str) -> None:
    result = checked(name)
    assert result.wrong is None, str(result.wrong)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.what.replace(" ", "-"))
def test_without_this_rule_the_model_breaks(mutation: Mutation) -> None:
    wrong = mutation.check().wrong
    print(f"{mutation.rule}: {wrong}")
    assert wrong is not None
    assert wrong.rule == (mutation.breaks.__name__ if mutation.breaks is not None else "can_finish")


@pytest.mark.parametrize("assumption", ASSUMPTIONS, ids=lambda assumption: assumption.what.replace(" ", "-"))
def test_what_the_self_fence_relies_on(assumption: Mutation) -> None:
    wrong = assumption.check().wrong
    print(wrong)
    assert wrong is not None


def test_nothing_that_the_model_describes_is_out_of_reach() -> None:
    seen = frozenset[str]().union(*(checked(name).seen for name in SETTINGS))
    source = "".join((Path(__file__).parent / f"{name}.py").read_text("utf-8") for name in ("steps", "world"))
    described = set(re.findall(r'Step\("\w+", "([^"]+)"', source))
    only_broken = {text for text in described if "again without" in text or "not yet written" in text}
    only_broken |= {"writes down that it was sent", "asks: denied", "asks for the next id once: denied"}
    only_broken |= {"reads the account again: it funds only one", "moves collateral in"}
    assert len(described) > 25
    assert only_broken < described
    assert described - only_broken <= seen


def test_the_search_sees_both_attempts_of_an_exit_execute_a_part() -> None:
    def not_both(state: State) -> bool:
        return sum(bool(order.executed) for order in state.orders if not order.is_entry) < 2

    result = check(Settings(), [not_both], can_finish=False)
    assert result.wrong is not None
    assert "second attempt under the self fence" in str(result.wrong)


def test_the_search_sees_a_second_signal_enter_after_the_first_came_to_nothing() -> None:
    def not_entered(state: State) -> bool:
        second = state.order(FIRST_ENTRY - 1)
        return second is None or not second.executed

    result = check(SETTINGS["clock"], [not_entered], can_finish=False)
    assert result.wrong is not None
    assert result.wrong.trace[-1].after.entries == 1


def test_a_trace_can_be_walked_again() -> None:
    mutation = MUTATIONS[0]
    wrong = mutation.check().wrong
    assert wrong is not None
    settings = replace(mutation.settings, broken=frozenset({mutation.rule}))
    (state,) = initial_states(settings)
    for step in wrong.trace:
        assert step in list(IntentModel(settings).steps(state))
        state = step.after
    assert not never_flipped(state)


def test_the_page_about_the_model_names_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "MODEL.md").read_text("utf-8")
    assert not [mutation.rule for mutation in MUTATIONS if f"`{mutation.rule}`" not in page]
