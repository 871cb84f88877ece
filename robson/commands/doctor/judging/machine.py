"""What the machine does for a daemon that must not sleep, lie about the time, or leave its memory lying about."""

from robson.commands.doctor.check import Check, doubtful, fine
from robson.domain.values import Value


class TimeSync(Value):
    """What the kernel says of its clock; None where it could not be asked. `error_ms` is its own estimate."""

    is_synchronised: bool | None
    error_ms: float | None = None


class CoreDumps(Value):
    """Whose memory may be written out: `limit` in bytes (None: unlimited); `pid` is the daemon, None this process."""

    limit: int | None
    pid: int | None = None
    is_readable: bool = True


class Service(Value):
    """What looks after the daemon; `unit` empty when it is not systemd."""

    unit: str = ""
    runs: bool = False
    watchdog_seconds: float | None = None


def judge_time(sync: TimeSync) -> Check:
    """Whether something keeps the clock right."""
    if sync.is_synchronised is None:
        return doubtful("time_sync", "the kernel did not say", "make sure that something keeps the clock right")
    if not sync.is_synchronised:
        return doubtful("time_sync", "the kernel's clock was not synchronised", "timedatectl set-ntp true")
    within = f" (to within {sync.error_ms:.0f} ms)" if sync.error_ms is not None else ""
    return fine("time_sync", f"the kernel's clock is synchronised{within}")


def judge_core_dumps(dumps: CoreDumps) -> Check:
    """The keys are in the daemon's memory, and must not get into a file with it."""
    name = "core_dumps"
    if not dumps.is_readable:
        return doubtful(name, "the daemon's limits could not be read", "run the doctor as the user of the daemon")
    size = "of any size" if dumps.limit is None else f"of {dumps.limit} bytes"
    if dumps.pid is not None and dumps.limit != 0:
        return doubtful(name, f"pid {dumps.pid} may leave core dumps {size}", "LimitCORE=0 in its unit, or ulimit -c 0")
    if dumps.pid is not None:
        return fine(name, f"off for pid {dumps.pid}")
    return fine(name, "the daemon switches them off for itself when it starts in live mode")


def judge_service(service: Service, mode: str) -> Check:
    """Robson itself is the stop: somebody should start it again."""
    name = "service"
    if service.unit:
        watch = (
            f", its watchdog looks every {service.watchdog_seconds:g} s" if service.watchdog_seconds is not None else ""
        )
        return fine(name, f"under systemd as {service.unit}{watch}")
    if service.runs and mode == "live":
        return doubtful(name, "the daemon does not run under systemd", "nobody starts it again when it ends")
    return fine(name, "not under systemd" if service.runs else "no daemon runs")
