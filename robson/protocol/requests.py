"""Every request as it arrives, one struct a command; what is wrong with its values is said when it is read."""

from decimal import Decimal
from typing import Annotated, Literal, dataclass_transform

import msgspec
from msgspec import Meta

from robson.domain.values import Side, parse_amount
from robson.protocol.checks import check_account, read_capital, read_risk_percent, set_symbol
from robson.protocol.fields import (
    Amount,
    IdempotencyKey,
    Limit,
    Name,
    Params,
    RequestId,
    Seq,
    SignalId,
    SymbolText,
)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Request(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    tag_field="cmd",
):
    """What every request may carry."""

    id: Annotated[RequestId, Meta(description="yours; the reply carries it")] = None


class Mutation(Request, kw_only=True):
    """What every request that changes something may carry as well."""

    idempotency_key: Annotated[
        IdempotencyKey | None,
        Meta(description="yours; the same key and body get the stored result instead of a second effect"),
    ] = None


class HelloRequest(Request, tag="hello"):
    """Which daemon this is: protocol, version, mode and state."""


class PingRequest(Request, tag="ping"):
    """Whether the daemon answers at all."""


class SchemaRequest(Request, tag="schema"):
    """The JSON Schema (2020-12) of every request line, or of what the daemon sends."""

    of: Annotated[
        Literal["requests", "replies", "events"], Meta(description="replies: one definition for each command's result")
    ] = "requests"


class HelpRequest(Request, tag="help"):
    """Every command with its fields and an example."""


class HealthRequest(Request, tag="health"):
    """Whether the daemon lives and is ready, check by check."""


class StatusRequest(Request, tag="status"):
    """The daemon's state, the feeds and the positions: the open ones, all of them, or one."""

    position_id: Annotated[Name | None, Meta(description="this position only, open or Closed")] = None
    all: Annotated[bool, Meta(description="Closed positions too")] = False


class PlanRequest(Request, tag="plan"):
    """What a signal would buy or sell, and what it would put at stake; nothing is done, no feed is needed."""

    symbol: Annotated[SymbolText, Meta(description="the pair; lower case is accepted")]
    side: Annotated[Side, Meta(description="which way it earns")]
    entry_price: Annotated[Amount, Meta(description="quote per base, above 0")]
    stop_price: Annotated[Amount, Meta(description="the technical stop, quote per base")]
    capital: Annotated[Amount | None, Meta(description="quote, above 0; the account's default if omitted")] = None
    risk_percent: Annotated[
        Amount | None, Meta(description="percent of capital, above 0 and at most 5; the account's default if omitted")
    ] = None

    def __post_init__(self) -> None:
        set_symbol(self, self.symbol)
        parse_amount("entry_price", self.entry_price)
        parse_amount("stop_price", self.stop_price)
        check_account(self.capital, self.risk_percent)

    @property
    def entry_price_decimal(self) -> Decimal:
        """The planned entry, quote per base."""
        return parse_amount("entry_price", self.entry_price)

    @property
    def stop_price_decimal(self) -> Decimal:
        """The planned technical stop, quote per base."""
        return parse_amount("stop_price", self.stop_price)

    @property
    def capital_decimal(self) -> Decimal | None:
        """Capital in quote, None for the account's default."""
        return read_capital(self.capital)

    @property
    def risk_percent_decimal(self) -> Decimal | None:
        """Percent of capital at risk, None for the account's default."""
        return read_risk_percent(self.risk_percent)


class ArmRequest(Mutation, tag="arm"):
    """Arm a position: from now on it waits for its strategy's one signal."""

    symbol: Annotated[SymbolText, Meta(description="the pair; lower case is accepted")]
    side: Annotated[Side, Meta(description="which way it earns")]
    strategy: Annotated[Name, Meta(description="the detector; `signal` waits for the `signal` command")]
    capital: Annotated[Amount | None, Meta(description="quote, above 0; the account's default if omitted")] = None
    risk_percent: Annotated[
        Amount | None, Meta(description="percent of capital, above 0 and at most 5; the account's default if omitted")
    ] = None
    params: Annotated[Params, Meta(description="the strategy's parameters by name, all as strings")] = {}

    def __post_init__(self) -> None:
        set_symbol(self, self.symbol)
        check_account(self.capital, self.risk_percent)

    @property
    def capital_decimal(self) -> Decimal | None:
        """Capital in quote, None for the account's default."""
        return read_capital(self.capital)

    @property
    def risk_percent_decimal(self) -> Decimal | None:
        """Percent of capital at risk, None for the account's default."""
        return read_risk_percent(self.risk_percent)


class SignalRequest(Mutation, tag="signal"):
    """Give an Armed position its entry signal.

    A rule's refusal is a result with `accepted` false; a venue's comes later as an event. An accepted signal has left
    Armed before its reply. The same accepted `signal_id` is answered, not executed, twice; a refused one may come
    again.
    """

    position_id: Annotated[Name, Meta(description="an Armed position")]
    entry_price: Annotated[Amount, Meta(description="quote per base, above 0; the order itself is a market order")]
    stop_price: Annotated[Amount, Meta(description="the technical stop, quote per base")]
    signal_id: Annotated[SignalId | None, Meta(description="yours; made by the daemon if omitted")] = None

    def __post_init__(self) -> None:
        parse_amount("entry_price", self.entry_price)
        parse_amount("stop_price", self.stop_price)

    @property
    def entry_price_decimal(self) -> Decimal:
        """The signal's entry, quote per base."""
        return parse_amount("entry_price", self.entry_price)

    @property
    def stop_price_decimal(self) -> Decimal:
        """The signal's technical stop, quote per base."""
        return parse_amount("stop_price", self.stop_price)


class DisarmRequest(Mutation, tag="disarm"):
    """Take back an Armed position."""

    position_id: Annotated[Name, Meta(description="an Armed position")]


class CloseRequest(Mutation, tag="close"):
    """Take a position out of the market.

    From Entering the exit follows the fill, an exit under way is joined, Error tries again. It goes on if the client
    leaves, and is answered within 30 seconds.
    """

    position_id: Annotated[Name, Meta(description="a position that is Entering, Active, Exiting or in Error")]


class AdoptRequest(Mutation, tag="adopt"):
    """Take over what the pair's account holds already (long) or owes (short), behind a trailing stop; no order is sent.

    It must be there beyond what other positions own. The position is Active at once, strategy `adopted`; its events are
    position_armed, entry_signal_received and entry_filled with empty order ids. A debt in quote goes with a long as far
    as its value.
    """

    symbol: Annotated[SymbolText, Meta(description="the pair; lower case is accepted")]
    side: Annotated[Side, Meta(description="long: base that is held; short: base that is owed")]
    quantity: Annotated[Amount, Meta(description="base, above 0")]
    stop_price: Annotated[Amount, Meta(description="the technical stop, quote per base")]
    entry_price: Annotated[
        Amount | None, Meta(description="quote per base, what profit is counted from; the present price if omitted")
    ] = None

    def __post_init__(self) -> None:
        set_symbol(self, self.symbol)
        parse_amount("quantity", self.quantity)
        parse_amount("stop_price", self.stop_price)
        if self.entry_price is not None:
            parse_amount("entry_price", self.entry_price)

    @property
    def quantity_decimal(self) -> Decimal:
        """What is handed over, base."""
        return parse_amount("quantity", self.quantity)

    @property
    def stop_price_decimal(self) -> Decimal:
        """The technical stop, quote per base."""
        return parse_amount("stop_price", self.stop_price)

    @property
    def entry_price_decimal(self) -> Decimal | None:
        """What it cost, quote per base; None for the present price."""
        return None if self.entry_price is None else parse_amount("entry_price", self.entry_price)


class ReleaseRequest(Mutation, tag="release"):
    """Hand a position back: no order is sent, its stop is watched no more, and what it holds or owes is the trader's.

    The position is Closed, reason `released`; what is still there counts at its entry price. Other positions on the
    pair neither sell that holding nor repay that debt.
    """

    position_id: Annotated[Name, Meta(description="a position that is Active, or in Error after its entry")]


class PanicRequest(Mutation, tag="panic"):
    """Latch first, so that nothing enters any more; then disarm what is Armed and close what is in the market."""


class PanicPreviewRequest(Request, tag="panic_preview"):
    """What `panic` would do now to each open position, and what its orders may lose to the book; nothing is done.

    The estimate of the loss is given up after two seconds: what is not known by then is null, with the reason.
    """


class ResumeRequest(Mutation, tag="resume"):
    """Release the panic latch."""


class EventsRequest(Request, tag="events"):
    """Events and notices as the journal keeps them, ascending, without gaps."""

    position_id: Annotated[Name | None, Meta(description="this position's only")] = None
    from_seq: Annotated[Seq | None, Meta(description="the first seq, inclusive; oldest_seq if omitted")] = None
    limit: Annotated[Limit | None, Meta(description="at most so many; 10,000 if omitted")] = None


class SubscribeRequest(Request, tag="subscribe"):
    """Events and notices as they are committed, each as a line of its own after the reply.

    A cursor over the journal at the reader's own pace: a slow reader falls behind, catches up and loses nothing. Other
    requests on the connection are answered in between. One subscription a connection. With `prices` the newest price of
    each streamed symbol comes as well, at most four times a second; those in between are left out, and such a line has
    no seq. `types` does not hold for prices: an empty list gives prices alone.
    """

    from_seq: Annotated[Seq | None, Meta(description="the first seq, inclusive; the next one if omitted")] = None
    types: Annotated[tuple[Name, ...] | None, Meta(description="only these events and notices; all if omitted")] = None
    prices: Annotated[bool, Meta(description="`price` lines as well")] = False
