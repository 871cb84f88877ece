"""What the daemon has said to its clients, which no crash may take back."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from robson.commands.selftest.evidence import Evidence
from robson.domain.position import Closed


@dataclass(slots=True)
class Promises:
    """Replies that were received, and requests whose reply a kill has swallowed: these are sent once more.

    `unanswered` holds the fields of such requests by command and key.
    """

    armed: set[str] = field(default_factory=set)
    accepted: set[tuple[str, str]] = field(default_factory=set)
    over: set[str] = field(default_factory=set)
    unanswered: dict[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many replies must hold."""
        return len(self.armed) + len(self.accepted) + len(self.over)


def broken(promises: Promises, evidence: Evidence) -> list[str]:
    """Replies that the journal does not bear out, one line each."""
    positions = evidence.folded
    forgotten = sorted(promises.armed - set(positions))
    found = [f"position {id_} was armed by its reply and is forgotten" for id_ in forgotten]
    unanswered = sum(1 for cmd, _ in promises.unanswered if cmd == "arm")
    surplus = len(positions) - len(promises.armed) - unanswered
    if surplus > 0:
        found.append(f"{surplus} positions more were armed than anybody has asked for")
    taken = Counter(
        (row.position_id, row.data["signal_id"]) for row in evidence.events if row.type == "entry_signal_received"
    )
    found += [
        f"signal {signal_id} of position {id_} was accepted by its reply and is forgotten"
        for id_, signal_id in sorted(promises.accepted)
        if (id_, signal_id) not in taken
    ]
    found += [
        f"signal {signal_id} of position {id_} was taken {count} times"
        for (id_, signal_id), count in taken.items()
        if count > 1
    ]
    found += [
        f"position {id_} was over by its reply and is {positions[id_][0].state_name}"
        for id_ in sorted(promises.over & set(positions))
        if not isinstance(positions[id_][0].state, Closed)
    ]
    return found
