"""What the daemon asks of an exchange with isolated margin."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Protocol

from robson.domain.account import Credit, InterestCharge, Liquidation, PairAccount, PairTerms, Trade
from robson.domain.instrument import Instrument
from robson.domain.values import ClientOrderId, OrderSide, Role, Side, Value


class OrderRequest(Value):
    """A market order, ready to be sent; `quantity` in base, times in milliseconds since the epoch.

    A venue with a wire notes in `first_bytes` when a byte may have left (steady, s).
    """

    symbol: str
    client_order_id: ClientOrderId
    role: Role
    order_side: OrderSide
    quantity: Decimal
    timestamp_ms: int
    receive_window_ms: int
    first_bytes: list[float] = []


class OrderReport(Value):
    """What the venue says of one order.

    `status` is the venue's own word (NEW, PARTIALLY_FILLED, FILLED, CANCELED, REJECTED, EXPIRED, EXPIRED_IN_MATCH).
    `executed` is in base, `executed_quote` in quote and None when the venue did not give it; `trades` may be empty
    although something executed (ask `trades`). `borrowed` is the loan made for the order, by asset.
    """

    symbol: str
    client_order_id: str
    venue_order_id: str
    status: str
    order_side: OrderSide
    quantity: Decimal
    executed: Decimal
    executed_quote: Decimal | None
    at: datetime
    trades: tuple[Trade, ...] = ()
    borrowed: dict[str, Decimal] = {}

    @property
    def is_final(self) -> bool:
        """Whether nothing more can execute; an unknown status is never final."""
        return self.status in {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"}


Reply = Callable[[], Awaitable[OrderReport]]
"""Waits for the answer to an order that has left already; to be called once, raises as `Venue.place`."""

Hand = Callable[[OrderRequest], Reply | None]
"""Sends an exit at once, before any other task has its turn. None where that is not possible now: nothing has left."""


class Venue(Protocol):
    """An exchange with isolated margin.

    Every call may raise Rejected, InDoubt or Unreachable (domain.errors); reads never raise InDoubt. Of a symbol that
    it does not know it says Rejected, with code `unknown_symbol` where the pair itself is asked for.
    """

    name: ClassVar[str]

    def timestamp_ms(self) -> int:
        """The venue's clock as last known, for signing; milliseconds since the epoch. Never blocks."""

    async def server_time_ms(self) -> int:
        """The venue's own clock, freshly read; milliseconds since the epoch."""

    async def instrument(self, symbol: str) -> Instrument:
        """The pair's filters, freshly read; Rejected with code `unknown_symbol` when the venue does not know it."""

    async def terms(self, symbol: str) -> PairTerms:
        """Tier, fee and interest rates of the pair for this account; Rejected `unknown_symbol` as `instrument`."""

    async def account(self, symbol: str) -> PairAccount:
        """The pair's isolated account, freshly read."""

    async def credit(self, symbol: str, side: Side) -> Credit:
        """What an entry of this side may borrow now, and the index price; None for what the venue does not say."""

    async def price(self, symbol: str) -> Decimal:
        """The venue's present price (quote per base)."""

    async def place(self, request: OrderRequest) -> OrderReport:
        """Send a market order once: an entry borrows what it lacks, an exit repays with what it receives."""

    async def order(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """The newest order with this id; None when the venue says that it does not exist (which may be lag)."""

    async def orders(self, symbol: str, since: datetime) -> Sequence[OrderReport]:
        """All orders on the pair that were placed since a time, oldest first, whatever became of them."""

    async def order_of(self, symbol: str, venue_order_id: str) -> OrderReport | None:
        """The order with the venue's own id, whoever placed it; None when the venue says that it does not exist."""

    async def trades(
        self,
        symbol: str,
        *,
        venue_order_id: str | None = None,
        from_id: int | None = None,
        since: datetime | None = None,
    ) -> Sequence[Trade]:
        """Our executions on the pair, oldest first: of one order, from a trade id, or since a time.

        All that meet every given condition; without any the newest, at least 500 of them.
        """

    async def open_orders(self, symbol: str) -> Sequence[OrderReport]:
        """Our orders on the pair that may still execute."""

    async def repay(self, symbol: str, asset: str, amount: Decimal) -> None:
        """Repay exactly `amount` of the asset's debt, interest first, from what is free."""

    async def interest(self, symbol: str, since: datetime) -> Sequence[InterestCharge]:
        """The interest charged on the pair since a time, oldest first."""

    async def liquidations(self, symbol: str, since: datetime) -> Sequence[Liquidation]:
        """The forced liquidations of the pair's account since a time, oldest first."""
