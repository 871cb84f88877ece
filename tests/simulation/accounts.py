"""The paper venue's account file in memory: cheap, shared by all runs of a life, and telling of each change."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from robson.domain.account import PairAccount
from robson.venue.account_file import AccountFile
from robson.venue.ledger import (
    Change,
    Execution,
    InterestRecord,
    LiquidationRecord,
    LoanRecord,
    Order,
    Pair,
    TransferRecord,
)
from robson.venue.ledger.units import from_ms


class MemoryAccounts(AccountFile):
    """What the venue remembers; `on_change` hears of every change that holds more than a price or an hour."""

    def __init__(self) -> None:
        self._path = Path("in memory")
        self._pairs: dict[str, Pair] = {}
        self._orders: dict[str, dict[int, Order]] = {}
        self._by_client_id: dict[tuple[str, str], Order] = {}
        self._executions: dict[str, list[Execution]] = {}
        self._changes: list[tuple[str, Change]] = []
        self.history: dict[str, list[tuple[int, PairAccount]]] = {}
        self.now_ms: Callable[[], int] = lambda: 0
        self.on_change: Callable[[str, Change], None] = lambda _symbol, _change: None

    def close(self) -> None:
        """The next run goes on with it."""

    def pairs(self) -> Sequence[Pair]:
        return [self._pairs[symbol] for symbol in sorted(self._pairs)]

    def pair(self, symbol: str) -> Pair | None:
        return self._pairs.get(symbol)

    def save(self, change: Change) -> None:
        symbol = change.pair.symbol
        self._pairs[symbol] = change.pair
        if not change.has_records:
            return
        for order in change.orders:
            self._orders.setdefault(symbol, {})[order.order_id] = order
            self._by_client_id[symbol, order.ticket.client_order_id] = order
        self._executions.setdefault(symbol, []).extend(change.executions)
        self._changes.append((symbol, change))
        self.history.setdefault(symbol, []).append((self.now_ms(), change.pair.account))
        self.on_change(symbol, change)

    def newest_order(self, symbol: str, client_order_id: str) -> Order | None:
        return self._by_client_id.get((symbol, client_order_id))

    def order(self, symbol: str, order_id: int) -> Order | None:
        return self._orders.get(symbol, {}).get(order_id)

    def orders(self, symbol: str, *, since_ms: int = 0) -> Sequence[Order]:
        return [order for order in self._orders.get(symbol, {}).values() if order.created_ms >= since_ms]

    def executions(
        self, symbol: str, *, order_id: int | None = None, from_id: int | None = None, since_ms: int | None = None
    ) -> Sequence[Execution]:
        return [
            execution
            for execution in self._executions.get(symbol, [])
            if order_id in (None, execution.order_id)
            and (from_id is None or execution.trade_id >= from_id)
            and (since_ms is None or execution.at_ms >= since_ms)
        ]

    def interest(self, symbol: str, *, since_ms: int = 0) -> Sequence[InterestRecord]:
        return [r for of, change in self._changes if of == symbol for r in change.interest if r.at_ms >= since_ms]

    def loans(self, symbol: str, *, since_ms: int = 0) -> Sequence[LoanRecord]:
        return [r for of, change in self._changes if of == symbol for r in change.loans if r.at_ms >= since_ms]

    def transfers(self, symbol: str, *, since_ms: int = 0) -> Sequence[TransferRecord]:
        return [r for of, change in self._changes if of == symbol for r in change.transfers if r.at_ms >= since_ms]

    def liquidations(self, symbol: str, *, since_ms: int = 0) -> Sequence[LiquidationRecord]:
        return [r for of, change in self._changes if of == symbol for r in change.liquidations if r.at_ms >= since_ms]

    def account_at(self, symbol: str, moment: datetime) -> PairAccount | None:
        """The account as it stood at a moment of the venue's clock, None before it was first touched."""
        stood = [account for at_ms, account in self.history.get(symbol, []) if from_ms(at_ms) <= moment]
        return stood[-1] if stood else None
