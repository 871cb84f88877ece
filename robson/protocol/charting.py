"""What draws a position: the request for it, and the points, marks and figures that answer."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from robson.domain.samples import SAMPLES_MAX
from robson.protocol.fields import Name
from robson.protocol.requests import Request
from robson.protocol.results import Result

Points = Annotated[int, Meta(ge=2, le=SAMPLES_MAX)]


class ChartRequest(Request, tag="chart"):
    """The prices that a position has seen since its entry, and its stop, in a bounded number of points."""

    position_id: Annotated[Name, Meta(description="open or Closed")]
    points: Annotated[Points | None, Meta(description="about so many at most; 600 if omitted")] = None


class ChartPoint(Result):
    """The prices of one span of time, quote per base."""

    at: Annotated[datetime, Meta(description="where the span begins, by the clock of the price source")]
    low: Decimal
    high: Decimal
    last: Decimal
    stop: Annotated[Decimal | None, Meta(description="the trailing stop at the span's end; null: not known")]
    after_gap: Annotated[bool, Meta(description="nothing was seen between the span before and this one")] = False


class ChartResult(Result, kw_only=True):
    """A position as a picture shows it; what it has not come to yet is null."""

    position_id: str
    symbol: str
    side: Literal["long", "short"]
    state: str
    strategy: str
    quantity: Annotated[Decimal | None, Meta(description="base, as it was entered")]
    entered_at: datetime | None
    entry_price: Decimal | None
    technical_stop: Decimal | None
    stop_distance: Decimal | None
    trailing_stop: Decimal | None
    closed_at: datetime | None
    exit_price: Decimal | None
    exit_reason: str | None
    pnl: Annotated[Decimal | None, Meta(description="quote: net once Closed, before that gross by the last point")]
    r_multiple: Annotated[Decimal | None, Meta(description="pnl in units of what the first stop put at risk")]
    price_places: Annotated[int, Meta(description="decimal places of the pair's prices")]
    width_seconds: Annotated[float, Meta(description="the length of each point's span")]
    points: Annotated[tuple[ChartPoint, ...], Meta(description="ascending; none for a position without prices")]
