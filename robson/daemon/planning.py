"""What a plan is made from: read now where the venue answers, otherwise what is known, with a note of it."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Generic, TypeVar

import trio

from robson.daemon.credit import ask_credit
from robson.daemon.surroundings import AccountRead, Surroundings
from robson.domain.account import Credit, Leg, PairAccount, PairTerms
from robson.domain.errors import RuleError, VenueError
from robson.domain.instrument import Instrument
from robson.domain.values import Side, Value, plain
from robson.venue.instruments import BUILTIN_INSTRUMENTS

READ_SECONDS = 5.0

T = TypeVar("T")


class Basis(Value):
    """Everything that `sizing.size` needs to know of a pair; `notes` name what of it is not fresh."""

    instrument: Instrument
    terms: PairTerms
    account: PairAccount
    credit: Credit
    last_price: Decimal | None
    notes: tuple[str, ...] = ()


class _Asked(Generic[T]):
    """One question, and why it has no answer if it has none."""

    def __init__(self) -> None:
        self.answer: T | None = None
        self.failure = f"no answer within {READ_SECONDS:g} s"

    async def ask(self, read: Callable[[], Awaitable[T]]) -> None:
        """Ask within the time of a plan."""
        with trio.move_on_after(READ_SECONDS):
            try:
                self.answer = await read()
            except VenueError as error:
                self.failure = str(error)

    def instead(self, notes: list[str], choices: list[tuple[T | None, str]]) -> T | None:
        """The answer, or the first choice that is known, with a note of what it is."""
        if self.answer is not None:
            return self.answer
        for known, words in choices:
            if known is not None:
                notes.append(f"{words}: {self.failure}")
                return known
        return None


async def read_basis(around: Surroundings, symbol: str, side: Side, capital: Decimal) -> Basis:
    """Read it side by side; what is not answered is taken from what is known.

    Raises RuleError: `unknown_symbol` when the venue says so, `venue_unreachable` when not even the filters are known.
    """
    instrument, terms, account = _Asked[Instrument](), _Asked[PairTerms](), _Asked[PairAccount]()
    credit, refusals, notes = _Asked[Credit | None](), list[RuleError](), list[str]()
    known_terms, known_account = around.terms.get(symbol), around.reads.get(symbol)

    async def read_instrument() -> None:
        try:
            await instrument.ask(lambda: around.instrument(symbol))
        except RuleError as error:
            refusals.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read_instrument)
        nursery.start_soon(terms.ask, lambda: around.pair_terms(symbol))
        nursery.start_soon(account.ask, lambda: around.account(symbol))
        nursery.start_soon(credit.ask, lambda: ask_credit(around.venue, symbol, side))
    if refusals:
        raise refusals[0]
    rules = instrument.instead(notes, [(BUILTIN_INSTRUMENTS.get(symbol), "the pair's usual filters were taken")])
    lent_on = terms.instead(notes, [(known_terms, "the terms last read were taken"), (PairTerms(), _USUAL_TERMS)])
    if rules is None or lent_on is None:
        hint = "its filters have to be read once"
        raise RuleError("venue_unreachable", f"{symbol} was not read: {instrument.failure}", hint=hint, retryable=True)
    held = account.instead(notes, _accounts(around, symbol, capital, known_account))
    assert held is not None
    lends = credit.answer or Credit()
    # Before its first price a venue says neither, and that is no fault.
    is_unsaid = lends.borrowable is None and (credit.answer is None or lends.index_price is not None)
    if is_unsaid and not notes:
        notes.append("what the venue would lend now is not known: the account's margin alone was counted")
    last_price = around.market.prices(symbol)
    return Basis(instrument=rules, terms=lent_on, account=held, credit=lends, last_price=last_price, notes=tuple(notes))


_USUAL_TERMS = "the usual terms of the lowest tier were taken"


def _accounts(
    around: Surroundings, symbol: str, capital: Decimal, known: AccountRead | None
) -> list[tuple[PairAccount | None, str]]:
    """What may stand in for an account that cannot be read: the last read, or one with the capital as collateral."""
    collateral = PairAccount(symbol=symbol, base=Leg(), quote=Leg(free=capital))
    choices: list[tuple[PairAccount | None, str]] = [
        (collateral, f"an account with {plain(capital)} of collateral was taken")
    ]
    if known is not None:
        age = around.clock.monotonic() - known.asked_at
        choices.insert(0, (known.account, f"the account as of {age:.0f} s ago was taken"))
    return choices
