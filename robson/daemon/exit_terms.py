"""What an exit's first size depends on, and the fence that it is sent behind."""

import msgspec

from robson.daemon.surroundings import Surroundings
from robson.domain.account import PairTerms
from robson.domain.position import Active, Position
from robson.domain.stimuli import ExitTerms
from robson.domain.values import ZERO, Side
from robson.engine.exits import first_exit_quantity, interest_estimate


def exit_terms(position: Position, around: Surroundings) -> ExitTerms:
    """What an exit's first size depends on, from what is already known: a stop waits for no network."""
    instrument = around.instruments[position.symbol]
    terms = around.terms.get(position.symbol, PairTerms())
    entry = position.entry
    pair = around.record.pair(position.symbol)
    if position.side is Side.LONG or entry is None:
        # A crumb of base that an earlier loan left owed is repaid from what is held; its own interest may double it.
        crumb = 2 * pair.carried_base if pair is not None else ZERO
        owed = ExitTerms(instrument=instrument, fee_rate=terms.taker_fee_rate, interest_base=crumb)
        return _fenced(owed, position, around)
    interest = interest_estimate(
        entry.borrowed.get(instrument.base, ZERO),
        terms.base_hourly_interest_rate,
        entry.filled_at,
        around.clock.now(),
    )
    # An account whose last fee was taken from a third asset pays the next one so, too: nothing is bought for it.
    pays_elsewhere = bool(entry.fees_by_asset) and entry.fees_by_asset.keys().isdisjoint(
        {instrument.base, instrument.quote}
    )
    fee_rate = ZERO if pays_elsewhere else terms.taker_fee_rate
    owed = ExitTerms(instrument=instrument, fee_rate=fee_rate, interest_base=interest)
    return _fenced(owed, position, around)


def _fenced(terms: ExitTerms, position: Position, around: Surroundings) -> ExitTerms:
    """The terms with the fence of a first attempt, where this is one."""
    entry = position.entry
    if entry is None or not isinstance(position.state, Active):
        return terms
    first = first_exit_quantity(position.side, entry.quantity, entry.fees_by_asset, terms)
    return msgspec.structs.replace(terms, fence=around.fence_for(position, first))
