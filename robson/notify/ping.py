"""The ping that somebody else misses: sent while the daemon is ready, and not otherwise."""

from collections.abc import Awaitable, Callable

import structlog
import trio

from robson.notify.http import Http, parts_of
from robson.notify.message import Refused, Unsent
from robson.venue.binance.secret import Secret

_log = structlog.get_logger("robson.notify")


class Ping:
    """Asks one address every `seconds`, for as long as `is_ready` says so; failures wait for the next turn."""

    def __init__(
        self,
        http: Http,
        url: Secret,
        *,
        seconds: float,
        timeout_seconds: float,
        is_ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self._http, self._url, self._seconds, self._timeout = http, url, seconds, timeout_seconds
        self._is_ready = is_ready
        self.sent = self.failed = self.withheld = 0
        self.trouble: str | None = None

    async def run(self) -> None:
        """Ping until cancelled."""
        while True:
            due = trio.current_time() + self._seconds
            if await self._is_ready():
                await self._once()
            else:
                self.withheld += 1
                self._note("the daemon is not ready")
            await trio.sleep_until(due)

    async def _once(self) -> None:
        secret = self._url.reveal()
        try:
            with trio.fail_after(min(self._timeout, self._seconds)):
                await self._http.ask("GET", secret.decode("latin-1"), secrets=parts_of(secret))
        except (Refused, Unsent) as failure:
            self.failed += 1
            self._note(str(failure))
        except trio.TooSlowError:
            self.failed += 1
            self._note("no answer in time")
        else:
            self.sent += 1
            self._note(None)

    def _note(self, trouble: str | None) -> None:
        if trouble != self.trouble:
            _log.warning("ping_not_sent" if trouble else "ping_sent_again", reason=trouble)
        self.trouble = trouble
