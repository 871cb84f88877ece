"""Live prices for one subscriber: the newest of each symbol, when it looks."""

from decimal import Decimal

from robson.domain.codec import encode
from robson.protocol.operations import Operations

# By the run's clock. Looking costs nothing per tick; being woken by each tick would.
LOOK_SECONDS = 0.25


class Prices:
    """What a subscriber was last told of each symbol."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._told: dict[str, tuple[str | Decimal, bool]] = {}

    def next_lines(self) -> bytes:
        """The lines of all symbols that have changed since the last call; empty where none has."""
        lines = []
        for line in self._operations.price_lines():
            now = (line.data["price"], line.data["stale"])
            if self._told.get(line.data["symbol"]) != now:
                self._told[line.data["symbol"]] = now
                lines.append(encode(line) + b"\n")
        return b"".join(lines)
