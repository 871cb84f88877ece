"""What should be in a pair's account by our fills, what is there, and which fills explain the difference.

Only real fills are evidence that a position was sold or bought back elsewhere. What nothing explains is said and stays
open; what the trader does with the rest of the account changes the pair's record, so that nobody here sells it.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from robson.domain.ids import is_ours
from robson.domain.stimuli import FilledElsewhere
from robson.domain.values import (
    EXACT,
    UNIT,
    ZERO,
    ClientOrderId,
    ExitReason,
    OrderSide,
    PositionId,
    Side,
    add_amounts,
    cut_to_unit,
    exit_order_side,
    plain,
)
from robson.executor.sighting import (
    BORROWED,
    CLOSED,
    DEBT_MISSING,
    DEBT_REPAID,
    DEBT_UNEXPLAINED,
    DECREASED,
    INCREASED,
    LIQUIDATED,
    MISSING,
    ORDERS,
    REDUCED,
    SHARED,
    UNKNOWN_ORDER,
    Balance,
    Finding,
    OrderElsewhere,
    Sight,
)
from robson.ports import PairRecord


def compare(sight: Sight) -> tuple[Finding, ...]:
    """Everything that is not as the journal has it; nothing when all is well."""
    if len({position.side for position in sight.positions}) != 1:
        return ()
    strange = tuple(_strange(order.client_order_id, order.order_side, order.quantity) for order in sight.open_orders)
    closing = exit_order_side(sight.positions[0].side)
    unknown = [o for o in sight.orders if is_ours(o.client_order_id) and o.order_side is not closing]
    if unknown:
        # An order that we may have made is ours until it is known what it was: the account is judged after that.
        return (*strange, *(_strange(o.client_order_id, o.order_side, o.quantity) for o in unknown))
    judged = _judge(sight, Balance(sight))
    if judged is None:
        judged = _repaid(sight)
    return strange if judged is None else (*strange, judged)


def _strange(client_order_id: str, order_side: OrderSide, quantity: Decimal) -> Finding:
    kind = UNKNOWN_ORDER if is_ours(client_order_id) else ORDERS
    whose = "with an id of ours, which the journal does not know" if kind == UNKNOWN_ORDER else "that is not ours"
    return Finding(
        kind=kind,
        message=f"there was a {order_side} order {client_order_id} over {plain(quantity)} {whose}; it was not touched",
        evidence=(client_order_id,),
    )


def _judge(sight: Sight, balance: Balance) -> Finding | None:
    out_side = exit_order_side(sight.positions[0].side)
    named = {record.venue_order_id for record in sight.liquidations}
    forced = tuple(o for o in sight.orders if o.venue_order_id in named and o.order_side is out_side)
    if forced or (None in named and abs(balance.off) > balance.tolerance):
        return _liquidated(sight, balance, forced)
    outs = tuple(order for order in sight.orders if order.order_side is out_side)
    # A long is missing what the account does not hold any more: the trader's own is sold before ours.
    gone = balance.ours - max(balance.actual, ZERO) if balance.is_long else balance.off
    if gone > balance.tolerance and (balance.is_long or outs):
        return _left_elsewhere(sight, balance, outs, gone)
    if abs(balance.off) > balance.tolerance:
        return _own_changed(sight, balance)
    if sight.orders:
        return _finding(
            sight, ORDERS, "was traded by orders that are not ours; what we hold or owe is whole", _judged(sight)
        )
    return None


def _liquidated(sight: Sight, balance: Balance, forced: Sequence[OrderElsewhere]) -> Finding:
    total = min(balance.ours, _moved(forced, sight.instrument.base))
    shares = _divide(total, balance)
    fills = tuple(
        (position.position_id, _fill(sight, forced, share, ExitReason.LIQUIDATED, closes=True))
        for (position, _), share in zip(balance.shares, shares, strict=True)
    )
    words = f"was liquidated by the venue: {plain(total)} {sight.instrument.base} of ours were traded"
    return _finding(sight, LIQUIDATED, words, _judged(sight), fills)


def _left_elsewhere(sight: Sight, balance: Balance, outs: Sequence[OrderElsewhere], gone: Decimal) -> Finding:
    instrument, base = sight.instrument, sight.instrument.base
    ins = tuple(order for order in sight.orders if order not in outs)
    moved = _moved(outs, base)
    facts = (
        f"{plain(balance.ours)} {base} were {'held' if balance.is_long else 'owed'} by our fills, "
        f"{plain(max(balance.ours - gone, ZERO))} by the account; orders elsewhere explain {plain(moved)}"
    )
    if moved - _moved(ins, base) < gone - balance.tolerance:
        return _finding(sight, MISSING if balance.is_long else DEBT_MISSING, f"is not as it should be: {facts}")
    all_gone = balance.ours - gone <= balance.tolerance
    if len(sight.positions) > 1 and not all_gone:
        return _finding(sight, SHARED, f"was reduced elsewhere, and whose part it was cannot be told: {facts}")
    # Interest blurs what the account says; fills are exact where they agree with it.
    agree = all_gone or abs(moved - gone) <= balance.tolerance
    total = min(balance.ours, moved if agree else gone)
    shares = _divide(total, balance)
    fills = []
    for (position, ours), share in zip(balance.shares, shares, strict=True):
        closes = not instrument.is_sellable(instrument.floor(ours - share), sight.price)
        fills.append((position.position_id, _fill(sight, outs, share, ExitReason.CLOSED_ELSEWHERE, closes=closes)))
    kind = CLOSED if all(fill.closes for _, fill in fills) else REDUCED
    rest = balance.ours - total
    own = max(balance.actual - rest if balance.is_long else balance.actual + rest, ZERO)
    return _finding(sight, kind, f"was traded elsewhere: {facts}", _with_own(sight, own), tuple(fills))


def _own_changed(sight: Sight, balance: Balance) -> Finding:
    """More or less than ours is there: the trader's own, which the pair's record takes over."""
    base, off = sight.instrument.base, balance.off
    own = balance.own + off
    if own >= 0:
        kind = INCREASED if off > 0 else DECREASED
        words = f"held {plain(abs(off))} {base} {'more' if off > 0 else 'less'} of the trader's own than before"
        return _finding(sight, kind, words, _with_own(sight, own))
    borrowed = _moved([o for o in sight.orders if o.order_side is OrderSide.SELL], base)
    if borrowed < -own - balance.tolerance:
        words = (
            f"owed {plain(-own)} {base} more than our positions, of which orders elsewhere explain {plain(borrowed)}"
        )
        return _finding(sight, DEBT_UNEXPLAINED, words)
    pair = _with_own(sight, ZERO)
    pair = msgspec.structs.replace(pair, handed_base=pair.handed_base - own)
    return _finding(sight, BORROWED, f"owed {plain(-own)} {base} more, sold by orders that are not ours", pair)


def _repaid(sight: Sight) -> Finding | None:
    """Debt of a long that somebody else has repaid; nothing follows from it, for the exit repays what is there."""
    less = repaid_elsewhere(sight)
    if sight.positions[0].side is Side.SHORT or less - sight.repaid <= sight.instrument.minimum_notional:
        return None
    quote = sight.instrument.quote
    words = f"owed {plain(less)} {quote} less than our positions had borrowed: it was repaid elsewhere"
    return _finding(sight, DEBT_REPAID, words, evidence=(plain(less),))


def repaid_elsewhere(sight: Sight) -> Decimal:
    """How much less quote is owed than the positions on the pair borrowed."""
    return max(sight.principal_quote - sight.account.quote.borrowed, ZERO)


def _finding(
    sight: Sight,
    kind: str,
    words: str,
    pair: PairRecord | None = None,
    fills: tuple[tuple[PositionId, FilledElsewhere], ...] = (),
    evidence: tuple[int | str, ...] = (),
) -> Finding:
    trades = tuple(trade.trade_id for order in sight.orders for trade in order.trades)
    if not trades and not evidence:
        # Without trades the account's own numbers are the finding; interest lets a debt grow without one.
        leg = sight.account.base
        evidence = (plain(leg.total), plain(leg.borrowed))
    message = f"{sight.instrument.symbol} {words}"
    return Finding(kind=kind, message=message, fills=fills, pair=pair, evidence=(*trades, *evidence))


def _with_own(sight: Sight, own: Decimal) -> PairRecord:
    """The pair's record when so much base in it is the trader's or dust, with every trade so far judged."""
    pair = _judged(sight)
    dust = min(pair.dust_base, own)
    surplus = min(pair.surplus_base, own - dust)
    return msgspec.structs.replace(pair, baseline_base=own - dust - surplus, dust_base=dust, surplus_base=surplus)


def _judged(sight: Sight) -> PairRecord:
    """The record with every trade so far judged, and with what the trader borrowed for purchases as his own debt."""
    pair = sight.pair
    trades = [trade.trade_id for order in sight.orders for trade in order.trades]
    spent = sum((order.quote for order in sight.orders if order.order_side is OrderSide.BUY), ZERO)
    beyond = max(sight.account.quote.borrowed - sight.principal_quote, ZERO)
    return msgspec.structs.replace(
        pair,
        judged_trade_id=max([pair.judged_trade_id, *trades]),
        handed_quote=pair.handed_quote + min(beyond, spent),
    )


def _moved(orders: Iterable[OrderElsewhere], base: str) -> Decimal:
    return sum((order.moved(base) for order in orders), ZERO)


def _divide(total: Decimal, balance: Balance) -> list[Decimal]:
    """Each position's part of `total` (base), by what it holds or owes; the last one takes the rounding."""
    parts: list[Decimal] = []
    left = total
    for _, ours in balance.shares[:-1]:
        part = cut_to_unit(total * ours / balance.ours) if balance.ours else ZERO
        parts.append(part)
        left -= part
    return [*parts, left]


def _fill(
    sight: Sight, orders: Sequence[OrderElsewhere], share: Decimal, reason: ExitReason, *, closes: bool
) -> FilledElsewhere:
    """One position's share of what these orders executed, at their average price."""
    trades = sorted((trade for order in orders for trade in order.trades), key=lambda trade: trade.trade_id)
    last = trades[-1] if trades else None
    fees: dict[str, Decimal] = {}
    for order in orders:
        fees = add_amounts(fees, order.fees_by_asset)
    whole = sum((order.quantity for order in orders), ZERO)
    quote = sum((order.quote for order in orders), ZERO)
    quantity = _part(whole, share, _moved(orders, sight.instrument.base)).quantize(UNIT, context=EXACT)
    named = next((order for order in orders if last is not None and last in order.trades), None)
    return FilledElsewhere(
        reason=reason,
        closes=closes,
        client_order_id=ClientOrderId(named.client_order_id if named else ""),
        venue_order_id=named.venue_order_id if named else "",
        quantity=quantity,
        quote=_part(quote, quantity, whole),
        fees_by_asset={asset: cut_to_unit(_part(fee, quantity, whole)) for asset, fee in fees.items()},
        trade_id=last.trade_id if last else None,
        filled_at=last.at if last else None,
    )


def _part(amount: Decimal, share: Decimal, whole: Decimal) -> Decimal:
    return amount if share == whole else amount * share / whole
