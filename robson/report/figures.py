"""What a report counts: one row for each position, and the sums over those of one quote asset."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from robson.domain.position import Closed, Position
from robson.domain.values import ZERO, plain
from robson.drawing.subject import r_multiple

# Longest first: a pair's name says its quote asset only by how it ends.
_QUOTES = (
    "FDUSD",
    "USDT",
    "USDC",
    "BUSD",
    "TUSD",
    "USDP",
    "DAI",
    "BTC",
    "ETH",
    "BNB",
    "EUR",
    "TRY",
    "BRL",
    "GBP",
    "AUD",
)
_TENTH = Decimal("0.1")
_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Row:
    """One position in the report's table; prices in quote per base, money in quote, slippage positive when it cost."""

    position_id: str
    symbol: str
    side: str
    state: str
    strategy: str
    params: str
    armed_at: datetime
    entered_at: datetime | None
    closed_at: datetime | None
    quantity: Decimal | None
    entry_price: Decimal | None
    technical_stop: Decimal | None
    exit_price: Decimal | None
    exit_reason: str | None
    realized_pnl: Decimal | None
    fees: Decimal | None
    interest: Decimal | None
    net_pnl: Decimal | None
    r_multiple: Decimal | None
    entry_slippage_bps: Decimal | None
    exit_slippage_bps: Decimal | None
    unprotected_seconds: Decimal

    @property
    def quote(self) -> str:
        """The asset that its money is in; the symbol itself where its end is not known."""
        return next((quote for quote in _QUOTES if self.symbol.endswith(quote)), self.symbol)


@dataclass(frozen=True, slots=True)
class Account:
    """The closed positions of one quote asset, by the time they were closed."""

    quote: str
    rows: tuple[Row, ...]

    @property
    def net(self) -> Decimal:
        """Profit or loss after fees and interest."""
        return sum((row.net_pnl or ZERO for row in self.rows), ZERO)

    @property
    def costs(self) -> Decimal:
        """Fees and interest."""
        return sum(((row.fees or ZERO) + (row.interest or ZERO) for row in self.rows), ZERO)

    @property
    def wins(self) -> int:
        """How many earned something."""
        return sum((row.net_pnl or ZERO) > 0 for row in self.rows)

    @property
    def equity(self) -> list[tuple[datetime, Decimal]]:
        """The sum of net results after each closed position."""
        total, found = ZERO, []
        for row in self.rows:
            assert row.closed_at is not None
            total += row.net_pnl or ZERO
            found.append((row.closed_at, total))
        return found

    @property
    def drawdown(self) -> list[tuple[datetime, Decimal]]:
        """How far below its best the sum was, after each closed position; 0 or less."""
        best, found = ZERO, []
        for at, total in self.equity:
            best = max(best, total)
            found.append((at, total - best))
        return found


def row_of(position: Position, unprotected_seconds: Decimal) -> Row:
    """What the table shows of a position."""
    state, entry, signal, out = position.state, position.entry, position.signal, position.exit
    closed = state if isinstance(state, Closed) else None
    result = closed.result if closed is not None else None
    sign = Decimal(position.side.sign)
    wanted = signal.entry_price if signal is not None else None
    crossed = out.trigger.price if out is not None else None
    exit_price = result.exit_price if result is not None else None
    return Row(
        position_id=position.position_id,
        symbol=position.symbol,
        side=position.side.value,
        state=position.state_name,
        strategy=position.strategy,
        params=" ".join(f"{name}={value}" for name, value in sorted(position.params.items())),
        armed_at=position.armed_at,
        entered_at=entry.filled_at if entry is not None else None,
        closed_at=closed.closed_at if closed is not None else None,
        quantity=entry.quantity if entry is not None else None,
        entry_price=entry.fill_price if entry is not None else None,
        technical_stop=signal.technical_stop if signal is not None else None,
        exit_price=exit_price,
        exit_reason=closed.reason.value if closed is not None else None,
        realized_pnl=result.realized_pnl if result is not None else None,
        fees=result.fees if result is not None else None,
        interest=result.interest if result is not None else None,
        net_pnl=result.net_pnl if result is not None else None,
        r_multiple=r_multiple(position, result.net_pnl if result is not None else None),
        entry_slippage_bps=_slippage(wanted, entry.fill_price if entry is not None else None, sign),
        exit_slippage_bps=_slippage(crossed, exit_price, -sign),
        unprotected_seconds=unprotected_seconds,
    )


def accounts(rows: Iterable[Row]) -> list[Account]:
    """The closed positions that were in the market, by quote asset; the busiest first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.closed_at is not None and row.net_pnl is not None:
            found.setdefault(row.quote, []).append(row)
    every = [
        Account(quote, tuple(sorted(some, key=lambda row: (row.closed_at, row.position_id))))
        for quote, some in found.items()
    ]
    return sorted(every, key=lambda account: (-len(account.rows), account.quote))


def to_csv(rows: Sequence[Row]) -> str:
    """The table with every digit: money as it is, times in RFC 3339, UTC."""
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    names = list(Row.__slots__)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return held.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case Decimal():
            return plain(value)
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}"
        case _:
            text = str(value)
            # A spreadsheet would run it as a formula.
            return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _slippage(wanted: Decimal | None, got: Decimal | None, sign: Decimal) -> Decimal | None:
    """Basis points by which a fill was worse than the price that it was decided at."""
    if not wanted or got is None:
        return None
    return ((got - wanted) / wanted * _BPS * sign).quantize(_TENTH, ROUND_HALF_EVEN)
