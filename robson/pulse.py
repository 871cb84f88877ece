"""A heartbeat through one loop: asked for from outside, answered only where the loop itself goes round."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Pulse:
    """Whether a loop still goes round; `wake` makes it do so once although there is nothing to do."""

    __slots__ = ("_answered", "_asked", "_wake", "is_running")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._asked = self._answered = 0
        self.is_running = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """The loop runs inside; what was asked before it began is not owed."""
        self._answered = self._asked
        self.is_running = True
        try:
            yield
        finally:
            self.is_running = False

    def ask(self) -> None:
        """Ask for one more beat."""
        self._asked += 1
        self._wake()

    def beat(self) -> None:
        """Called by the loop each time that it goes round."""
        self._answered = self._asked

    @property
    def is_owing(self) -> bool:
        """Whether the loop runs and has not answered since it was last asked."""
        return self.is_running and self._answered != self._asked
