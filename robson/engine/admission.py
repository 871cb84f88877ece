"""What around a position may forbid its entry: the latch, a stale feed, its neighbours on the pair, and debts."""

from decimal import Decimal

from robson.domain.stimuli import EntryTerms, Neighbour
from robson.domain.values import Side, plain
from robson.engine.sizing import Refusal


def admit(side: Side, entry_price: Decimal, entry: EntryTerms) -> None:
    """Raise Refusal when no entry of this side may go out on the pair now."""
    symbol = entry.instrument.symbol
    if entry.paused:
        raise Refusal("rule", "paused", "entries are paused", hint="`robsonctl unpause` lets them in again")
    admit_beside_others(side, entry)
    if entry.unexplained_debt > 0:
        raise Refusal(
            "pair",
            "unexplained_debt",
            f"{symbol} owed {plain(entry.unexplained_debt)} more than its live positions borrowed",
            hint="it is repaid first",
        )
    if side is Side.SHORT:
        _refuse_free_base(entry_price, entry)


def admit_beside_others(side: Side, entry: EntryTerms) -> None:
    """Raise Refusal when latch, journal, feed or our other positions forbid a new position of this side."""
    symbol = entry.instrument.symbol
    if entry.latched:
        raise Refusal("rule", "panic_latched", "the panic latch is set", hint="`robsonctl resume` releases it")
    if entry.degraded is not None:
        raise Refusal("rule", "degraded", f"no entry is sent while degraded: {entry.degraded}")
    if not entry.instrument.tradable:
        raise Refusal("venue", "not_tradable", f"{symbol} was not open for trading")
    if entry.stale:
        raise Refusal("stale", "feed_stale", f"the price feed of {symbol} was stale", hint="entries wait for prices")
    for neighbour in entry.neighbours:
        _admit_beside(symbol, side, neighbour)


def _admit_beside(symbol: str, side: Side, neighbour: Neighbour) -> None:
    if neighbour.order_in_doubt:
        raise Refusal("pair", "pair_busy", f"an order on {symbol} was in doubt", hint="it is being resolved")
    if neighbour.self_fenced:
        raise Refusal(
            "pair",
            "pair_busy",
            f"a position on {symbol} was leaving, and what its exit may sell or spend must be its own",
            hint="wait for its exit",
        )
    if neighbour.side is not side:
        raise Refusal(
            "pair",
            "pair_busy",
            f"a {neighbour.side} of {symbol} was in the market, and an isolated account nets",
            hint="one pair, one side: wait for its exit",
        )
    if not neighbour.in_market:
        raise Refusal(
            "pair", "pair_busy", f"another entry on {symbol} was on its way", hint="entries go one after the other"
        )


def _refuse_free_base(entry_price: Decimal, entry: EntryTerms) -> None:
    """A short must borrow what it sells: free base would be sold instead, and the position would own nothing."""
    free = entry.account.base.free
    if free >= entry.instrument.smallest_sellable(entry_price):
        raise Refusal(
            "pair",
            "free_base",
            f"{plain(free)} {entry.instrument.base} were free in the account and would be sold instead of borrowed",
            hint="move them out of the pair's account first",
        )
