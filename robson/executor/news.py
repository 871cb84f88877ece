"""What was heard of an order by the way: it wakes whoever would have asked about it later, and settles nothing."""

import math

import trio


class News:
    """Told by client order id; what was told while nobody waited ends the next wait at once."""

    def __init__(self) -> None:
        self._heard: dict[str, trio.Event] = {}

    def tell(self, client_order_id: str) -> None:
        """Something has happened to an order; nothing is kept of those that nobody expects."""
        if (heard := self._heard.get(client_order_id)) is not None:
            heard.set()

    def expect(self, client_order_id: str) -> None:
        """Keep what is told of an order from now on."""
        self._heard.setdefault(client_order_id, trio.Event())

    def forget(self, client_order_id: str) -> None:
        """Nobody waits for it any more."""
        self._heard.pop(client_order_id, None)

    async def wait(self, client_order_id: str, seconds: float = math.inf) -> None:
        """Wait for news of an order, so many seconds at most."""
        with trio.move_on_after(seconds):
            await self._heard.setdefault(client_order_id, trio.Event()).wait()
            self._heard[client_order_id] = trio.Event()
