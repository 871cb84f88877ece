"""The rules that no crash may break, as pure functions over what both files say; each gives one line a violation."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal

from robson.commands.selftest.evidence import Evidence, Venue
from robson.domain.ids import is_ours
from robson.domain.instrument import Instrument
from robson.domain.position import Closed, Error, Position
from robson.domain.values import ZERO, OrderSide, Role, Side, plain
from robson.ports import Intent
from robson.store import projection
from robson.venue.instruments import builtin_instrument
from robson.venue.ledger import Execution, Order

_ORDER_EVENTS = frozenset({"entry_order_placed", "exit_order_placed"})


def duplicates(evidence: Evidence) -> list[str]:
    """Orders that exist twice at the venue, positions that entered twice, orders announced twice."""
    found = []
    executed_entries: Counter[str] = Counter()
    owners = _owners(evidence)
    for symbol, venue in evidence.venues.items():
        ids = Counter(order.ticket.client_order_id for order in venue.orders if _is_ours(order))
        found += [f"{symbol}: order {id_} was placed {count} times" for id_, count in ids.items() if count > 1]
        for order in venue.orders:
            owner = owners.get(order.ticket.client_order_id)
            if owner is not None and owner.order.role is Role.ENTRY and order.executed > 0:
                executed_entries[owner.order.position_id] += 1
    found += [f"position {id_} entered {count} times" for id_, count in executed_entries.items() if count > 1]
    announced = Counter(row.data["client_order_id"] for row in evidence.events if row.type in _ORDER_EVENTS)
    found += [f"order {id_} was announced {count} times" for id_, count in announced.items() if count > 1]
    for kind in ("entry_filled", "position_closed"):
        seen = Counter(row.position_id for row in evidence.events if row.type == kind)
        found += [f"position {id_} had {count} events {kind}" for id_, count in seen.items() if count > 1]
    return found


def orphans(evidence: Evidence) -> list[str]:
    """What one side has and the other does not know: orders, executions, and what the account holds."""
    found = []
    owners = _owners(evidence)
    at_venue: dict[str, Order] = {}
    for symbol, venue in evidence.venues.items():
        for order in filter(_is_ours, venue.orders):
            at_venue[order.ticket.client_order_id] = order
            if order.ticket.client_order_id not in owners:
                found.append(f"{symbol}: order {order.ticket.client_order_id} was placed and the journal has no intent")
    for client_order_id, intent in owners.items():
        placed = at_venue.get(client_order_id)
        executed = placed.executed if placed is not None else ZERO
        if intent.status == "pending" and placed is not None:
            found.append(f"order {client_order_id} was at the venue before the journal had it as sent")
        if not intent.is_open and executed != intent.executed:
            found.append(
                f"order {client_order_id} ({intent.order.role.value}, {intent.status}) executed {plain(executed)} at "
                f"the venue, {plain(intent.executed)} by the journal"
            )
    for position_id, (position, _) in evidence.folded.items():
        entry = position.entry
        if entry is not None and (entered := at_venue.get(entry.client_order_id)) is None:
            found.append(f"position {position_id} holds {plain(entry.quantity)} by an entry that the venue never had")
        elif entry is not None and entered is not None and entered.executed != entry.quantity:
            found.append(
                f"position {position_id} entered {plain(entered.executed)} at the venue, {plain(entry.quantity)} by "
                "the journal"
            )
    for symbol, venue in evidence.venues.items():
        found += _unexplained_holding(symbol, venue)
    return found


def flips(evidence: Evidence) -> list[str]:
    """Positions that sold more than they held or bought back more than they owed, crumbs apart."""
    found = []
    owners = _owners(evidence)
    for symbol, venue in evidence.venues.items():
        if not venue.trades:
            continue
        instrument = builtin_instrument(symbol)
        crumbs = _crumbs(evidence, symbol, venue, instrument)
        position_of = {
            order.order_id: owners[order.ticket.client_order_id].order.position_id
            for order in venue.orders
            if order.ticket.client_order_id in owners
        }
        net: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        flipped: set[str] = set()
        for trade in venue.trades:
            position_id = position_of.get(trade.order_id)
            if position_id is None or position_id not in evidence.folded:
                continue
            sign = evidence.folded[position_id][0].side.sign
            net[position_id] += _base_change(trade, instrument)
            if net[position_id] * sign < -crumbs and position_id not in flipped:
                flipped.add(position_id)
                side = Side.LONG if sign > 0 else Side.SHORT
                found.append(
                    f"{symbol}: {side.value} position {position_id} held {plain(net[position_id])} {instrument.base} "
                    f"after trade {trade.trade_id}"
                )
    return found


def gaps(evidence: Evidence) -> list[str]:
    """Places where the sequence does not ascend by one, and events that are no longer what they were."""
    found = list(evidence.changed)
    expected = 1
    for row in evidence.events:
        if row.seq != expected:
            found.append(f"event {row.seq} came where {expected} was due")
        expected = row.seq + 1
    return found


def retreats(evidence: Evidence) -> list[str]:
    """Stops that moved away from the price."""
    found = []
    stops: dict[str, Decimal] = {}
    for row in evidence.events:
        if row.position_id is None or row.data.get("trailing_stop") is None or row.position_id not in evidence.folded:
            continue
        stop, before = Decimal(row.data["trailing_stop"]), stops.get(row.position_id)
        sign = evidence.folded[row.position_id][0].side.sign
        if before is not None and (stop - before) * sign < 0:
            found.append(
                f"event {row.seq} ({row.type}) took the stop of position {row.position_id} from {plain(before)} to "
                f"{plain(stop)}"
            )
        stops[row.position_id] = stop
    return found


def misfolds(evidence: Evidence) -> list[str]:
    """Positions that the journal shows otherwise than its events make them."""
    found = list(evidence.unfoldable)
    nameless = sorted(evidence.shown.keys() - evidence.folded.keys())
    found += [f"position {position_id} was shown and has no events" for position_id in nameless]
    for position_id, (position, seq) in evidence.folded.items():
        if evidence.shown.get(position_id) != projection.position_row(position, seq):
            found.append(f"position {position_id} was shown as {evidence.shown.get(position_id)}, its events differ")
    return found


def unresolved(evidence: Evidence) -> list[str]:
    """Positions and orders that are still open, which nothing must be at the very end."""
    positions = [
        f"position {position_id} was {position.state_name} at the end{_because(position)}"
        for position_id, (position, _) in evidence.folded.items()
        if not isinstance(position.state, Closed)
    ]
    orders = [
        f"order {intent.order.client_order_id} was {intent.status} at the end"
        for intent in evidence.intents
        if intent.is_open
    ]
    return positions + orders


def debts(evidence: Evidence) -> list[str]:
    """What is still owed, which nothing must be at the very end."""
    found = []
    for symbol, venue in evidence.venues.items():
        base, quote = venue.account.base, venue.account.quote
        if base.debt or quote.debt:
            found.append(f"{symbol}: {plain(base.debt)} base and {plain(quote.debt)} quote were owed at the end")
    return found


def leftovers(evidence: Evidence) -> list[str]:
    """What is locked or held at the very end and nobody names."""
    found = []
    for symbol, venue in evidence.venues.items():
        base, quote = venue.account.base, venue.account.quote
        if base.locked or quote.locked:
            found.append(f"{symbol}: {plain(base.locked)} base and {plain(quote.locked)} quote were locked at the end")
        pair = evidence.pairs.get(symbol)
        named, crumb = ZERO, ZERO
        if pair is not None:
            named = pair.baseline_base + pair.dust_base + pair.surplus_base
            # A surplus is reckoned, with interest as we know it.
            crumb = builtin_instrument(symbol).step_size if pair.surplus_base else ZERO
        if abs(base.total - named) > crumb:
            found.append(f"{symbol}: {plain(base.total)} base were held at the end, {plain(named)} of it were known of")
    return found


def unfinished(evidence: Evidence) -> dict[str, list[str]]:
    """What must not be left at the very end, by rule."""
    return {"unresolved": unresolved(evidence), "debts_left": debts(evidence), "unfinished": leftovers(evidence)}


def _because(position: Position) -> str:
    return f" ({position.state.code}: {position.state.message})" if isinstance(position.state, Error) else ""


def _owners(evidence: Evidence) -> dict[str, Intent]:
    return {intent.order.client_order_id: intent for intent in evidence.intents}


def _is_ours(order: Order) -> bool:
    return is_ours(order.ticket.client_order_id)


def _base_change(trade: Execution, instrument: Instrument) -> Decimal:
    """What a trade did to the holding (base), fees taken in base included."""
    moved = trade.quantity if trade.side is OrderSide.BUY else -trade.quantity
    return moved - trade.fee if trade.fee_asset == instrument.base else moved


def _crumbs(evidence: Evidence, symbol: str, venue: Venue, instrument: Instrument) -> Decimal:
    """What a position may move beyond its own: the dust of others, interest, and the venue's least order (base).

    Never more than a fraction of a position unless hundreds have left dust behind, which the last one out takes along.
    """
    lowest = min(trade.price for trade in venue.trades)
    dust = sum(
        (
            Decimal(row.data["dust"])
            for row in evidence.events
            if row.type == "position_closed"
            and row.position_id is not None
            and row.position_id in evidence.folded
            and evidence.folded[row.position_id][0].symbol == symbol
        ),
        ZERO,
    )
    interest = venue.interest.get(instrument.base, ZERO)
    return instrument.smallest_sellable(lowest) + instrument.step_size + dust + interest


def _unexplained_holding(symbol: str, venue: Venue) -> Iterator[str]:
    """What the account holds must be what its trades, transfers and interest add up to."""
    if venue.liquidated:
        yield f"{symbol}: the account was liquidated, so its holdings were not compared"
        return
    instrument = builtin_instrument(symbol)
    base = venue.account.base
    traded = sum((_base_change(trade, instrument) for trade in venue.trades), ZERO)
    moved, charged = venue.transferred.get(instrument.base, ZERO), venue.interest.get(instrument.base, ZERO)
    if base.total - base.debt != traded + moved - charged:
        yield (
            f"{symbol}: {plain(base.total - base.debt)} base net were in the account, its trades make "
            f"{plain(traded + moved - charged)}"
        )


def audit(evidence: Evidence) -> dict[str, list[str]]:
    """Every rule that holds at every moment, by name, with its violations."""
    return {
        "duplicates": duplicates(evidence),
        "orphans": orphans(evidence),
        "flips": flips(evidence),
        "gaps": gaps(evidence),
        "stop_retreats": retreats(evidence),
        "misfolded": misfolds(evidence),
    }
