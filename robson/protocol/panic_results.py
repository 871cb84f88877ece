"""What `panic_preview` gives; every field is always there, null where nothing is known."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from robson.protocol.results import Mode, Result


class PanicStep(Result, kw_only=True):
    """What panic would do to one position; money in quote, quantity in base."""

    position_id: str
    symbol: str
    side: Literal["long", "short"]
    state: Literal["Armed", "Entering", "Active", "Exiting", "Closed", "Error"]
    will: Annotated[
        Literal["disarm", "close", "close_after_fill", "join"],
        Meta(description="join: its exit is under way already, and goes on"),
    ]
    quantity: Annotated[Decimal | None, Meta(description="what is still in the market; ordered while Entering")] = None
    price: Annotated[Decimal | None, Meta(description="the present one, quote per base")] = None
    notional: Annotated[Decimal | None, Meta(description="quantity x price")] = None
    order_in_doubt: Annotated[bool, Meta(description="an order of it was sent and its outcome is unknown")] = False
    slippage_bps: Annotated[
        Decimal | None,
        Meta(description="what its order may lose, of the price; those of one pair and side are estimated together"),
    ] = None
    slippage: Annotated[Decimal | None, Meta(description="the same in quote")] = None
    slippage_source: Annotated[
        Literal["paper_rule", "order_book"] | None,
        Meta(description="paper_rule: at most so much; order_book: as the book stands"),
    ] = None
    slippage_is_least: Annotated[bool, Meta(description="the book that was read did not hold it all")] = False
    slippage_unknown: Annotated[str | None, Meta(description="why there is no estimate of what will be traded")] = None


class PanicPreviewResult(Result):
    """What panic would do, position by position, and in all."""

    mode: Mode
    panic_latched: bool
    positions: tuple[PanicStep, ...]
    notional: Annotated[Decimal, Meta(description="of all positions with a price")]
    slippage: Annotated[Decimal, Meta(description="of all positions with an estimate")]
    without_estimate: Annotated[int, Meta(description="positions that would be traded and have no estimate")]
