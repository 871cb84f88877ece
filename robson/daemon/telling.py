"""Notifications as the daemon sets them going, and as the control socket and health tell of them."""

from random import Random
from typing import TYPE_CHECKING

import msgspec

from robson.daemon.record import Record
from robson.ports import Clock
from robson.protocol import results as give
from robson.protocol import telling
from robson.protocol.operations import Caller
from robson.protocol.requests import HealthRequest

if TYPE_CHECKING:
    from robson.daemon.window import Window
    from robson.notify.notifier import Notifier
    from robson.notify.opening import Outlets

_OURSELVES = Caller(uid=0, pid=0, gid=0)


def notifier_of(outlets: "Outlets", window: "Window", record: Record, clock: Clock) -> "Notifier":
    """The notifier over a daemon's journal; the window says whether it is ready."""
    from robson.notify.courier import Courier, Story  # noqa: PLC0415  its libraries are only for who is notified
    from robson.notify.notifier import Notifier, Trouble  # noqa: PLC0415  likewise

    mode, settings = window.identity.mode, outlets.settings
    story = Story(record.journal, lambda: record.last_seq, record.wait_events)
    couriers = [
        Courier(channel, story, settings, clock=clock, mode=mode, random=Random())  # noqa: S311  jitter, not a secret
        for channel in outlets.channels
    ]

    async def is_ready() -> bool:
        return (await window.health(HealthRequest(), _OURSELVES)).ready

    trouble = Trouble(wait=record.wait_trouble, over=record.wait_mended, reason=lambda: record.degraded)
    return Notifier(couriers, outlets.ping_of(is_ready), trouble=trouble, clock=clock, mode=mode)


async def notify_test(notifier: "Notifier | None") -> telling.NotifyTestResult:
    """What came of one attempt on each channel."""
    trials = await notifier.test() if notifier is not None else ()
    return telling.NotifyTestResult(channels=tuple(telling.TrialView(**msgspec.structs.asdict(t)) for t in trials))


def notify_status(notifier: "Notifier | None") -> telling.NotifyStatusResult:
    """Each channel as it is now, and the ping."""
    if notifier is None:
        return telling.NotifyStatusResult(channels=(), ping="off")
    channels = tuple(telling.ChannelView(**msgspec.structs.asdict(state)) for state in notifier.states())
    ping = notifier.ping
    told = "off" if ping is None else ping.trouble or ("well" if ping.sent else "not yet")
    return telling.NotifyStatusResult(channels=channels, ping=told)


def notifications_check(notifier: "Notifier") -> give.Check:
    """Always in order: positions are looked after whether anybody hears of it or not; the detail says who does not."""
    told = []
    for state in notifier.states():
        if state.trouble is not None:
            told.append(f"{state.channel}: {state.trouble}")
        elif state.given_up:
            told.append(f"{state.channel} gave up {state.given_up}: {state.last_given_up}")
    return give.Check(ok=True, detail="; ".join(told) or "delivered")
