"""What single rows make of the explanation: refused signals, candles, holdings taken over, archived rows."""

from decimal import Decimal

import msgspec

from robson.daemon.reasons import Reasons
from robson.domain.events import Notice
from robson.domain.ids import entry_order_id
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.stimuli import Stimulus
from robson.protocol.oversight_results import WhyResult
from robson.store.sequence import record
from tests.unit.engine.samples import (
    ADOPTED,
    FAULT,
    HIT,
    ID,
    NOON,
    REFUSAL,
    TIGHTER,
    armed,
    armed_fact,
    entry_fill,
    signal,
    trace,
)

TAKEN_AGAIN = (signal(), REFUSAL, signal(94_900, 93_400, signal_id="s2"), entry_fill(order=entry_order_id(ID, "s2")))


def lived(*stimuli: Stimulus) -> tuple[Position, tuple[Recorded, ...]]:
    """The position after these stimuli, and its rows with a notice among them."""
    decisions = trace(armed(), *stimuli)
    facts = [armed_fact(), *(fact for decision in decisions for fact in decision.facts)]
    notice = Notice(type="unprotected", at=NOON, position_id=ID, data={"seconds": "1"})
    return decisions[-1].position, record(facts, (notice,), last_seq=0)


def explained(position: Position, rows: tuple[Recorded, ...]) -> WhyResult:
    reasons = Reasons()
    for row in rows:
        reasons.take(row)
    return reasons.explain(position, ())


def test_only_the_signal_that_led_into_the_market_explains_it() -> None:
    result = explained(*lived(*TAKEN_AGAIN))
    assert [step.step for step in result.chain] == ["signal", "decision", "order", "fill", "stop"]
    assert result.entry is not None
    assert (result.entry.reason, result.entry.reference_price) == ("s2", Decimal(94_900))
    # Bought for 95000 what was to cost 94900.
    assert result.entry.slippage_bps == Decimal("10.54")


def test_a_position_that_waits_says_why_its_last_signal_was_refused() -> None:
    result = explained(*lived(signal(stop=80_000, signal_id="wide"), signal(), REFUSAL))
    assert result.entry is None
    (step,) = result.chain
    assert (step.step, step.words) == ("result", "s1 was refused (venue, -2010): the account has no funds")


def test_without_its_order_nobody_knows_when_it_was_sent() -> None:
    result = explained(*lived(*TAKEN_AGAIN))
    assert result.entry is not None
    assert (result.entry.decision_to_sent_ms, result.entry.sent_to_fill_ms) == (None, None)
    assert result.entry.fill_to_known_ms == 3000
    (order,) = (step for step in result.chain if step.step == "order")
    assert (order.at, order.clock, order.after_ms) == (None, None, None)


def test_a_holding_that_was_taken_over_did_not_slip() -> None:
    result = explained(*lived(ADOPTED))
    assert result.entry is not None
    assert (result.entry.orders, result.entry.reference_price, result.entry.slippage_bps) == (0, None, None)
    assert result.entry.fill_price == Decimal(95_000)
    assert [step.step for step in result.chain] == ["signal", "decision", "fill", "stop"]


def test_of_a_candle_neither_the_trade_nor_its_moment_is_known() -> None:
    candle = msgspec.structs.replace(HIT, candle_seconds=60, trade_id=None)
    for hit, price, waited in ((HIT, Decimal(94_400), -57_000), (candle, None, None)):
        result = explained(*lived(signal(), entry_fill(), hit))
        assert result.exit is not None
        assert (result.exit.reference_price, result.exit.tick_to_decision_ms) == (price, waited)
        assert result.exit.stop_price == Decimal(94_500)
    (tick,) = (step for step in result.chain if step.step == "tick")
    assert "candle of 60 s" in tick.words


def test_moved_stops_are_counted_and_the_last_one_is_shown() -> None:
    higher = msgspec.structs.replace(TIGHTER, trailing_stop=Decimal(94_200), extreme=Decimal(95_700))
    result = explained(*lived(signal(), entry_fill(), TIGHTER, higher, HIT))
    assert result.stop_moves == 3
    stops = [step.price for step in result.chain if step.step == "stop"]
    assert stops == [Decimal(93_500), Decimal(94_500)]


def test_what_the_archive_has_taken_is_said_to_be_missing() -> None:
    position, rows = lived(signal(), entry_fill(), HIT)
    whole, late = explained(position, rows), explained(position, rows[4:])
    assert (whole.complete, late.complete) == (True, False)
    assert late.entry is None
    assert late.exit is not None


def test_a_fault_is_told_as_it_stands() -> None:
    result = explained(*lived(signal(), entry_fill(), FAULT))
    assert (result.chain[-1].step, result.chain[-1].words) == ("result", "position_error")
