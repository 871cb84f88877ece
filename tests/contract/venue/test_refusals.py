"""What every venue must say when it refuses, when it cannot be reached and when it may have done what was asked."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest
from trio.testing import MockClock

from robson.domain.errors import InDoubt, Rejected, Unreachable
from robson.ports.venue import Venue
from tests.contract.venue.rehearsals import BUY, ENTRY, EXIT, SELL, SYMBOL, Rehearsal
from tests.unit.venue.clocks import START

NOPE = "NOPEUSDT"
READS: dict[str, Callable[[Venue, str], Awaitable[object]]] = {
    "instrument": lambda venue, symbol: venue.instrument(symbol),
    "terms": lambda venue, symbol: venue.terms(symbol),
    "account": lambda venue, symbol: venue.account(symbol),
    "price": lambda venue, symbol: venue.price(symbol),
    "order": lambda venue, symbol: venue.order(symbol, "order-1"),
    "order_of": lambda venue, symbol: venue.order_of(symbol, "1"),
    "orders": lambda venue, symbol: venue.orders(symbol, START),
    "trades": lambda venue, symbol: venue.trades(symbol),
    "open_orders": lambda venue, symbol: venue.open_orders(symbol),
    "interest": lambda venue, symbol: venue.interest(symbol, START),
    "liquidations": lambda venue, symbol: venue.liquidations(symbol, START),
}
NAMES_THE_PAIR = {"instrument", "terms"}


@pytest.mark.parametrize("read", READS)
async def test_an_unknown_pair_is_refused_by_name(rehearsal: Rehearsal, read: str, autojump_clock: MockClock) -> None:
    with pytest.raises(Rejected) as refused:
        await READS[read](rehearsal.venue, NOPE)
    assert refused.value.code == ("unknown_symbol" if read in NAMES_THE_PAIR else "-1121")


async def test_nothing_is_traded_or_repaid_on_an_unknown_pair(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    with pytest.raises(Rejected, match="^-1121: Invalid symbol"):
        await rehearsal.place(BUY, ENTRY, "0.001", symbol=NOPE)
    with pytest.raises(Rejected, match="^-1121: Invalid symbol"):
        await rehearsal.venue.repay(NOPE, "USDT", Decimal(1))


@pytest.mark.parametrize(
    ("asset", "amount", "refusal"),
    [
        ("USDT", "10000", "-3015: Repay amount exceeds borrow amount"),
        ("BTC", "0.001", "-3015: Repay amount exceeds borrow amount"),
        ("BNB", "1", "-3027: Not a valid margin asset"),
        ("USDT", "0.000000001", "-1111: Precision is over the maximum"),
        ("USDT", "0", "-1100: Illegal characters found in parameter 'amount'"),
        ("USDT", "-1", "-1100: "),
    ],
)
async def test_a_repayment_is_refused_in_the_exchanges_words_and_moves_nothing(
    rehearsal: Rehearsal, asset: str, amount: str, refusal: str, autojump_clock: MockClock
) -> None:
    await rehearsal.place(BUY, ENTRY, "0.01")
    await rehearsal.place(SELL, ENTRY, "0.005", "order-2")
    before = await rehearsal.venue.account(SYMBOL)
    assert before.quote.debt > 0
    with pytest.raises(Rejected) as refused:
        await rehearsal.venue.repay(SYMBOL, asset, Decimal(amount))
    assert str(refused.value).startswith(refusal)
    assert await rehearsal.venue.account(SYMBOL) == before


async def test_a_debt_that_is_gone_cannot_be_repaid_again(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    await rehearsal.place(BUY, ENTRY, "0.01")
    await rehearsal.place(SELL, ENTRY, "0.005", "order-2")
    owed = (await rehearsal.venue.account(SYMBOL)).quote.debt
    await rehearsal.venue.repay(SYMBOL, "USDT", owed)
    after = await rehearsal.venue.account(SYMBOL)
    with pytest.raises(Rejected, match="^-3015: "):
        await rehearsal.venue.repay(SYMBOL, "USDT", owed)
    assert await rehearsal.venue.account(SYMBOL) == after
    assert after.quote.debt == 0


async def test_an_exit_never_borrows_whatever_it_lacks(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    await rehearsal.place(SELL, ENTRY, "0.01")
    before = await rehearsal.venue.account(SYMBOL)
    with pytest.raises(Rejected, match="^-2010: "):
        await rehearsal.place(BUY, EXIT, "0.03", "exit-1")
    with pytest.raises(Rejected, match="^-2010: "):
        await rehearsal.place(SELL, EXIT, "0.01", "exit-2")
    assert await rehearsal.venue.account(SYMBOL) == before


async def test_a_request_is_taken_to_the_end_of_its_window(rehearsal: Rehearsal, autojump_clock: MockClock) -> None:
    assert (await rehearsal.place(BUY, ENTRY, "0.001", age_ms=4900)).status == "FILLED"
    assert (await rehearsal.place(BUY, ENTRY, "0.001", age_ms=-500)).status == "FILLED"


@pytest.mark.parametrize("read", sorted(set(READS) - {"instrument", "terms", "price"}))
async def test_a_venue_that_cannot_read_its_books_is_out_of_reach(
    rehearsal: Rehearsal, read: str, autojump_clock: MockClock
) -> None:
    await rehearsal.place(BUY, ENTRY, "0.01")
    rehearsal.lose_books()
    with pytest.raises(Unreachable):
        await READS[read](rehearsal.venue, SYMBOL)


async def test_what_a_venue_without_books_was_asked_for_is_never_called_refused(
    rehearsal: Rehearsal, autojump_clock: MockClock
) -> None:
    await rehearsal.place(BUY, ENTRY, "0.01")
    rehearsal.lose_books()
    with pytest.raises((InDoubt, Unreachable)):
        await rehearsal.place(BUY, ENTRY, "0.01", "order-2")
    with pytest.raises((InDoubt, Unreachable)):
        await rehearsal.venue.repay(SYMBOL, "USDT", Decimal(1))
