"""What a process was started with: a service manager, sockets that it opened, a way to read the settings again."""

import os
import signal
import socket
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field

import trio

from robson import log
from robson.config import Settings
from robson.daemon.desk import Desk
from robson.daemon.supervisor import Supervisor
from robson.feed.opening import OpenedFeed
from robson.service.announcer import Announcer
from robson.service.proof import Proof
from robson.service.reload import Reloader
from robson.systemd.activation import inherited_sockets
from robson.systemd.notify import Notifier, watchdog_seconds


@dataclass(frozen=True, slots=True)
class Host:
    """The surroundings of one process; the default is a process that nobody has started as a service."""

    notifier: Notifier = field(default_factory=Notifier)
    watchdog_seconds: float | None = None
    sockets: dict[str, socket.socket] = field(default_factory=dict)
    read_settings: Callable[[], Settings] | None = None

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str], read: Callable[[], Settings]) -> "Host":
        """Take what the service manager has said out of the environment, for no child is meant by it."""
        pid = os.getpid()
        notifier = Notifier.from_environment(environment)
        return cls(notifier, watchdog_seconds(environment, pid), inherited_sockets(environment, pid), read)

    def announcer(self, supervisor: Supervisor, desk: Desk, opened: OpenedFeed) -> Announcer:
        """Who speaks for the daemon to the manager."""
        return Announcer(
            self.notifier,
            supervisor,
            desk,
            Proof(supervisor, getattr(opened.feed, "pulse", None)),
            watchdog_seconds=self.watchdog_seconds,
            pause=trio.sleep if opened.trio_clock is None else real_pause,
        )

    def reloader(self, settings: Settings, supervisor: Supervisor, desk: Desk, opened: OpenedFeed) -> Reloader | None:
        """Who reads the settings again; None where nobody can."""
        if self.read_settings is None:
            return None

        def apply(fresh: Settings) -> None:
            log.set_level(fresh.log.level)
            desk.set_defaults(*fresh.account.amounts)
            stale_after = fresh.feed.stale_after_seconds
            supervisor.around.market.retune(stale_after, fresh.recovery.on_gap)
            retune_feed = getattr(opened.feed, "set_stale_after", None)
            if retune_feed is not None:
                retune_feed(stale_after)

        return Reloader(settings, self.read_settings, apply)


async def real_pause(seconds: float) -> None:
    """Wait in real time (s), whatever clock the run is on; one at a time."""
    # What is left over when the receiver closes must not be the process's end.
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    with trio.open_signal_receiver(signal.SIGALRM) as alarms:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            async for _ in alarms:
                return
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
