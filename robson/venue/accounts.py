"""The isolated accounts of one venue: brought up to date, changed and stored in one step, whoever asks."""

from collections.abc import Callable
from decimal import Decimal

from robson.domain.account import PairTerms
from robson.domain.errors import InDoubt, Rejected, Unreachable, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import cut_to_unit
from robson.ports.clock import Clock
from robson.venue.account_file import AccountFile
from robson.venue.answers import known_instrument
from robson.venue.ledger import Change, Pair, PairRules, liquidation_bounds, mark, open_pair, transfer
from robson.venue.ledger.units import to_ms
from robson.venue.settings import PaperSettings

Prices = Callable[[str], Decimal | None]
Step = Callable[[Pair, PairRules, int], Change]

_BASIS_POINTS_PER_UNIT = 10_000


class Accounts:
    """The accounts in one file, each with its pair's rules and the prices that liquidate it.

    An account is brought up to date (interest, index price, liquidation) whenever it is touched, and by `observe` when
    a price liquidates it. The first touch grants it its collateral.
    """

    def __init__(
        self,
        file: AccountFile,
        *,
        clock: Clock,
        prices: Prices,
        rules: Callable[[Instrument], PairRules],
        collateral: Decimal,
    ) -> None:
        """`prices` gives the last price of a symbol (quote per base), `collateral` is what a first touch grants."""
        self._file = file
        self._clock = clock
        self._prices = prices
        self._rules = rules
        self._collateral = collateral
        self._bounds: dict[str, tuple[Decimal, Decimal]] = {}
        for pair in file.pairs():
            self._bounds[pair.symbol] = liquidation_bounds(pair, rules(known_instrument(pair.symbol)))

    def observe(self, symbol: str, price: Decimal) -> Change | None:
        """Take one tick: one comparison, unless the price liquidates the account; then what came of that."""
        bounds = self._bounds.get(symbol)
        if bounds is None or bounds[0] < price < bounds[1]:
            return None
        try:
            return self.update(symbol, price=price)
        except VenueError:
            # The file could not be written. A feed must not fail for that: the next tick or touch tries again.
            return None

    def read(self, symbol: str) -> Pair:
        """The account, brought up to date; Unreachable when the file fails."""
        try:
            return self.update(symbol).pair
        except InDoubt as error:
            # Only the bookkeeping of the touch is in doubt; the reading itself surely gave nothing.
            raise Unreachable(str(error)) from error

    def update(self, symbol: str, step: Step | None = None, *, price: Decimal | None = None) -> Change:
        """Bring the account up to date, take the step, store both together; a refused step leaves the first."""
        instrument = known_instrument(symbol)
        rules, now_ms = self._rules(instrument), self.now_ms()
        before = self._file.pair(symbol)
        if before is None:
            change = transfer(open_pair(instrument, now_ms), instrument.quote, cut_to_unit(self._collateral), now_ms)
        else:
            change = Change(pair=before)
        change = change.then(mark, rules, now_ms, self._prices(symbol) if price is None else price)
        refusal: Rejected | None = None
        if step is not None:
            try:
                change = change.then(step, rules, now_ms)
            except Rejected as error:
                refusal = error
        if change.pair != before:
            self._file.save(change)
        self._bounds[symbol] = liquidation_bounds(change.pair, rules)
        if refusal is not None:
            raise refusal
        return change

    def now_ms(self) -> int:
        """The venue's clock: here it is the run's own (milliseconds since the epoch)."""
        return to_ms(self._clock.now())


def rules_of(settings: PaperSettings, instrument: Instrument, prices: Prices) -> PairRules:
    """The pair's rules as the settings have them; a third asset's fees at its last price where there is one."""
    fee_price: Decimal | None = None
    if settings.fee_asset is not None:
        fee_price = prices(settings.fee_asset + instrument.quote) or settings.fee_asset_price
    return PairRules(
        instrument=instrument,
        terms=PairTerms(
            taker_fee_rate=settings.fee_rate,
            base_hourly_interest_rate=settings.base_hourly_interest_rate,
            quote_hourly_interest_rate=settings.quote_hourly_interest_rate,
        ),
        fee_asset=settings.fee_asset,
        fee_asset_price=fee_price,
        minimum_borrow={instrument.base: instrument.step_size},
        borrow_excess=settings.borrow_excess_bps / _BASIS_POINTS_PER_UNIT,
        fills_underfunded_buys=settings.fills_underfunded_buys,
    )
