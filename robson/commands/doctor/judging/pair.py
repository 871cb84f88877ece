"""Whether one pair can be traded on isolated margin, and on what terms."""

from decimal import Decimal

from robson.commands.doctor.check import Check, doubtful, fine, wrong
from robson.domain.account import PairAccount, PairTerms
from robson.domain.values import ZERO, Value, plain
from robson.engine.sizing import LEVERAGE_MAX
from robson.venue.binance.filters import PairRules
from robson.venue.binance.lending import ListedPair, Tier
from robson.venue.binance.survey import Standing

_HUNDRED = Decimal(100)
# Below this a normal move of the market comes near the liquidation.
_LEVEL_LOW = Decimal("1.25")


class Loans(Value):
    """What may be borrowed now of both assets (in each); None where the exchange did not say."""

    base: Decimal | None
    quote: Decimal | None


def judge_rules(rules: PairRules) -> Check:
    """Whether it trades, and by which filters."""
    instrument = rules.instrument
    name = f"{instrument.symbol} rules"
    if rules.status != "TRADING":
        return wrong(name, f"its status was {rules.status}, must be TRADING", "wait, or arm another pair")
    if not rules.allows_margin:
        return wrong(name, "the exchange did not allow margin on it", "arm another pair")
    least = f"at least {plain(instrument.minimum_quantity)} {instrument.base} and "
    detail = (
        f"TRADING, tick {plain(instrument.tick_size)}, step {plain(instrument.step_size)}, {least}"
        f"{plain(instrument.minimum_notional)} {instrument.quote}"
    )
    if rules.unknown_filters:
        hint = "an order may be refused for one of them; look for a newer Robson"
        return doubtful(name, f"{detail}; filters unknown here: {', '.join(rules.unknown_filters)}", hint)
    return fine(name, detail)


def judge_margin(symbol: str, listed: ListedPair | None, standing: Standing | None) -> Check:
    """Whether there is an isolated account of the pair, enabled; `listed` is its row of all isolated pairs."""
    name = f"{symbol} margin"
    if listed is None:
        return wrong(name, "it was not among the pairs of isolated margin", "arm another pair")
    if not listed.tradable:
        return wrong(name, "buying or selling on isolated margin was switched off by the exchange", "arm another pair")
    if standing is None or not standing.is_created:
        hint = f"transfer collateral into the isolated account of {symbol}: that makes it"
        return wrong(name, "there was no isolated account of it", hint)
    if not standing.is_enabled:
        return wrong(name, "its isolated account was disabled", "activate the pair on the exchange's page")
    if not standing.trades:
        return wrong(name, "trading in its isolated account was switched off by the exchange", "ask the exchange why")
    level = f", margin level {plain(standing.margin_level)}" if standing.margin_level is not None else ""
    word = f" ({standing.level_word})" if standing.level_word else ""
    detail = f"enabled{level}{word}"
    if standing.margin_level is not None and ZERO < standing.margin_level < _LEVEL_LOW:
        return doubtful(name, detail, "it is near its liquidation: add collateral or repay")
    return fine(name, detail)


def judge_terms(symbol: str, tier: Tier, terms: PairTerms) -> Check:
    """The lowest tier, by which Robson sizes."""
    name = f"{symbol} terms"
    detail = (
        f"tier {tier.tier}, {plain(tier.multiple)}x, liquidation at margin level {plain(tier.liquidation_risk_ratio)}, "
        f"may owe {_limit(terms.base_borrow_limit)} base and {_limit(terms.quote_borrow_limit)} quote, "
        f"fee {plain(terms.taker_fee_rate * _HUNDRED)} %"
    )
    if tier.multiple < LEVERAGE_MAX:
        return doubtful(name, detail, f"sizes are cut to {plain(tier.multiple)}x instead of {plain(LEVERAGE_MAX)}x")
    return fine(name, detail)


def judge_collateral(account: PairAccount, price: Decimal, capital: Decimal) -> Check:
    """Whether there is something to trade with; all in quote at `price` (quote per base)."""
    name, equity = f"{account.symbol} collateral", account.equity(price)
    detail = (
        f"worth {equity:.2f} in quote at {plain(price)}: free {plain(account.base.free)} base and "
        f"{plain(account.quote.free)} quote, owed {plain(account.base.debt)} base and {plain(account.quote.debt)} quote"
    )
    if equity <= 0:
        return wrong(name, detail, "transfer collateral into the isolated account of the pair")
    needed = capital / LEVERAGE_MAX
    if equity < needed:
        return doubtful(
            name, detail, f"a position at full leverage on a capital of {plain(capital)} needs {needed:.2f}"
        )
    return fine(name, detail)


def judge_loans(symbol: str, loans: Loans) -> Check:
    """What can be borrowed now: the quote for longs, the base for shorts."""
    name = f"{symbol} borrowable"
    detail = f"{_amount(loans.base)} base for shorts, {_amount(loans.quote)} quote for longs"
    for amount, who in ((loans.quote, "longs"), (loans.base, "shorts")):
        if amount is not None and amount <= 0:
            return doubtful(name, detail, f"{who} have nothing but what is free: add collateral or wait")
    if None in {loans.base, loans.quote}:
        return doubtful(name, detail, "the exchange did not say; an entry may be refused for its loan")
    return fine(name, detail)


def _limit(limit: Decimal | None) -> str:
    return "any" if limit is None else plain(limit)


def _amount(amount: Decimal | None) -> str:
    return "unknown" if amount is None else plain(amount)
