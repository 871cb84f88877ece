"""Orders that became due together go to the venue in their order, whichever task happens to run first."""

from collections.abc import Iterable

import trio

from robson.domain.values import ClientOrderId


class Turns:
    """A line of orders; each waits for those before it to be handed to the venue, and none for an answer."""

    def __init__(self) -> None:
        self._line: dict[ClientOrderId, trio.Event] = {}
        self._empty = trio.Event()

    def line_up(self, orders: Iterable[ClientOrderId]) -> None:
        """Add to the end of the line."""
        for order in orders:
            self._line[order] = trio.Event()
        self._call_next()

    async def mine(self, order: ClientOrderId) -> None:
        """Return when it is this order's turn, at once for one that is not in the line; whoever is next may go."""
        turn = self._line.get(order)
        if turn is not None:
            if not turn.is_set():
                await turn.wait()
            self.leave(order)

    def leave(self, order: ClientOrderId) -> None:
        """Out of the line, handed over or not; harmless when repeated."""
        if self._line.pop(order, None) is not None:
            self._call_next()

    async def wait_empty(self) -> None:
        """Return once nobody is in the line."""
        while self._line:
            await self._empty.wait()

    def _call_next(self) -> None:
        first = next(iter(self._line.values()), None)
        if first is not None:
            first.set()
        else:
            self._empty.set()
            self._empty = trio.Event()
