"""What panic would do now to each open position, and what its order may lose to the book; nothing is done.

An estimate is bounded in time and never in the way: where nobody answers it is left out, with the reason.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal, assert_never

import structlog
import trio

from robson.daemon.surroundings import Surroundings
from robson.domain.errors import RobsonError
from robson.domain.position import Active, Armed, Closed, Entering, Error, Exiting, Position
from robson.domain.values import ZERO, OrderSide, exit_order_side
from robson.ports import Slippage
from robson.protocol.panic_results import PanicPreviewResult, PanicStep
from robson.protocol.results import Mode

ESTIMATE_SECONDS = 2.0
ASKED_AT_ONCE = 8
_BASIS_POINT = Decimal("0.0001")
_CENT = Decimal("0.01")

Will = Literal["disarm", "close", "close_after_fill", "join"]
# What goes out of one pair on one side meets the same book, one order after the other.
Flow = tuple[str, OrderSide]

_log = structlog.get_logger("robson.panic")


async def foresee_panic(positions: Sequence[Position], around: Surroundings, mode: Mode) -> PanicPreviewResult:
    """What panic would do to these positions."""
    flows: dict[Flow, Decimal] = {}
    for position in positions:
        quantity = quantity_left(position)
        if quantity:
            flow = _flow(position)
            flows[flow] = flows.get(flow, ZERO) + quantity
    estimates = await _estimates(flows, around)
    steps = tuple(_step(position, around, estimates) for position in positions)
    return PanicPreviewResult(
        mode=mode,
        panic_latched=around.record.latched,
        positions=steps,
        notional=sum((step.notional for step in steps if step.notional is not None), ZERO),
        slippage=sum((step.slippage for step in steps if step.slippage is not None), ZERO),
        without_estimate=sum(step.slippage_unknown is not None for step in steps),
    )


def quantity_left(position: Position) -> Decimal | None:
    """What is still to be taken out of the market (base): ordered while Entering, None where nothing was entered."""
    state, entry = position.state, position.entry
    if isinstance(state, Entering):
        return state.signal.quantity
    if entry is None:
        return None
    out = position.reduction
    return max(entry.quantity - out.quantity + out.returned, ZERO)


def will_of(position: Position) -> Will:
    """What panic does to a position in its state."""
    state = position.state
    match state:
        case Armed():
            return "disarm"
        case Entering():
            return "close_after_fill"
        case Active():
            return "close"
        case Exiting() | Closed():
            return "join"
        case Error():
            return "disarm" if state.entry is None and state.client_order_id is None else "close"
        case _ as never:
            assert_never(never)


async def _estimates(flows: dict[Flow, Decimal], around: Surroundings) -> dict[Flow, Slippage | str]:
    """Each flow's estimate, or why there is none; asked for side by side, all within two seconds."""
    found: dict[Flow, Slippage | str] = dict.fromkeys(flows, f"no answer within {ESTIMATE_SECONDS:g} s")
    limit = trio.CapacityLimiter(ASKED_AT_ONCE)

    async def ask(flow: Flow) -> None:
        async with limit:
            found[flow] = await _estimate(flow, flows[flow], around)

    with trio.move_on_after(ESTIMATE_SECONDS):
        async with trio.open_nursery() as nursery:
            for flow in flows:
                nursery.start_soon(ask, flow)
    return found


async def _estimate(flow: Flow, quantity: Decimal, around: Surroundings) -> Slippage | str:
    if around.slippage is None:
        return "the venue has no estimate"
    symbol, order_side = flow
    try:
        return await around.slippage.slippage(symbol, order_side, quantity)
    except RobsonError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  whoever panics needs no estimate
        _log.exception("slippage_not_estimated", symbol=symbol)
        return f"the estimate failed: {error!r}"


def _step(position: Position, around: Surroundings, estimates: dict[Flow, Slippage | str]) -> PanicStep:
    quantity = quantity_left(position)
    found = estimates.get(_flow(position)) if quantity else None
    estimate = found if isinstance(found, Slippage) else None
    price = around.market.prices(position.symbol)
    if price is None and estimate is not None:
        price = estimate.price
    lost = None
    if estimate is not None and quantity is not None:
        lost = (quantity * estimate.price * estimate.basis_points * _BASIS_POINT).quantize(_CENT, ROUND_HALF_EVEN)
    return PanicStep(
        position_id=position.position_id,
        symbol=position.symbol,
        side=position.side.value,
        state=position.state_name,  # type: ignore[arg-type]  # the six names, by construction
        will=will_of(position),
        quantity=quantity,
        price=price,
        notional=(quantity * price).quantize(_CENT, ROUND_HALF_EVEN) if quantity and price is not None else None,
        order_in_doubt=any(i.status == "in_doubt" for i in around.record.intents_of(position.position_id)),
        slippage_bps=estimate.basis_points.quantize(_CENT) if estimate is not None else None,
        slippage=lost,
        slippage_source=estimate.source if estimate is not None else None,  # type: ignore[arg-type]  # one of two
        slippage_is_least=estimate.is_least if estimate is not None else False,
        slippage_unknown=found if isinstance(found, str) else None,
    )


def _flow(position: Position) -> Flow:
    return position.symbol, exit_order_side(position.side)
