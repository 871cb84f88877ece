"""Client order ids: computed again after a crash, never the same for two orders, acceptable to the venue."""

import re

from robson.domain.ids import entry_order_id, exit_order_id, is_ours
from robson.domain.values import PositionId

ONE, TWO = PositionId("one"), PositionId("two")


def test_ids_are_what_the_venue_accepts_and_what_we_recognise() -> None:
    for made in (entry_order_id(ONE, "s1"), exit_order_id(ONE, 1, 0)):
        assert re.fullmatch(r"[a-zA-Z0-9-_]{1,36}", made)
        assert is_ours(made)
    for other in ("", "web_0190", "rbn", "rbn" + "g" * 32, "rbn" + "0" * 31, "RBN" + "0" * 32, "rbn" + "0" * 32 + "\n"):
        assert not is_ours(other)


def test_ids_never_change_between_versions() -> None:
    """A daemon that was upgraded must find the orders of the one before."""
    assert entry_order_id(ONE, "s1") == "rbnda5ea202ebe6010d2eb20c98028fd975"
    assert exit_order_id(ONE, 2, 1) == "rbned3bf8bcd7d38e9ae869a88f6bae78f0"


def test_ids_differ_in_everything_they_are_made_of() -> None:
    ids = [entry_order_id(position, signal) for position in (ONE, TWO) for signal in ("s1", "s2", "1\x000", "10")]
    ids += [exit_order_id(position, a, p) for position in (ONE, TWO) for a in range(1, 30) for p in range(30)]
    assert len(set(ids)) == len(ids)
