"""All channels, side by side and apart from everything else: carried on, tried out, and told about."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
import trio

from robson.domain.values import Value
from robson.notify.courier import RESTART_SECONDS, Courier
from robson.notify.message import REASON_CHARACTERS, Message, Refused, Unsent, clean
from robson.notify.ping import Ping
from robson.notify.wording import shown_mode
from robson.ports.clock import Clock

_log = structlog.get_logger("robson.notify")


class Trial(Value):
    """What came of a test message on one channel."""

    channel: str
    ok: bool
    detail: str


class ChannelState(Value):
    """One channel as it is now; numbers are of this run."""

    channel: str
    backlog: int
    delivered: int
    failed: int
    given_up: int
    delivered_at: datetime | None
    trouble: str | None
    last_given_up: str | None


class Trouble(Value):
    """The journal's trouble as the notifier follows it: it cannot be told by the journal's own sequence."""

    wait: Callable[[], Awaitable[None]]
    over: Callable[[], Awaitable[None]]
    reason: Callable[[], str | None]


class Notifier:
    """The channels of one daemon; `run` never ends and never fails."""

    def __init__(
        self, couriers: list[Courier], ping: Ping | None, *, trouble: Trouble | None, clock: Clock, mode: str
    ) -> None:
        self.couriers, self.ping = couriers, ping
        self._trouble, self._clock, self._mode = trouble, clock, mode
        self._one_test = trio.Lock()

    async def run(self) -> None:
        """Carry everything on until cancelled."""
        async with trio.open_nursery() as nursery:
            for courier in self.couriers:
                nursery.start_soon(courier.run)
            if self.ping is not None:
                nursery.start_soon(_guarded, self.ping.run, "ping")
            if self._trouble is not None:
                nursery.start_soon(_guarded, self._tell_trouble, "journal")

    async def test(self) -> tuple[Trial, ...]:
        """One attempt on each channel, all at once."""
        trials: list[Trial] = []

        async def one(courier: Courier, message: Message) -> None:
            try:
                await courier.attempt(message)
            except (Refused, Unsent) as failure:
                detail = clean(str(failure), REASON_CHARACTERS)
                trials.append(Trial(channel=courier.name, ok=False, detail=detail))
            else:
                trials.append(Trial(channel=courier.name, ok=True, detail="accepted"))

        async with self._one_test, trio.open_nursery() as nursery:
            for courier in self.couriers:
                nursery.start_soon(one, courier, self._message(courier.name, "test", "test", "messages arrive"))
        return tuple(sorted(trials, key=lambda trial: trial.channel))

    def states(self) -> tuple[ChannelState, ...]:
        """Every channel as it is now."""
        return tuple(
            ChannelState(
                channel=courier.name,
                backlog=courier.backlog,
                delivered=courier.delivered,
                failed=courier.failed,
                given_up=courier.given_up,
                delivered_at=courier.delivered_at,
                trouble=courier.trouble,
                last_given_up=courier.last_given_up,
            )
            for courier in self.couriers
        )

    async def _tell_trouble(self) -> None:
        """Say at once, past the journal, that the journal cannot be written; stop trying when it can be again."""
        assert self._trouble is not None
        while True:
            await self._trouble.wait()
            reason = self._trouble.reason() or "unknown"
            async with trio.open_nursery() as nursery:
                for courier in self.couriers:
                    message = self._message(
                        courier.name, "journal_degraded", "journal cannot be written: exits only", reason
                    )
                    nursery.start_soon(courier.deliver, message)
                await self._trouble.over()
                nursery.cancel_scope.cancel()

    def _message(self, channel: str, event: str, title: str, text: str) -> Message:
        now = self._clock.now()
        return Message(
            message_id=f"{self._mode}-{channel}-{event}-{now:%Y%m%dT%H%M%S%f}",
            at=now,
            title=f"{shown_mode(self._mode)} {title}",
            text=clean(text, REASON_CHARACTERS),
            priority="urgent" if event != "test" else "normal",
            event=event,
            mode=self._mode,
        )


async def _guarded(part: Callable[[], Awaitable[None]], name: str) -> None:
    while True:
        try:
            await part()
        except Exception:  # noqa: BLE001  telling must not cost the daemon anything
            _log.exception("notifications_failed", part=name)
        await trio.sleep(RESTART_SECONDS)
