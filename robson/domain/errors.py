"""What can go wrong, by whose fault it is and what may be concluded from it.

RobsonError
├── RuleError              the request breaks a rule of the trade; nothing was done
├── VenueError             the venue did not do what was asked
│   ├── Rejected           it said no: the order or query surely had no effect
│   │   ├── RateLimited    it said not now, with the seconds to wait
│   │   │   └── Banned     it shut us out for having asked too often, until those seconds have passed
│   │   └── Fatal          it does not accept who asks (key, signature, permission): a person has to mend that
│   ├── InDoubt            it may have happened: nobody may guess
│   └── Unreachable        it surely did not happen: no byte left, or none was accepted
├── StorageError           the disk did not do what was asked
│   ├── JournalUnwritable  a commit failed; what it held is not durable
│   ├── JournalUnusable    the journal cannot be opened at all
│   └── JournalHeld        another process owns the journal
├── ConfigurationError     the operator's settings cannot be obeyed
└── IllegalTransition      an event that cannot happen in this state: a bug in Robson
"""


class RobsonError(Exception):
    """The root of everything Robson raises on purpose."""


class RuleError(RobsonError):
    """A rule of the trade refuses the request; nothing was done.

    `code` is stable and meant for programs, the message names value and limit, `hint` says what would be accepted.
    """

    def __init__(self, code: str, message: str, *, hint: str = "", retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.retryable = retryable


class VenueError(RobsonError):
    """The venue did not do what was asked."""


class Rejected(VenueError):
    """The venue said no; the request had no effect. Its own code and text are kept."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class RateLimited(Rejected):
    """The venue said not now; nothing may be sent for `retry_after_seconds`."""

    def __init__(self, code: str, text: str, *, retry_after_seconds: float) -> None:
        super().__init__(code, text)
        self.retry_after_seconds = retry_after_seconds


# The code of a RateLimited that only says that our own share of a budget was used up: others' requests still go out.
OWN_BUDGET = "budget"


class Banned(RateLimited):
    """The venue shuts this address out for `retry_after_seconds`; to ask meanwhile prolongs it."""


class Fatal(Rejected):
    """The venue does not accept the key, its signature or its permissions; trying again does not help."""


class InDoubt(VenueError):
    """The request may have been executed: only evidence from the venue may settle it."""


class Unreachable(VenueError):
    """The request surely was not executed: no byte of it reached the venue."""


class StorageError(RobsonError):
    """The disk did not do what was asked; the message names the path."""


class JournalUnwritable(StorageError):
    """A commit failed; nothing of it is durable."""


class JournalUnusable(StorageError):
    """The journal cannot be opened: it is missing, corrupt, of another mode or of a newer schema."""


class JournalHeld(StorageError):
    """Another process owns the journal; the message says which."""


class ConfigurationError(RobsonError):
    """The operator's settings cannot be obeyed; the message names key, value and what is allowed."""


class IllegalTransition(RobsonError):
    """An event that cannot happen in this state was applied: a bug in Robson, never the user's fault."""
