"""What the service manager is told: a datagram to $NOTIFY_SOCKET, never waited for."""

import os
import socket
from collections.abc import MutableMapping

MICROSECONDS = 1_000_000


class Notifier:
    """Tells the service manager; without one it tells nobody and costs nothing."""

    def __init__(self, address: str = "") -> None:
        """`address` is a path, or `@` and a name in the abstract space; empty for none."""
        self.is_heard = address.startswith(("/", "@"))
        # A name in the abstract space begins with a zero byte, which no variable can hold.
        self._address = b"\0" + os.fsencode(address[1:]) if address.startswith("@") else os.fsencode(address)

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> "Notifier":
        """The one that $NOTIFY_SOCKET names, which is taken out: no child speaks for the daemon."""
        return cls(environment.pop("NOTIFY_SOCKET", ""))

    def tell(self, *assignments: str) -> bool:
        """Send assignments such as `READY=1` together; False where nobody took them, and it may be tried again."""
        if not self.is_heard:
            return False
        message = "\n".join(" ".join(assignment.split("\n")) for assignment in assignments)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
                teller.setblocking(False)
                teller.connect(self._address)
                teller.send(message.encode())
        except OSError:
            # A full queue, or a manager that is gone: neither is a reason to stop watching stops.
            return False
        return True


def watchdog_seconds(environment: MutableMapping[str, str], pid: int) -> float | None:
    """How long the manager waits for a sign of life (s); None where it waits for none, or not for this process."""
    period, meant = environment.pop("WATCHDOG_USEC", ""), environment.pop("WATCHDOG_PID", "")
    if not (period.isascii() and period.isdecimal() and int(period)) or (meant and meant != str(pid)):
        return None
    return int(period) / MICROSECONDS


def extend_timeout(seconds: float) -> str:
    """The assignment that asks for more time to start, counted from now."""
    return f"EXTEND_TIMEOUT_USEC={round(seconds * MICROSECONDS)}"


def reloading(monotonic_seconds: float) -> tuple[str, str]:
    """The assignments that begin a reload; without the moment a manager of 253 and later waits in vain."""
    return "RELOADING=1", f"MONOTONIC_USEC={round(monotonic_seconds * MICROSECONDS)}"
