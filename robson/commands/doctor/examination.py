"""All checks in their order: the disk first, then the exchange, side by side, each within its own time."""

from pathlib import Path

import trio

from robson.commands.doctor import at_exchange
from robson.commands.doctor.check import Check, Report, fine, report_of
from robson.commands.doctor.judging import daemon, disk, journal, keys, machine
from robson.commands.doctor.probing import daemon as daemon_probe
from robson.commands.doctor.probing import disk as disk_probe
from robson.commands.doctor.probing import keys as keys_probe
from robson.commands.doctor.probing import machine as machine_probe
from robson.config import Settings
from robson.domain.values import Value

JOURNAL_NAME = "robson.db"
LOCAL_SECONDS = 5.0


class Patient(Value):
    """Whom to examine; the places as `robson run` would find them."""

    settings: Settings
    origin: str
    state: Path
    socket: Path
    credentials: Path | None
    symbols: tuple[str, ...] = ()


async def examine(patient: Patient) -> Report:
    """Look at everything that applies."""
    settings = patient.settings
    checks: list[Check] = [fine("configuration", f"{patient.origin}, mode {settings.mode}")]
    lock = daemon_probe.read_lock(patient.state)
    found, open_symbols = disk_probe.read_journal(patient.state / JOURNAL_NAME, is_held=lock.pid is not None)
    checks += [
        *_disk(patient.state),
        journal.judge_journal(found, settings.mode),
        daemon.judge_lock(lock),
        await _socket(patient, lock),
    ]
    if settings.mode == "live":
        checks.append(keys.judge_keys(keys_probe.read_keys(patient.credentials)))
    checks.append(machine.judge_time(machine_probe.read_time()))
    if settings.mode == "live":
        checks.append(machine.judge_core_dumps(machine_probe.read_core_dumps(lock.pid)))
    checks.append(machine.judge_service(machine_probe.read_service(lock.pid), settings.mode))
    if settings.mode == "live" or settings.feed.source == "binance":
        symbols = patient.symbols or tuple(open_symbols)
        checks += await at_exchange.examine(settings, keys_probe.load(patient.credentials, settings.mode), symbols)
    return report_of(checks)


def _disk(state: Path) -> list[Check]:
    place = disk_probe.read_place(state)
    found = [disk.judge_place(place)]
    if not disk_probe.nearest(state).is_dir():
        return found
    found += [
        disk.judge_room(disk_probe.read_room(state)),
        disk.judge_filesystem(disk_probe.read_filesystem(state)),
    ]
    if place.is_directory and place.is_writable:
        found.append(disk.judge_fsync(disk_probe.measure_fsync(state)))
    return found


async def _socket(patient: Patient, lock: daemon.Lock) -> Check:
    greeting = daemon.Greeting(path=str(patient.socket), is_there=True, fault=f"no answer within {LOCAL_SECONDS:g} s")
    with trio.move_on_after(LOCAL_SECONDS):
        greeting = await daemon_probe.greet(patient.socket)
    return daemon.judge_socket(greeting, lock, patient.settings.mode)
