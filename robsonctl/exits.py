"""How robsonctl ends: its exit codes, and the one exception that carries them."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes that scripts rely on."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_CONFIRMED = 4
    PARTLY_DONE = 5
    NO_TERMINAL = 64
    UNREACHABLE = 69
    OUTPUT_LOST = 74
    OUTCOME_UNKNOWN = 75
    INTERRUPTED = 130


class Ended(Exception):
    """Nothing more can be done: what to tell the person, and the exit code."""

    def __init__(self, exit_code: Exit, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.message = message
        self.code = code
        self.hint = hint
