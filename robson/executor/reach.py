"""Whether the venue can be reached and takes what it is sent: the answer to "would an exit go out now?"."""

from collections.abc import Awaitable, Callable
from typing import Literal

import structlog
import trio

from robson.domain.errors import OWN_BUDGET, Fatal, RateLimited, Rejected, Unreachable, VenueError

About = Literal["orders", "account"]
ASK_SECONDS = 60.0
ANSWER_SECONDS = 12.0

_log = structlog.get_logger("robson.executor")


class Reach:
    """What became of the last order that was placed, and of the last question about the account.

    `on_change` is called whenever the answer to "is it in reach?" changes. A venue that answers, and wants silence or
    does not accept the key, is out of reach, too: no exit would go out.
    """

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._answered: dict[About, bool] = {"orders": True, "account": True}
        self._barred: dict[About, Fatal | RateLimited] = {}

    def __bool__(self) -> bool:
        return all(self._answered.values()) and not self._barred

    @property
    def trouble(self) -> str | None:
        """Why it is out of reach, in words; None where nothing is wrong."""
        for error in self._barred.values():
            if isinstance(error, Fatal):
                return f"does not accept the key: {error}"
            return f"wants silence: {error}"
        return None if self else "out of reach"

    @property
    def placed(self) -> bool:
        """The last order was answered, or refused by the venue itself."""
        return self._answered["orders"]

    @placed.setter
    def placed(self, answered: bool) -> None:
        self._hear("orders", answered, None)

    @property
    def asked(self) -> bool:
        """The last question was answered."""
        return self._answered["account"]

    @asked.setter
    def asked(self, answered: bool) -> None:
        self._hear("account", answered, None)

    def hear_order(self, error: VenueError | None) -> None:
        """Take what became of an order: None or a refusal of its own are answers."""
        self._hear("orders", not isinstance(error, Unreachable), error)

    def hear_account(self, error: Exception | None, *, idle: bool = False) -> None:
        """Take what became of a question about an account; `idle`: no order waits to be answered.

        Then an answer also says that the next order would be heard.
        """
        answered = error is None or isinstance(error, Rejected)
        before = bool(self)
        self._take("account", answered, error)
        if error is None and idle:
            self._answered["orders"] = True
        self._tell(before)

    def hear_admission(self, error: Exception | None) -> None:
        """Take what the venue says of the key itself; where it may trade, earlier refusals are out of date."""
        before = bool(self)
        self._take("account", error is None or isinstance(error, Rejected), error)
        if error is None:
            self._barred.pop("orders", None)
        self._tell(before)

    def _hear(self, about: About, answered: bool, error: Exception | None) -> None:
        before = bool(self)
        self._take(about, answered, error)
        self._tell(before)

    def _take(self, about: About, answered: bool, error: Exception | None) -> None:
        if isinstance(error, RateLimited) and error.code == OWN_BUDGET:
            return  # the venue was not asked
        self._answered[about] = answered
        if isinstance(error, (Fatal, RateLimited)):
            if about not in self._barred:
                _log.error("venue_refuses_us", about=about, error=str(error))
            self._barred[about] = error
        elif answered:
            self._barred.pop(about, None)
            # Silence is over for everything at once; what a key may do is told by each request for itself.
            for other in [key for key, known in self._barred.items() if isinstance(known, RateLimited)]:
                del self._barred[other]

    def _tell(self, before: bool) -> None:
        if bool(self) is not before:
            self.on_change()


async def keep_asking(reach: Reach, ask: Callable[[], Awaitable[None]]) -> None:
    """Ask every minute whether the venue would take our orders, so that a refused key shows before an exit needs it."""
    while True:
        pause = ASK_SECONDS
        try:
            with trio.fail_after(ANSWER_SECONDS):
                await ask()
            reach.hear_admission(None)
        except (VenueError, trio.TooSlowError) as error:
            reach.hear_admission(error)
            if isinstance(error, RateLimited):
                pause = max(pause, error.retry_after_seconds)
        except Exception:  # noqa: BLE001  what only asks must not end the positions
            _log.exception("admission_not_asked")
        await trio.sleep(pause)
