"""The process that holds the keys leaves its memory to nobody: no core dump, and no debugger of another process."""

import ctypes
import os
import resource

import structlog

_PR_SET_DUMPABLE = 4

_log = structlog.get_logger("robson.binance")


def keep_private() -> None:
    """Switch core dumps off, for good, and let only root look into this process; to be called before keys are read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        failed = libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0
        reason = os.strerror(ctypes.get_errno())
    except AttributeError:
        failed, reason = True, "the system has no prctl"
    if failed:
        _log.warning("memory_not_private", reason=reason)
