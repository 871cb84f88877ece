"""How orders ended in this run, and what their fills cost beyond the price at which they were decided."""

from collections import Counter

from robson.domain.position import Position
from robson.domain.values import OrderSide, Role
from robson.executor.resolution import Executed
from robson.metrics import SLIPPAGE_BASIS_POINTS, Distribution
from robson.ports import Intent

BASIS_POINTS = 10_000


class OrderTally:
    """Since the start of this run: `settled` by role and last status, `slippage` by role in basis points."""

    def __init__(self) -> None:
        self.settled: Counter[tuple[str, str]] = Counter()
        self.slippage = {role.value: Distribution(SLIPPAGE_BASIS_POINTS) for role in Role}

    def note_end(self, ended: Intent) -> None:
        """Count an order by its last status."""
        self.settled[ended.order.role.value, ended.status] += 1

    def note_fill(self, position: Position, intent: Intent, outcome: Executed) -> None:
        """Note by how much a fill was worse than expected by the position as it was before; less than zero is better.

        An entry expects its signal's price, an exit that which hit the stop; an operator's exit expects none.
        """
        order = intent.order
        if order.role is Role.ENTRY:
            expected = position.signal.entry_price if position.signal is not None else None
        else:
            expected = position.exit.trigger.price if position.exit is not None else None
        if expected is None:
            return
        beyond = outcome.quote / outcome.report.executed / expected - 1
        worse = beyond if order.order_side is OrderSide.BUY else -beyond
        self.slippage[order.role.value].note(float(worse * BASIS_POINTS))
