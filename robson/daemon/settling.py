"""What an order's outcome means for its position: fills, the intent's last word and the stimulus, in one commit."""

from decimal import Decimal

import structlog

from robson.daemon.exit_terms import exit_terms
from robson.daemon.life import Life
from robson.domain.events import Notice
from robson.domain.stimuli import EntryExecuted, EntryRefused, ExitExecuted, Stimulus
from robson.domain.values import Fence, OrderSide, Role, plain
from robson.executor import intents
from robson.executor.resolution import Absent, Executed, Outcome, Refused
from robson.executor.self_fence import exceeded_by
from robson.ports import Fill, Intent, OrderReport

# "Filter failure: ..." and more digits than the asset has.
FILTER_CODES = frozenset({"-1013", "-1111"})

_log = structlog.get_logger("robson.orders")


def settle(life: Life, intent: Intent, outcome: Outcome) -> None:
    """Record the outcome of an intent and let the position feel it."""
    order = intent.order
    _log.info(
        "order_settled",
        position_id=order.position_id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        role=order.role.value,
        attempt=order.attempt,
        outcome=type(outcome).__name__.lower(),
    )
    match outcome:
        case Executed():
            ended = intents.mark_executed(intent, outcome.report)
            before = life.position
            life.feel(_executed(life, intent, outcome), intents=(ended,), fills=_fills(intent, outcome))
            if order.role is Role.EXIT:
                _tell_excess(life)
            # The fact first: what only counts must not stand in its way.
            life.around.tally.note_fill(before, intent, outcome)
        case Refused():
            ended = intents.mark_refused(intent, outcome.code, outcome.message)
            _refused(life, ended, outcome.stage, outcome.code, outcome.message)
        case Absent():
            ended = intents.mark_absent(intent)
            # Twelve seconds and more have passed: the entry's signal is stale, it is never sent again.
            _refused(life, ended, "stale", "absent", "the order never reached the market: the venue denies it")
    life.around.tally.note_end(ended)
    if intent.status == "in_doubt":
        life.around.record.notice(
            Notice(
                type="order_resolved",
                at=life.around.clock.now(),
                position_id=order.position_id,
                data={"role": order.role.value, "outcome": ended.status, "detail": ended.detail},
            )
        )


def _tell_excess(life: Life) -> None:
    """Say aloud when the exits executed more than the position held: something else on the account let them."""
    position, price = life.position, life.around.market.prices(life.position.symbol)
    progress, instrument = position.exit, life.around.instruments[position.symbol]
    if progress is None or progress.fence is not Fence.SELF or price is None:
        return
    excess = exceeded_by(position, instrument)
    if excess < instrument.smallest_sellable(price):
        return
    _log.error("exits_exceeded", position_id=position.position_id, symbol=position.symbol, quantity=plain(excess))
    life.around.record.notice(
        Notice(
            type="drift_found",
            at=life.around.clock.now(),
            position_id=position.position_id,
            data={
                "code": "exits_exceeded",
                "quantity": plain(excess),
                "message": f"two attempts of the exit executed: {plain(excess)} {instrument.base} more than was held",
            },
        )
    )


def _executed(life: Life, intent: Intent, outcome: Executed) -> Stimulus:
    report, order = outcome.report, intent.order
    # A read that was asked for before now does not show this fill for sure.
    life.around.fills[order.symbol] += 1
    life.around.filled_at[order.symbol] = life.around.clock.monotonic()
    last = outcome.trades[-1] if outcome.trades else None
    filled_at = last.at if last is not None else report.at
    if order.role is Role.ENTRY:
        return EntryExecuted(
            client_order_id=order.client_order_id,
            venue_order_id=report.venue_order_id,
            quantity=report.executed,
            quote=outcome.quote,
            fees_by_asset=outcome.fees_by_asset,
            exit_terms=exit_terms(life.position, life.around),
            borrowed=_needed(report, outcome.quote),
            trade_id=life.around.market.trade_id_before(order.symbol, life.around.heard_at(filled_at)),
            filled_at=filled_at,
        )
    return ExitExecuted(
        client_order_id=order.client_order_id,
        venue_order_id=report.venue_order_id,
        quantity=report.executed,
        quote=outcome.quote,
        fees_by_asset=outcome.fees_by_asset,
        trade_id=last.trade_id if last is not None else None,
        filled_at=filled_at,
    )


def _needed(report: OrderReport, quote: Decimal) -> dict[str, Decimal]:
    """The loan as far as the execution needed it; what was lent beyond (the order executed in part) is repaid."""
    paid = report.executed if report.order_side is OrderSide.SELL else quote
    return {asset: min(amount, paid) for asset, amount in report.borrowed.items()}


def _refused(life: Life, ended: Intent, stage: str, code: str, message: str) -> None:
    order = ended.order
    if code in FILTER_CODES:
        life.around.doubt_filters(order.symbol)
    if order.role is Role.ENTRY:
        life.refused_signals += 1
        refusal = EntryRefused(client_order_id=order.client_order_id, stage=stage, code=code, message=message)
        life.feel(refusal, intents=(ended,))
        return
    life.detail = f"exit attempt {order.attempt} was refused: {code}: {message}"
    life.feel(None, intents=(ended,))
    life.around.record.notice(
        Notice(
            type="exit_refused",
            at=life.around.clock.now(),
            position_id=order.position_id,
            data={"attempt": order.attempt, "code": code, "message": message},
        )
    )


def _fills(intent: Intent, outcome: Executed) -> tuple[Fill, ...]:
    order = intent.order
    return tuple(
        Fill(
            position_id=order.position_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            order_side=order.order_side,
            role=order.role,
            trade=trade,
        )
        for trade in outcome.trades
    )
