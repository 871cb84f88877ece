"""Writes docs/STATES.md: the state diagram and the table behind it, from what decide and evolve do.

python -m tests.unit.engine.diagram > docs/STATES.md
"""

import sys
from collections.abc import Iterator

from robson.domain.errors import RuleError
from robson.domain.position import STATE_NAMES
from robson.engine.decide import decide
from tests.unit.engine.samples import NOON, STATES, STIMULI, armed_fact, events_of

COMMAND = "python -m tests.unit.engine.diagram > docs/STATES.md"

HEADER = f"""# States

<!-- Generated: {COMMAND} -->

A position is in one of six states. A *stimulus* happens to it; `decide` answers with *events* (the stored facts) and
the orders to place; `evolve` makes the new state from the events, and nothing else writes state. This page is made by
putting every stimulus to a position in every state, and a test keeps it in step with the code.
"""

READING = """## Every stimulus that does something

What is not listed changes nothing: it comes too late, or belongs to another order. In brackets: the variants of a state
for which a row is true; "plain" is the one without a remark.

| state | stimulus | events | afterwards |
|---|---|---|---|"""


def outcomes() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """Variant of a state, variant of a stimulus, events (or the error code) and the state afterwards."""
    for state, position in STATES.items():
        for stimulus, arrived in STIMULI.items():
            try:
                decision = decide(position, arrived, NOON)
            except RuleError as error:
                yield state, stimulus, (error.code,), ""
                continue
            if decision.facts:
                yield state, stimulus, tuple(events_of(decision)), decision.position.state_name


def stem(variant: str) -> str:
    """The name before the comma."""
    return variant.partition(",")[0]


def diagram() -> list[str]:
    """The edges, each with the stimuli that lead along it."""
    edges: dict[tuple[str, str], list[str]] = {}
    for state, stimulus, _, after in outcomes():
        if after:
            causes = edges.setdefault((stem(state), after), [])
            if stem(stimulus) not in causes:
                causes.append(stem(stimulus))
    order = {name: index for index, name in enumerate(STATE_NAMES)}
    lines = [f"    [*] --> Armed: {armed_fact().event.__class__.__name__}"]
    for (before, after), causes in sorted(edges.items(), key=lambda edge: [order[name] for name in edge[0]]):
        lines.append(f"    {before} --> {after}: {', '.join(causes)}")
    return ["```mermaid", "stateDiagram-v2", *lines, "    Closed --> [*]", "```"]


def rows() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """States, stimuli, events and state afterwards; what happens to several is told once."""
    states: dict[tuple[str, str, tuple[str, ...], str], list[str]] = {}
    for state, stimulus, events, after in outcomes():
        # On a position that never accepted it, that id is like any other.
        if "accepted before" not in stimulus or after != "Entering":
            states.setdefault((stem(state), stimulus, events, after), []).append(state)
    stimuli: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
    for (state, stimulus, events, after), variants in states.items():
        stimuli.setdefault((shown(state, variants), events, after), []).append(stimulus)
    for (state, events, after), causes in stimuli.items():
        yield state, listed(causes), events, after


def listed(stimuli: list[str]) -> str:
    """The stimuli, those of which every variant is meant by their plain name."""
    names: list[str] = []
    for stimulus in stimuli:
        whole = {name for name in STIMULI if stem(name) == stem(stimulus)} <= set(stimuli)
        name = stem(stimulus) if whole else stimulus
        if name not in names:
            names.append(name)
    return " / ".join(names)


def shown(state: str, variants: list[str]) -> str:
    """A state's name, with its variants where not all of them are meant."""
    every = [name for name in STATES if stem(name) == state]
    if variants == every:
        return state
    return f"{state} ({' / '.join(name.partition(', ')[2] or 'plain' for name in variants)})"


def document() -> str:
    """The whole page."""
    told = [
        f"| {state} | {stimuli} | {', '.join(events)} | {after} |" for state, stimuli, events, after in rows() if after
    ]
    refused = [f"| {state} | {stimuli} | `{code}` |" for state, stimuli, (code, *_), after in rows() if not after]
    parts = [
        HEADER,
        "\n".join(diagram()) + "\n",
        "\n".join([READING, *told]) + "\n",
        "\n".join(["## Every request that is refused", "", "| state | stimulus | code |", "|---|---|---|", *refused])
        + "\n",
    ]
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(document())
