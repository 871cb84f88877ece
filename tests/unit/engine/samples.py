"""One position in every state and one of every stimulus and event, for matrices and diagrams."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from robson.domain.account import Leg, PairAccount, PairTerms
from robson.domain.events import (
    EntryFilled,
    EntryOrderPlaced,
    EntrySignalReceived,
    ExitFilled,
    ExitOrderPlaced,
    ExitTriggered,
    Fact,
    PositionArmed,
    PositionClosed,
    PositionDisarmed,
    PositionError,
    PositionEvent,
    SignalRejected,
    TrailingStopUpdated,
    event_type,
)
from robson.domain.ids import entry_order_id, exit_order_id
from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.stimuli import (
    DisarmRequested,
    EntryExecuted,
    EntryRefused,
    EntryTerms,
    ExitExecuted,
    ExitRequested,
    ExitsFound,
    ExitTerms,
    FaultFound,
    FilledElsewhere,
    FlatProved,
    FoundOrder,
    HoldingAdopted,
    ReleaseRequested,
    RemainderFound,
    SignalArrived,
    SignalFailed,
    Stimulus,
    StopHit,
    StopMoved,
    StopTightened,
)
from robson.domain.values import ClientOrderId, ExitReason, Fence, OrderSide, PositionId, Side
from robson.engine.decide import Decision, decide
from robson.engine.evolve import evolve

T = TypeVar("T")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ID = PositionId("0190aa00bb00cc00dd00ee00ff001122")
BTCUSDT = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    step_size=Decimal("0.00001"),
    minimum_quantity=Decimal("0.00001"),
    minimum_notional=Decimal(5),
)
TERMS = PairTerms()
EXIT_TERMS = ExitTerms(instrument=BTCUSDT, fee_rate=Decimal("0.001"))
OURS = entry_order_id(ID, "s1")
FOREIGN = ClientOrderId("rbn" + "0" * 32)


def account(quote: object = 100_000, base: object = 0) -> PairAccount:
    """A pair account without debts."""
    return PairAccount(symbol="BTCUSDT", base=Leg(free=Decimal(str(base))), quote=Leg(free=Decimal(str(quote))))


def armed_fact(side: Side = Side.LONG, *, capital: object = 10_000, risk: object = 1) -> Fact:
    """The fact that a position begins with."""
    event = PositionArmed(
        symbol="BTCUSDT",
        side=side,
        strategy="signal",
        capital=Decimal(str(capital)),
        risk_percent=Decimal(str(risk)),
        params={},
    )
    return Fact(position_id=ID, at=NOON, event=event)


def armed(side: Side = Side.LONG, **settings: object) -> Position:
    """A fresh position."""
    return evolve(None, armed_fact(side, **settings))


def signal(entry: object = 95_000, stop: object = 93_500, signal_id: str = "s1", **terms: Any) -> SignalArrived:
    """A signal with everything around it in order, unless `terms` says otherwise."""
    around = {"instrument": BTCUSDT, "account": account(), "terms": TERMS, **terms}
    return SignalArrived(
        signal_id=signal_id,
        entry_price=Decimal(str(entry)),
        technical_stop=Decimal(str(stop)),
        terms=EntryTerms(**around),
    )


def entry_fill(price: object = 95_000, quantity: object = "0.06666", order: ClientOrderId = OURS) -> EntryExecuted:
    """The execution of the long entry, fee in base."""
    size = Decimal(str(quantity))
    return EntryExecuted(
        client_order_id=order,
        venue_order_id="77",
        quantity=size,
        quote=size * Decimal(str(price)),
        fees_by_asset={"BTC": size / 1000},
        exit_terms=EXIT_TERMS,
        trade_id=1000,
        filled_at=NOON + timedelta(seconds=1),
    )


def exit_fill(order: ClientOrderId, price: object = 93_500, quantity: object = "0.06659") -> ExitExecuted:
    """The execution of an exit of the long, fee in quote."""
    size = Decimal(str(quantity))
    quote = size * Decimal(str(price))
    return ExitExecuted(
        client_order_id=order,
        venue_order_id="78",
        quantity=size,
        quote=quote,
        fees_by_asset={"USDT": quote / 1000},
        trade_id=1100,
        filled_at=NOON + timedelta(seconds=61),
    )


def run(position: Position, *stimuli: Stimulus) -> Position:
    """The position after these stimuli, one second apart."""
    return trace(position, *stimuli)[-1].position


def trace(position: Position, *stimuli: Stimulus) -> list[Decision]:
    """Each decision on the way."""
    decisions = []
    for second, stimulus in enumerate(stimuli, 1):
        decisions.append(decide(position, stimulus, NOON + timedelta(seconds=second)))
        position = decisions[-1].position
    return decisions


CLOSE = ExitRequested(reason=ExitReason.OPERATOR_CLOSE, exit_terms=EXIT_TERMS)
PANIC = ExitRequested(reason=ExitReason.OPERATOR_PANIC, exit_terms=EXIT_TERMS)
REFUSAL = EntryRefused(client_order_id=OURS, stage="venue", code="-2010", message="the account has no funds")
FLAT = FlatProved(instrument=BTCUSDT, interest=Decimal("0.5"), dust=Decimal("0.00000334"))
FAULT = FaultFound(code="debt_left", message="0.1 USDT were owed", recoverable=True)
REST = RemainderFound(quantity=Decimal("0.01"), exit_terms=EXIT_TERMS)
FOUND = ExitsFound(
    orders=(FoundOrder(attempt=7, part=0, order_side=OrderSide.SELL, quantity=Decimal("0.01")),),
    reason=ExitReason.TRAILING_STOP,
)
HIT = StopHit(
    price=Decimal(94_400),
    trailing_stop=Decimal(94_500),
    extreme=Decimal(96_000),
    trade_id=1050,
    crossed_at=NOON + timedelta(seconds=60),
    exit_terms=EXIT_TERMS,
)
REDUCED = FilledElsewhere(
    reason=ExitReason.CLOSED_ELSEWHERE,
    closes=False,
    client_order_id=ClientOrderId("by-hand-1"),
    venue_order_id="79",
    quantity=Decimal("0.03"),
    quote=Decimal("0.03") * 95_200,
    fees_by_asset={"USDT": Decimal("2.856")},
    trade_id=1060,
    filled_at=NOON + timedelta(seconds=30),
)
GONE = msgspec.structs.replace(
    REDUCED, closes=True, quantity=Decimal("0.06659"), quote=Decimal("0.06659") * 95_200, fees_by_asset={}
)
ADOPTED = HoldingAdopted(
    quantity=Decimal("0.05"),
    entry_price=Decimal(95_000),
    technical_stop=Decimal(93_500),
    price=Decimal(95_100),
    terms=EntryTerms(instrument=BTCUSDT, account=account(base="0.05"), terms=TERMS),
    borrowed={"USDT": Decimal(4_000)},
    trade_id=1000,
)
TIGHTER = StopMoved(trailing_stop=Decimal(94_000), extreme=Decimal(95_500), trade_id=1010)
ADJUSTED = StopTightened(
    trailing_stop=Decimal(94_200),
    price=Decimal(95_400),
    present=StopMoved(trailing_stop=Decimal(93_500), extreme=Decimal(95_400), trade_id=1010),
)
FIRST_EXIT = exit_order_id(ID, 1, 0)
# A holding of less than one step leaves nothing to order: the exit begins without an order.
CRUMB = entry_fill(quantity="0.000009")

_ENTERING = (signal(),)
_ACTIVE = (*_ENTERING, entry_fill())
_EXITING = (*_ACTIVE, CLOSE)

# Every state, with the variants in which a stimulus may mean something else.
STATES: dict[str, Position] = {
    "Armed": armed(),
    "Armed, signal refused": run(armed(), *_ENTERING, REFUSAL),
    "Entering": run(armed(), *_ENTERING),
    "Entering, exit decided": run(armed(), *_ENTERING, PANIC),
    "Active": run(armed(), *_ACTIVE),
    "Exiting, no order": run(armed(), *_ENTERING, CRUMB, CLOSE),
    "Exiting, order out": run(armed(), *_EXITING),
    "Exiting, order filled": run(armed(), *_EXITING, exit_fill(FIRST_EXIT)),
    "Closed": run(armed(), *_EXITING, exit_fill(FIRST_EXIT), FLAT),
    "Closed, disarmed": run(armed(), DisarmRequested()),
    "Error, nothing begun": run(armed(), FAULT),
    "Error, entry on its way": run(armed(), *_ENTERING, FAULT),
    "Error, entry on its way, exit decided": run(armed(), *_ENTERING, PANIC, FAULT),
    "Error, in the market": run(armed(), *_ACTIVE, FAULT),
    "Error, exit order out": run(armed(), *_EXITING, FAULT),
}

STIMULI: dict[str, Stimulus] = {
    "SignalArrived": signal(signal_id="s2"),
    "SignalArrived, against a rule": signal(stop=80_000, signal_id="s2"),
    "SignalArrived, id accepted before": signal(signal_id="s1"),
    "SignalFailed": SignalFailed(signal_id="s2", stage="rule", code="no_technical_stop", message="no level was found"),
    "EntryExecuted": entry_fill(),
    "EntryExecuted, beyond its stop": entry_fill(price=93_400),
    "EntryExecuted, another order": entry_fill(order=FOREIGN),
    "EntryRefused": REFUSAL,
    "EntryRefused, another order": msgspec.structs.replace(REFUSAL, client_order_id=FOREIGN),
    "StopMoved": TIGHTER,
    "StopMoved, looser": msgspec.structs.replace(TIGHTER, trailing_stop=Decimal(93_000)),
    "StopTightened": ADJUSTED,
    "StopTightened, looser": msgspec.structs.replace(ADJUSTED, trailing_stop=Decimal(93_400)),
    "StopTightened, beyond the price": msgspec.structs.replace(ADJUSTED, trailing_stop=Decimal(95_400)),
    "StopHit": HIT,
    "ExitRequested, close": CLOSE,
    "ExitRequested, panic": PANIC,
    "DisarmRequested": DisarmRequested(),
    "ExitExecuted": exit_fill(FIRST_EXIT),
    "ExitExecuted, another order": exit_fill(FOREIGN),
    "FilledElsewhere": REDUCED,
    "FilledElsewhere, all of it": GONE,
    "HoldingAdopted": ADOPTED,
    "ReleaseRequested": ReleaseRequested(instrument=BTCUSDT, interest=Decimal("0.5")),
    "RemainderFound": REST,
    "ExitsFound": FOUND,
    "FlatProved": FLAT,
    "FaultFound": FAULT,
}

EVENTS: tuple[PositionEvent, ...] = (
    PositionArmed(
        symbol="BTCUSDT", side=Side.LONG, strategy="signal", capital=Decimal(10_000), risk_percent=Decimal(1)
    ),
    EntrySignalReceived(
        signal_id="s2",
        entry_price=Decimal(95_000),
        technical_stop=Decimal(93_500),
        stop_distance=Decimal(1_500),
        quantity=Decimal("0.06666"),
    ),
    SignalRejected(signal_id="s2", stage="rule", code="stop_too_far", message="the stop distance was 15000"),
    EntryOrderPlaced(client_order_id=OURS, order_side=OrderSide.BUY, quantity=Decimal("0.06666")),
    EntryFilled(
        client_order_id=OURS,
        venue_order_id="77",
        fill_price=Decimal(95_000),
        quantity=Decimal("0.06666"),
        fees_by_asset={"BTC": Decimal("0.00006666")},
        trailing_stop=Decimal(93_500),
        trade_id=1000,
    ),
    TrailingStopUpdated(previous_stop=Decimal(93_500), trailing_stop=Decimal(94_000), extreme=Decimal(95_500)),
    ExitTriggered(reason=ExitReason.OPERATOR_CLOSE),
    ExitOrderPlaced(
        client_order_id=exit_order_id(ID, 2, 0),
        attempt=2,
        fence=Fence.CLOCK,
        order_side=OrderSide.SELL,
        quantity=Decimal("0.01"),
    ),
    ExitFilled(
        client_order_id=FIRST_EXIT,
        venue_order_id="78",
        fill_price=Decimal(93_500),
        quantity=Decimal("0.06659"),
        fees_by_asset={"USDT": Decimal("6.226165")},
    ),
    PositionClosed(
        exit_reason=ExitReason.OPERATOR_CLOSE,
        entry_price=Decimal(95_000),
        exit_price=Decimal(93_500),
        quantity=Decimal("0.06666"),
        realized_pnl=Decimal("-99.99"),
        fees=Decimal("12.56"),
        interest=Decimal("0.5"),
        net_pnl=Decimal("-113.05"),
        dust=Decimal("0.00000334"),
    ),
    PositionDisarmed(),
    PositionError(code="debt_left", message="0.1 USDT were owed", recoverable=True),
)


def events_of(decision: Decision) -> list[str]:
    """The names of what happened."""
    return [event_type(fact.event) for fact in decision.facts]


def only(kind: type[T], decision: Decision) -> T:
    """The one event of a kind in a decision."""
    (found,) = [fact.event for fact in decision.facts if isinstance(fact.event, kind)]
    return found
