"""What a trader does beside the daemon in the same account of the paper venue: orders, transfers, repayments."""

from decimal import Decimal
from itertools import count

from robson.domain.values import ClientOrderId, OrderSide, Role
from robson.ports import OrderReport, OrderRequest
from robson.venue.ledger import Change, Pair, PairRules
from robson.venue.paper import PaperVenue

_numbers = count(1)


async def trade(
    paper: PaperVenue,
    side: OrderSide,
    quantity: str | Decimal,
    *,
    symbol: str = "BTCUSDT",
    borrows: bool = False,
    client_order_id: str | None = None,
) -> OrderReport:
    """A market order that is not the daemon's; it repays with what it receives unless it `borrows`."""
    return await paper.place(
        OrderRequest(
            symbol=symbol,
            client_order_id=ClientOrderId(client_order_id or f"by-hand-{next(_numbers)}"),
            role=Role.ENTRY if borrows else Role.EXIT,
            order_side=side,
            quantity=Decimal(quantity),
            timestamp_ms=paper.timestamp_ms(),
            receive_window_ms=5000,
        )
    )


def move(paper: PaperVenue, asset: str, amount: str | Decimal, *, symbol: str = "BTCUSDT") -> None:
    """An amount that comes in, or (negative) goes out, whatever the venue would allow."""

    def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
        return Change(pair=pair.move(asset, free=Decimal(amount)))

    paper._accounts.update(symbol, step)
