"""What the trader hands over and takes back: a holding put behind a stop, and a position left to the trader."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import structlog
import trio

from robson.daemon.life import Life
from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.domain.account import PairAccount
from robson.domain.errors import RuleError, VenueError
from robson.domain.events import Fact, PositionArmed
from robson.domain.instrument import Instrument
from robson.domain.position import Entering, Exiting, Position
from robson.domain.sequence import StoredReply
from robson.domain.stimuli import EntryTerms, HoldingAdopted, ReleaseRequested
from robson.domain.values import HUNDRED, UNIT, ZERO, PositionId, Side, cut_to_unit, plain
from robson.engine.decide import decide
from robson.engine.elsewhere import ADOPTED
from robson.engine.evolve import evolve
from robson.engine.sizing import stop_distance
from robson.executor.debts import BORROW_CHARGE_SLACK, interest_paid, outstanding_principal
from robson.executor.sighting import share_of
from robson.ports import Commit, PairRecord

READ_TIMEOUT_SECONDS = 5.0
FIRST_PRICE_SECONDS = 3.0

_log = structlog.get_logger("robson.handover")


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be adopted: `quantity` in base, prices in quote per base; no entry price means the present one."""

    symbol: str
    side: Side
    quantity: Decimal
    technical_stop: Decimal
    entry_price: Decimal | None = None
    uid: int = 0


async def adopt(
    supervisor: Supervisor, handover: Handover, reply: Callable[[Position], StoredReply | None]
) -> Position:
    """Take a holding (long) or a debt (short) of the pair's account over, behind a stop; no order is placed.

    Raises RuleError with the numbers when the account does not have it, or a rule of an entry forbids it.
    """
    around, symbol = supervisor.around, handover.symbol
    supervisor.refuse_arming()
    try:
        await around.instrument(symbol)
        await around.market.subscribe(symbol)
    except VenueError as error:
        raise _unread(symbol, error) from error
    try:
        with trio.move_on_after(FIRST_PRICE_SECONDS):
            await around.market.observation(symbol, handover.side).last_price()
        # Its account must not change by an entry of ours between the reading and the decision.
        async with around.entry_lanes.setdefault(symbol, trio.Lock()):
            return await _decide_adoption(supervisor, handover, reply)
    except BaseException:
        with trio.CancelScope(shield=True):
            await around.market.release(symbol)
        raise


async def _decide_adoption(
    supervisor: Supervisor, handover: Handover, reply: Callable[[Position], StoredReply | None]
) -> Position:
    around, symbol = supervisor.around, handover.symbol
    try:
        with trio.fail_after(READ_TIMEOUT_SECONDS):
            terms = await around.pair_terms(symbol)
            account = await around.look_at(symbol)
    except (VenueError, trio.TooSlowError) as error:
        raise _unread(symbol, error) from error
    # From here to the commit nothing awaits.
    supervisor.refuse_arming()
    _refuse_moving(symbol, around)
    instrument, price = around.instruments[symbol], around.market.prices(symbol)
    if price is None or around.market.is_stale(symbol):
        raise RuleError("feed_stale", f"the price feed of {symbol} was stale", hint="try again", retryable=True)
    entry_price = price if handover.entry_price is None else handover.entry_price
    distance = stop_distance(handover.side, entry_price, handover.technical_stop)
    now, position_id = around.clock.now(), PositionId(around.new_id())
    armed = PositionArmed(
        symbol=symbol,
        side=handover.side,
        strategy=ADOPTED,
        capital=handover.quantity * entry_price,
        # So that the Golden Rule gives the quantity that is there.
        risk_percent=(distance * HUNDRED / entry_price).quantize(UNIT),
    )
    first = Fact(position_id=position_id, at=now, event=armed)
    entry_terms = EntryTerms(
        instrument=instrument,
        account=account,
        terms=terms,
        neighbours=around.neighbours(symbol, but=position_id),
    )
    pair, borrowed = _take_from(account, handover, entry_price, instrument, around)
    adopted = HoldingAdopted(
        quantity=handover.quantity,
        entry_price=entry_price,
        technical_stop=handover.technical_stop,
        price=price,
        terms=entry_terms,
        borrowed=borrowed,
        trade_id=around.market.trade_id_before(symbol, now),
        evidence={"method": "adopt", "uid": handover.uid, "present_price": plain(price)},
    )
    decision = decide(evolve(None, first), adopted, now)
    _refuse_unheld(account, handover, instrument, around)
    around.record.write(
        Commit(
            facts=(first, *decision.facts),
            positions=(decision.position,),
            pairs=(pair,),
            reply=reply(decision.position),
        )
    )
    supervisor.begin(decision.position)
    return decision.position


def _unread(symbol: str, error: Exception) -> RuleError:
    text = str(error) or f"no answer within {READ_TIMEOUT_SECONDS:g} s"
    return RuleError("venue_unreachable", f"{symbol} was not read: {text}", retryable=True)


def _refuse_moving(symbol: str, around: Surroundings) -> None:
    """While an order of ours is out, nobody can say what of the account is whose."""
    if any(intent.order.symbol == symbol for intent in around.record.open_intents()) or any(
        isinstance(position.state, (Entering, Exiting)) for position in around.on_pair(symbol, but="")
    ):
        words = f"an order of ours on {symbol} was on its way"
        raise RuleError("pair_busy", words, hint="try again when it is done", retryable=True)


def _refuse_unheld(account: PairAccount, handover: Handover, instrument: Instrument, around: Surroundings) -> None:
    ours = _ours(handover.symbol, instrument, around)
    leg = account.base
    if handover.side is Side.LONG:
        there, verb, kind = leg.free - ours, "held", "free"
    else:
        borrowed = leg.borrowed - around.principal(handover.symbol, instrument.base)
        there, verb, kind = min(borrowed, leg.debt - leg.total - ours), "owed", "net"
    if handover.quantity > there:
        raise RuleError(
            "not_held",
            f"the account of {handover.symbol} {verb} {plain(max(there, ZERO))} {instrument.base} {kind} beyond the "
            f"{plain(ours)} of other positions; {plain(handover.quantity)} were to be adopted",
            hint="`--quantity` at most what is there",
        )


def _ours(symbol: str, instrument: Instrument, around: Surroundings) -> Decimal:
    return sum(
        (share_of(position, instrument.base) for position in around.on_pair(symbol, but="") if position.entry), ZERO
    )


def _take_from(
    account: PairAccount, handover: Handover, entry_price: Decimal, instrument: Instrument, around: Surroundings
) -> tuple[PairRecord, dict[str, Decimal]]:
    """The pair's record without what is adopted, and the debt that goes with it, by asset."""
    symbol, base, quote = handover.symbol, instrument.base, instrument.quote
    known = around.record.pair(symbol) or PairRecord(symbol=symbol, baseline_base=ZERO, baseline_quote=ZERO)
    total = account.base.total
    owed_base = max(account.base.borrowed - around.principal(symbol, base) - known.carried_base, ZERO)
    owed_quote = max(account.quote.borrowed - around.principal(symbol, quote) - known.carried_quote, ZERO)
    if handover.side is Side.LONG:
        own = max(total - _ours(symbol, instrument, around) - handover.quantity, ZERO)
        loan = min(owed_quote, cut_to_unit(handover.quantity * entry_price))
        borrowed, owed_quote = ({quote: loan} if loan > 0 else {}), owed_quote - loan
    else:
        own = total
        borrowed, owed_base = {base: handover.quantity}, max(owed_base - handover.quantity, ZERO)
    dust = min(known.dust_base, own)
    surplus = min(known.surplus_base, own - dust)
    record = msgspec.structs.replace(
        known,
        baseline_base=own - dust - surplus,
        dust_base=dust,
        surplus_base=surplus,
        handed_base=owed_base,
        handed_quote=owed_quote,
    )
    return record, borrowed


async def release(around: Surroundings, life: Life, reply: Callable[[Position], StoredReply | None]) -> Position:
    """Hand a position back: no order; what it holds or owes is the trader's from now on. Returns it as it was.

    Raises RuleError when its state forbids that or an order of it is out.
    """
    _refuse_orders_out(life, around)
    if life.position.symbol not in around.instruments:
        raise RuleError("recovering", f"{life.position.symbol} was not read since the start", retryable=True)
    instrument = around.instruments[life.position.symbol]
    interest = await _interest(life, instrument, around)
    # What the venue was asked for took a while.
    _refuse_orders_out(life, around)
    position = life.position
    life.feel(
        ReleaseRequested(instrument=instrument, interest=interest),
        pairs=(_given_back(position, instrument, around),) if position.entry is not None else (),
        reply=lambda _decision: reply(position),
    )
    return position


def _refuse_orders_out(life: Life, around: Surroundings) -> None:
    position_id = life.position.position_id
    if around.record.intents_of(position_id):
        raise RuleError(
            "orders_out",
            f"position {position_id} had an order on its way, so it cannot be released",
            hint="wait for it, or use close",
            retryable=True,
        )


def _given_back(position: Position, instrument: Instrument, around: Surroundings) -> PairRecord:
    symbol = position.symbol
    known = around.record.pair(symbol) or PairRecord(symbol=symbol, baseline_base=ZERO, baseline_quote=ZERO)
    held = share_of(position, instrument.base) if position.side is Side.LONG else ZERO
    return msgspec.structs.replace(
        known,
        baseline_base=known.baseline_base + held,
        handed_base=known.handed_base + outstanding_principal(position, instrument, instrument.base),
        handed_quote=known.handed_quote + outstanding_principal(position, instrument, instrument.quote),
    )


async def _interest(life: Life, instrument: Instrument, around: Surroundings) -> Decimal:
    """The position's share of the interest so far, in quote; zero, said aloud, when the venue cannot be asked."""
    position = life.position
    if position.entry is None:
        return ZERO
    try:
        with trio.fail_after(READ_TIMEOUT_SECONDS):
            charges = await around.venue.interest(position.symbol, position.entry.filled_at - BORROW_CHARGE_SLACK)
    except (VenueError, trio.TooSlowError) as error:
        _log.warning("interest_not_read", position_id=position.position_id, error=str(error))
        return ZERO
    return interest_paid(
        position, charges, instrument, around.market.prices(position.symbol) or position.entry.fill_price
    )
