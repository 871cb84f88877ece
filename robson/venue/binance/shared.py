"""One question at a time: who asks the same while it is on its way gets the same answer, or the same failure."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

import trio

from robson.domain.errors import VenueError

T = TypeVar("T")


class _Pending:
    """A question on its way; neither answer nor failure once it was given up."""

    def __init__(self) -> None:
        self.over = trio.Event()
        self.answer: tuple[Any, ...] = ()
        self.failure: VenueError | None = None


class Shared:
    """Questions that are on their way, by key; fifty positions on ten pairs start with ten questions."""

    def __init__(self) -> None:
        self._pending: dict[Hashable, _Pending] = {}

    async def ask(self, key: Hashable, question: Callable[[], Awaitable[T]]) -> T:
        """The answer to the question; raises VenueError as it does. Whoever is cancelled takes nobody along."""
        while (pending := self._pending.get(key)) is not None:
            await pending.over.wait()
            if pending.failure is not None:
                raise pending.failure
            if pending.answer:
                answer: T = pending.answer[0]
                return answer
        pending = self._pending[key] = _Pending()
        try:
            found = await question()
            pending.answer = (found,)
        except VenueError as error:
            pending.failure = error
            raise
        finally:
            del self._pending[key]
            pending.over.set()
        return found
