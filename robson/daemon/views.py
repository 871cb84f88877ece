"""Positions as people and scripts see them: everything derived from the state, the watch and the last price."""

from decimal import Decimal

from robson.daemon.surroundings import Surroundings
from robson.domain.account import PairTerms
from robson.domain.instrument import Instrument
from robson.domain.position import Armed, Closed, Entering, Error, Exiting, Position, Trail
from robson.domain.values import ZERO
from robson.engine.exits import fees_in_quote, interest_estimate
from robson.protocol.results import PositionView


def position_view(
    position: Position,
    around: Surroundings,
    *,
    trail: Trail | None,
    detail: str | None,
    unprotected_seconds: float,
) -> PositionView:
    """One position; `trail` is the watch's present stop where it is ahead of the stored one."""
    state = position.state
    entry, signal, progress = position.entry, position.signal, position.exit
    trail = trail or position.trail
    instrument = around.instruments.get(position.symbol)
    final = isinstance(state, (Closed, Error))
    last_price = None if final else around.market.prices(position.symbol)
    result = state.result if isinstance(state, Closed) else None
    interest = result.interest if result else _interest(position, around, instrument, last_price)
    fees = result.fees if result else _fees(position, instrument)
    realized = result.realized_pnl if result else _realized(position)
    net = result.net_pnl if result else None
    if net is None and realized is not None:
        net = realized - (fees or ZERO) - (interest or ZERO)
    return PositionView(
        position_id=position.position_id,
        symbol=position.symbol,
        side=position.side.value,
        state=position.state_name,  # type: ignore[arg-type]  # the six names, by construction
        strategy=position.strategy,
        capital=position.capital,
        risk_percent=position.risk_percent,
        quantity=entry.quantity if entry else (signal.quantity if isinstance(state, Entering) and signal else None),
        entry_price=entry.fill_price
        if entry
        else (signal.entry_price if isinstance(state, Entering) and signal else None),
        technical_stop=signal.technical_stop if signal else None,
        stop_distance=signal.stop_distance if signal else None,
        trailing_stop=trail.stop if trail else None,
        extreme=trail.extreme if trail else None,
        last_price=last_price,
        unrealized_pnl=unrealized_pnl(position, last_price),
        realized_pnl=realized,
        fees=fees,
        fees_by_asset=position.fees_by_asset,
        interest=interest,
        net_pnl=net,
        exit_price=result.exit_price if result else (progress.average if progress else None),
        exit_reason=_exit_reason(position),
        detail=_detail(position, detail),
        armed_at=position.armed_at,
        entered_at=entry.filled_at if entry else None,
        closed_at=state.closed_at if isinstance(state, Closed) else None,
        unprotected_seconds=round(unprotected_seconds, 3),
        order_in_doubt=any(i.status == "in_doubt" for i in around.record.intents_of(position.position_id)),
    )


def _exit_reason(position: Position) -> str | None:
    state = position.state
    if isinstance(state, Closed):
        return state.reason.value
    if isinstance(state, Entering):
        return state.trigger.reason.value if state.trigger else None
    return position.exit.trigger.reason.value if position.exit else None


def _detail(position: Position, detail: str | None) -> str | None:
    state = position.state
    if isinstance(state, Error):
        retry = "`close` tries again" if state.recoverable else "it needs a person"
        return f"{state.code}: {state.message} ({retry})"
    if isinstance(state, Closed):
        return None
    if detail:
        return detail
    if isinstance(state, Armed) and state.rejection is not None:
        refused = state.rejection
        return f"signal {refused.signal_id} was refused ({refused.stage}, {refused.code}): {refused.message}"
    if isinstance(state, Exiting) and state.exit.attempt > 1:
        return f"exit attempt {state.exit.attempt}"
    signal = position.signal
    return f"quantity was cut by {signal.cut_by}" if signal is not None and signal.cut_by else None


def _fees(position: Position, instrument: Instrument | None) -> Decimal | None:
    if position.entry is None or instrument is None:
        return None
    fees = fees_in_quote(position.entry.fees_by_asset, instrument, position.entry.fill_price, {})
    out = position.reduction
    if out.average is not None:
        fees += fees_in_quote(out.fees_by_asset, instrument, out.average, {})
    return fees


def _interest(
    position: Position, around: Surroundings, instrument: Instrument | None, last_price: Decimal | None
) -> Decimal | None:
    """What the loan has cost so far by the hourly rates, in quote; the venue's own records settle it at the close."""
    entry = position.entry
    if entry is None or instrument is None or isinstance(position.state, Error):
        return None
    terms = around.terms.get(position.symbol, PairTerms())
    now, price = around.clock.now(), last_price if last_price is not None else entry.fill_price
    base = interest_estimate(
        entry.borrowed.get(instrument.base, ZERO), terms.base_hourly_interest_rate, entry.filled_at, now
    )
    quote = interest_estimate(
        entry.borrowed.get(instrument.quote, ZERO), terms.quote_hourly_interest_rate, entry.filled_at, now
    )
    return base * price + quote


def _realized(position: Position) -> Decimal | None:
    entry, out = position.entry, position.reduction
    if entry is None or out.average is None:
        return None
    return (out.average - entry.fill_price) * position.side.sign * min(out.quantity, entry.quantity)


def unrealized_pnl(position: Position, last_price: Decimal | None) -> Decimal | None:
    """What the rest of a holding has gained at a price (quote, gross); None where there is none, or no price."""
    entry = position.entry
    if entry is None or last_price is None or isinstance(position.state, (Closed, Error)):
        return None
    rest = max(entry.quantity - position.reduction.quantity, ZERO)
    return (last_price - entry.fill_price) * position.side.sign * rest
