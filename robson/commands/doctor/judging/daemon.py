"""What the lock and the socket say of a daemon that runs."""

from robson.commands.doctor.check import Check, doubtful, fine, wrong
from robson.domain.values import Value

_OTHERS = 0o007


class Lock(Value):
    """Who holds a state directory: `pid` None when nobody does; `is_told` when that is certain."""

    pid: int | None
    since: str = ""
    is_certain: bool = True


class Greeting(Value):
    """What the socket's place holds, and what it said to `hello`; `fault` says why there was no answer."""

    path: str
    is_there: bool
    is_socket: bool = True
    permissions: int = 0o660
    fault: str = ""
    version: str = ""
    mode: str = ""
    state: str = ""


def judge_lock(lock: Lock) -> Check:
    """A daemon that runs is fine: it is what the lock is for."""
    if lock.pid is None:
        if not lock.is_certain:
            return doubtful("lock", "nobody seems to hold it", "the kernel's list of locks could not be read")
        return fine("lock", "free: no daemon runs on this state directory")
    since = f", since {lock.since}" if lock.since else ""
    return fine("lock", f"held by the daemon with pid {lock.pid}{since}")


def judge_socket(greeting: Greeting, lock: Lock, mode: str) -> Check:
    """Whether robsonctl reaches the daemon there, and nobody else's does."""
    name, path = "socket", greeting.path
    if greeting.is_there and not greeting.is_socket:
        return wrong(name, f"{path} was no socket", "move what lies there, or name another with --socket")
    if greeting.is_there and greeting.permissions & _OTHERS:
        return wrong(name, f"{path} was open to everybody (mode {greeting.permissions:04o})", f"chmod 0660 {path}")
    if not greeting.fault and greeting.is_there:
        said = f"{path} answers: version {greeting.version}, mode {greeting.mode}, state {greeting.state}"
        if greeting.mode != mode:
            return doubtful(name, said, f"the configuration says {mode}: the daemon was started with another one")
        if greeting.state != "live":
            return doubtful(name, said, "`robsonctl health` says why")
        return fine(name, said)
    if lock.pid is None:
        left = "left by a daemon that is gone" if greeting.is_there else "not there"
        return fine(name, f"{path} is {left}: no daemon runs")
    what = greeting.fault or "it was not there"
    return wrong(name, f"{path} did not answer although pid {lock.pid} runs: {what}", "look into its log")
