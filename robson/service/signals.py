"""SIGTERM and SIGINT end the daemon, SIGHUP has it read its settings again; no signal closes a position."""

import signal
import sys

import structlog
import trio

from robson.domain.errors import ConfigurationError
from robson.service.announcer import Announcer
from robson.service.reload import Reloader

_log = structlog.get_logger("robson")


async def heed_signals(
    doors: trio.CancelScope,
    announcer: Announcer,
    reloader: Reloader | None,
    *,
    hangup: bool = True,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Close the doors once told to stop; reload as often as told to. Without `hangup` SIGHUP is somebody else's."""
    heeded = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hangup else [])]
    with trio.open_signal_receiver(*heeded) as signals:
        task_status.started()
        async for number in signals:
            # On a terminal it means that the terminal is gone.
            if number == signal.SIGHUP and reloader is not None and not sys.stderr.isatty():
                reload(announcer, reloader)
                continue
            name = signal.Signals(number).name
            _log.info("told_to_stop", signal=name)
            announcer.stopping(name)
            doors.cancel()
            return


def reload(announcer: Announcer, reloader: Reloader) -> None:
    """Read the settings again; what is wrong with them is told, and changes nothing."""
    announcer.reloading()
    try:
        changed = reloader.reload()
    except ConfigurationError as error:
        remark = " ".join(str(error).split())
        _log.error("reload_refused", reason=remark)
        announcer.reloaded(f"reload refused: {remark}")
    else:
        _log.warning("reloaded", changed=changed)
        announcer.reloaded(None)
