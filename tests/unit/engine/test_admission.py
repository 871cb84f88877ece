"""What around a position forbids its entry, each with its stage and code, and what does not."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.domain.stimuli import EntryTerms, Neighbour
from robson.domain.values import Side
from robson.engine.admission import admit
from robson.engine.sizing import Refusal
from tests.unit.engine.samples import BTCUSDT, TERMS, account

LONG, SHORT = Side.LONG, Side.SHORT


def neighbour(side: Side = LONG, **changes: Any) -> Neighbour:
    """A neighbour in the market behind its stop."""
    settled: dict[str, Any] = {"side": side, "in_market": True, "stop": Decimal(93_000), **changes}
    return Neighbour(**settled)


@dataclass
class Case:
    """One reason not to enter."""

    code: str
    stage: str
    text: str
    around: dict[str, Any]
    side: Side = LONG


CASES = [
    Case("panic_latched", "rule", "latch", {"latched": True}),
    Case("degraded", "rule", "the disk is full", {"degraded": "the disk is full"}),
    Case("not_tradable", "venue", "BTCUSDT", {"instrument": msgspec.structs.replace(BTCUSDT, tradable=False)}),
    Case("feed_stale", "stale", "price feed of BTCUSDT", {"stale": True}),
    Case("unexplained_debt", "pair", "owed 0.5 more", {"unexplained_debt": Decimal("0.5")}),
    Case("pair_busy", "pair", "a short of BTCUSDT", {"neighbours": (neighbour(SHORT),)}),
    Case("pair_busy", "pair", "a long of BTCUSDT", {"neighbours": (neighbour(),)}, side=SHORT),
    Case("pair_busy", "pair", "in doubt", {"neighbours": (neighbour(order_in_doubt=True),)}),
    Case("pair_busy", "pair", "another entry", {"neighbours": (neighbour(in_market=False, stop=None),)}),
    Case("pair_busy", "pair", "was in doubt", {"neighbours": (neighbour(), neighbour(order_in_doubt=True))}),
    Case("free_base", "pair", "0.00006 BTC were free", {"account": account(base="0.00006")}, side=SHORT),
]


def around(**changes: Any) -> EntryTerms:
    calm: dict[str, Any] = {"instrument": BTCUSDT, "account": account(), "terms": TERMS, **changes}
    return EntryTerms(**calm)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.side}: {case.text}")
def test_a_reason_not_to_enter(case: Case) -> None:
    with pytest.raises(Refusal, match=case.text) as caught:
        admit(case.side, Decimal(95_000), around(**case.around))
    assert (caught.value.code, caught.value.stage) == (case.code, case.stage)


def test_the_latch_comes_before_everything_else() -> None:
    everything: dict[str, Any] = {}
    for case in CASES:
        everything |= case.around
    with pytest.raises(Refusal, match="the panic latch is set"):
        admit(LONG, Decimal(95_000), around(**everything))


@pytest.mark.parametrize(
    ("side", "changes"),
    [
        (LONG, {}),
        (SHORT, {}),
        (LONG, {"neighbours": (neighbour(), neighbour(stop=None))}),
        (SHORT, {"neighbours": (neighbour(SHORT),)}),
        (SHORT, {"account": account(base="0.00005")}),  # too little to be sold: it is borrowed all the same
        (LONG, {"account": account(base=1)}),  # the trader's own base is left alone
    ],
)
def test_what_forbids_nothing(side: Side, changes: dict[str, Any]) -> None:
    admit(side, Decimal(95_000), around(**changes))
