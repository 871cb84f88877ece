"""The account against the journal, at a moment at which nothing is on its way."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from robson.domain.values import Side
from tests.rig import Rig
from tests.simulation.accounts import MemoryAccounts
from tests.simulation.venue import RoughVenue


class Watched(Protocol):
    """What the comparison needs of the watchman."""

    accounts: MemoryAccounts
    explained: Counter[str]

    def demand(self, holds: object, what: str, *details: object) -> None:
        """Keep the first violation."""


def least_of(rig: Rig, symbol: str) -> Decimal:
    """The smallest order of a pair (base)."""
    price = rig.paper._prices(symbol)
    assert price is not None, symbol
    return rig.around.instruments[symbol].smallest_sellable(price)


def least_of_late(rig: Rig, symbol: str, prices: Sequence[Decimal], since: float) -> Decimal:
    """The smallest order (base) by the prices and the filters that whoever leaves now can have read since `since`."""
    filters = [rig.around.instruments[symbol]]
    if isinstance(rig.venue, RoughVenue):
        told = rig.venue.weather.filters_told[symbol]
        # Those before hold until the next are told.
        filters += [known for n, (_, known) in enumerate(told) if n + 1 == len(told) or told[n + 1][0] >= since]
    return max([least_of(rig, symbol), *(known.smallest_sellable(price) for known in filters for price in prices)])


def compare_books(watchman: Watched, rig: Rig, symbol: str) -> None:
    """Demand that the journal has every trade of the account, and that it explains what the account holds."""
    pair = watchman.accounts.pair(symbol)
    if pair is None or watchman.accounts.liquidations(symbol):
        return
    executions = watchman.accounts.executions(symbol)
    for execution in executions[watchman.explained[symbol] :]:
        known = rig.record.knows_trade(symbol, execution.trade_id)
        watchman.demand(known, "the account has a trade that the journal has not", symbol, execution)
    watchman.explained[symbol] = len(executions)
    leg, instrument = pair.account.base, rig.around.instruments[symbol]
    shorts = [p for p in rig.around.on_pair(symbol, but="") if p.side is Side.SHORT and p.entry is not None]
    interest = sum((p.entry.quantity for p in shorts if p.entry), Decimal(0)) / 10_000
    # An account that is behind by less than half of the smallest order is believed, and dust is then misnamed by as
    # much (docs/decisions/0016): two who leave one after the other add up to one.
    lags = isinstance(rig.venue, RoughVenue) and "account_lag" in rig.venue.weather.climate
    allowed = least_of(rig, symbol) if lags else 2 * instrument.step_size
    apart = abs(leg.total - leg.debt - rig.around.expected_net_base(symbol))
    watchman.demand(
        apart <= allowed + interest,
        "the account is not what the journal explains",
        pair.account,
        f"expected net base {rig.around.expected_net_base(symbol)}",
        rig.record.pair(symbol),
    )
