"""What Ctrl-C does to one command: the first ends it with its last word, an impatient second does not cut that off."""

import os
import signal
import time
from types import FrameType

from robsonctl.exits import Exit

# So long the last word ("the outcome is unknown") may take; whoever asks again later wants out, whatever blocks.
_LAST_WORD_SECONDS = 1.0


class _Interrupted:
    def __init__(self) -> None:
        self._first_seconds: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now_seconds = time.monotonic()
        if self._first_seconds is None:
            self._first_seconds = now_seconds
            raise KeyboardInterrupt
        if now_seconds - self._first_seconds > _LAST_WORD_SECONDS:
            os._exit(Exit.INTERRUPTED)


def interrupt_once() -> None:
    """From now on SIGINT raises KeyboardInterrupt once; for one command, never where a conversation goes on.

    A parent that told this process to ignore it (`nohup`, a script's `&`) is obeyed.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _Interrupted())
