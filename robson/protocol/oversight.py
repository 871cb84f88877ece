"""Requests that explain, adjust and pause, and those about the daemon itself."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from robson.domain.values import parse_amount
from robson.protocol.fields import Amount, Limit, Name, Seq
from robson.protocol.requests import Mutation, Request


class VersionRequest(Request, tag="version"):
    """The versions of Robson, of this protocol and of what it runs on."""


class ShowRequest(Request, tag="show"):
    """One position, whole: what `status` shows of it, its orders with their fills, and its events."""

    position_id: Annotated[Name, Meta(description="open or Closed")]
    from_seq: Annotated[Seq | None, Meta(description="its events from this seq on; all if omitted")] = None
    limit: Annotated[Limit | None, Meta(description="at most so many events; 10,000 if omitted")] = None


class WhyRequest(Request, tag="why"):
    """Why a position entered and left as it did: tick, stop, decision, order and fill, with latencies and slippage.

    From its own events, orders and fills; what they do not tell is null.
    """

    position_id: Annotated[Name, Meta(description="open or Closed")]


class JournalRequest(Request, tag="journal"):
    """How much the journal holds, how large it is, and when it was last copied by `robson backup`."""


class AdjustRequest(Mutation, tag="adjust"):
    """Tighten the trailing stop of an Active position; it is never loosened.

    The stop distance stays: the stop follows again once the best price is further from it than that. The stop must
    lie on the good side of the present price.
    """

    position_id: Annotated[Name, Meta(description="an Active position")]
    stop_price: Annotated[Amount, Meta(description="the new trailing stop, quote per base")]

    def __post_init__(self) -> None:
        parse_amount("stop_price", self.stop_price)

    @property
    def stop_price_decimal(self) -> Decimal:
        """The new trailing stop, quote per base."""
        return parse_amount("stop_price", self.stop_price)


class PauseRequest(Mutation, tag="pause"):
    """Let nothing enter any more: signals are refused. Positions stay, stops are watched, exits go on.

    It lasts until `unpause`, also across a restart. An entry that was decided before goes on.
    """


class UnpauseRequest(Mutation, tag="unpause"):
    """Let signals enter again; the panic latch is another matter."""
