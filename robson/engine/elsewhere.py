"""What others do with a position's holding: orders that are not ours, taking a holding over, and handing it back."""

from decimal import Decimal

from robson.domain.codec import to_wire
from robson.domain.errors import RuleError
from robson.domain.events import (
    EntryFilled,
    EntrySignalReceived,
    ExitFilled,
    ExitTriggered,
    PositionClosed,
    PositionEvent,
)
from robson.domain.position import Entry, Position
from robson.domain.stimuli import FilledElsewhere, HoldingAdopted, ReleaseRequested
from robson.domain.values import ZERO, ClientOrderId, ExitReason, average_price, plain
from robson.engine.admission import admit_beside_others
from robson.engine.exits import fees_in_quote
from robson.engine.sizing import refuse_unsellable, stop_distance
from robson.engine.trailing import anchor, is_beyond

ADOPTED = "adopted"


def filled_elsewhere(found: FilledElsewhere) -> tuple[PositionEvent, ...]:
    """The fill itself; none when a liquidation took the holding without a trade."""
    if found.quantity <= 0:
        return ()
    return (
        ExitFilled(
            client_order_id=found.client_order_id,
            venue_order_id=found.venue_order_id,
            fill_price=average_price(found.quote, found.quantity),
            quantity=found.quantity,
            fees_by_asset=found.fees_by_asset,
            trade_id=found.trade_id,
            filled_at=found.filled_at,
            elsewhere=found.reason,
        ),
    )


def fill_elsewhere(found: FilledElsewhere) -> tuple[PositionEvent, ...]:
    """A position in the market that others have reduced; it leaves for good when nothing sellable is left."""
    triggered = (ExitTriggered(reason=found.reason),) if found.closes else ()
    return (*triggered, *filled_elsewhere(found))


def adopt(position: Position, adopted: HoldingAdopted) -> tuple[tuple[EntrySignalReceived, EntryFilled], tuple[()]]:
    """Take the holding over behind a stop; raises RuleError with the numbers. There is no order, so none is named."""
    side, terms = position.side, adopted.terms
    instrument = terms.instrument
    admit_beside_others(side, terms)
    distance = stop_distance(side, adopted.entry_price, adopted.technical_stop)
    stop = anchor(side, adopted.entry_price, adopted.technical_stop, distance)
    if is_beyond(side, adopted.price, stop):
        raise RuleError(
            "stop_passed",
            f"the price of {instrument.symbol} was {plain(adopted.price)}, already past the stop {plain(stop)}",
            hint="it would be sold or bought back at once: a stop further away, or no adoption",
        )
    refuse_unsellable(adopted.quantity, adopted.price, adopted.technical_stop, instrument, terms.terms)
    received = EntrySignalReceived(
        signal_id=ADOPTED,
        entry_price=adopted.entry_price,
        technical_stop=adopted.technical_stop,
        stop_distance=distance,
        quantity=adopted.quantity,
        evidence=to_wire(adopted.evidence),  # as the journal gives it back
    )
    filled = EntryFilled(
        client_order_id=ClientOrderId(""),
        venue_order_id="",
        fill_price=adopted.entry_price,
        quantity=adopted.quantity,
        fees_by_asset={},
        trailing_stop=stop,
        borrowed=adopted.borrowed,
        trade_id=adopted.trade_id,
    )
    return (received, filled), ()


def release(position: Position, entry: Entry, asked: ReleaseRequested) -> tuple[PositionClosed, ...]:
    """The account of a position that is handed back: what is still there counts at its entry price."""
    out = position.reduction
    rest = max(entry.quantity - out.quantity, ZERO)
    exit_price = average_price(out.quote + rest * entry.fill_price, out.quantity + rest)
    realized = (exit_price - entry.fill_price) * position.side.sign * entry.quantity
    fees = fees_in_quote(entry.fees_by_asset, asked.instrument, entry.fill_price, {})
    fees += fees_in_quote(out.fees_by_asset, asked.instrument, out.average or entry.fill_price, {})
    return (
        PositionClosed(
            exit_reason=ExitReason.RELEASED,
            entry_price=entry.fill_price,
            exit_price=exit_price,
            quantity=entry.quantity,
            realized_pnl=realized,
            fees=fees,
            interest=asked.interest,
            net_pnl=realized - fees - asked.interest,
            dust=Decimal(0),
        ),
    )
