"""What a socket lets its clients do, and how much of it: rights by uid, idle time, requests a second."""

import math
import pwd
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import structlog

from robson.config import Control
from robson.domain.errors import ConfigurationError, RuleError
from robson.protocol.operations import Caller
from robson.protocol.table import COMMANDS
from robson.protocol.unions import AnyRequest
from robson.systemd.activation import CONTROL, READ_ONLY, is_reachable

IDLE_SECONDS = 3600.0
REQUESTS_PER_SECOND = 500
# A script that sends its commands in one go is none that has run wild.
BURST_SECONDS = 4
_IDLE_SECONDS_MOST = 31_536_000
_REQUESTS_PER_SECOND_MOST = 1_000_000

_log = structlog.get_logger(__name__)

Uids = frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one socket; uids are None where everybody may who can open it.

    `idle_seconds` without a whole request close a connection that has no subscription; 0 never does.
    """

    read_only: bool = False
    arm_uids: Uids = None
    panic_uids: Uids = None
    idle_seconds: float = IDLE_SECONDS
    requests_per_second: int = REQUESTS_PER_SECOND

    def check(self, request: AnyRequest, caller: Caller) -> None:
        """Raise RuleError `read_only` or `not_permitted` for what this caller may not ask for here."""
        command = COMMANDS[str(request.__struct_config__.tag)]
        if self.read_only and not command.monitoring:
            answered = ", ".join(name for name, known in COMMANDS.items() if known.monitoring)
            raise RuleError(
                "read_only", f"{command.name} was asked for on the read-only socket", hint=f"it answers {answered}"
            )
        if command.right is None:
            return
        allowed = self.arm_uids if command.right == "arm" else self.panic_uids
        if allowed is not None and caller.uid not in allowed:
            shown = ", ".join(map(str, sorted(allowed)))
            raise RuleError(
                "not_permitted",
                f"uid {caller.uid} was not among those that may {command.name}: {shown}",
                hint=f"[control] {command.right}_users names them",
            )


class Allowance:
    """How many requests a client may still send; it fills up with real time, whatever clock the run is on."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._most = float(per_second * BURST_SECONDS)
        self._left = self._most
        self._seen_at = monotonic()

    def take(self) -> None:
        """Spend one; raises RuleError `too_many_requests` when there is none."""
        now = monotonic()
        self._left = min(self._most, self._left + (now - self._seen_at) * self._per_second)
        self._seen_at = now
        if self._left < 1:
            raise RuleError(
                "too_many_requests",
                f"more than {self._per_second} requests a second came from this client, after a burst of "
                f"{self._most:g}",
                hint="wait for the replies, or raise [control] requests_per_second",
                retryable=True,
            )
        self._left -= 1


class Idleness:
    """How long ago a client asked for something, in real seconds."""

    def __init__(self, most_seconds: float) -> None:
        self._most = most_seconds or math.inf
        self._asked_at = monotonic()

    def asked(self) -> None:
        """It has just asked, or got its answer."""
        self._asked_at = monotonic()

    @property
    def left(self) -> float:
        """Seconds until it has been silent for too long; 0 then."""
        return max(0.0, self._most - (monotonic() - self._asked_at))

    @property
    def words(self) -> str:
        """What the client is told."""
        return f"no request came for {self._most:g} s"


def doors_of(control: Control, place: Path) -> list[tuple[Path, Rules]]:
    """Each socket's place and its rules; ConfigurationError names the key that cannot be obeyed."""
    idle, rate = control.idle_seconds, control.requests_per_second
    if idle and not 1 <= idle <= _IDLE_SECONDS_MOST:
        raise ConfigurationError(
            f"[control] idle_seconds was {idle:g}, must be 0 (never) or from 1 to {_IDLE_SECONDS_MOST}"
        )
    if not 1 <= rate <= _REQUESTS_PER_SECOND_MOST:
        raise ConfigurationError(
            f"[control] requests_per_second was {rate}, must be from 1 to {_REQUESTS_PER_SECOND_MOST}"
        )
    rules = Rules(
        arm_uids=uids_of("arm_users", control.arm_users),
        panic_uids=uids_of("panic_users", control.panic_users),
        idle_seconds=idle,
        requests_per_second=rate,
    )
    doors = [(place, rules)]
    if control.read_only_socket:
        if Path(control.read_only_socket).absolute() == place.absolute():
            raise ConfigurationError(f"[control] read_only_socket was {place}, which is the control socket itself")
        doors.append((Path(control.read_only_socket), replace(rules, read_only=True)))
    return doors


def with_inherited(
    doors: list[tuple[Path, Rules]], inherited: Mapping[str, socket.socket]
) -> list[tuple[Path | socket.socket, Rules]]:
    """The doors with sockets that the service manager has opened (`control`, `read-only`) in the place of our own.

    One whose file is gone is not used: no client would find it.
    """
    kept = {name: one for name, one in inherited.items() if is_reachable(one)}
    for name in inherited.keys() - kept.keys():
        _log.warning("inherited_socket_unreachable", name=name, path=inherited[name].getsockname())
        inherited[name].close()
    opened: list[tuple[Path | socket.socket, Rules]] = [
        (kept.pop(READ_ONLY if rules.read_only else CONTROL, place), rules) for place, rules in doors
    ]
    if READ_ONLY in kept:
        opened.append((kept[READ_ONLY], replace(doors[0][1], read_only=True)))
    return opened


def uids_of(key: str, users: str) -> Uids:
    """The uids of users given by name or number, with commas or spaces between; None where none is given.

    Raises ConfigurationError naming the key and the user that this machine does not have.
    """
    named = users.replace(",", " ").split()
    return frozenset(_uid(key, name) for name in named) if named else None


def _uid(key: str, name: str) -> int:
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigurationError(
            f"[control] {key} named {name!r}, which is no user of this machine: names or uids, with commas between"
        ) from None
