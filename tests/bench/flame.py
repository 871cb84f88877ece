"""Flame graphs of a daemon in live mode: `python -m tests.bench.flame PY_SPY DIRECTORY [SECONDS]`.

Ten positions are in the market of an emulator whose tape runs fast, and py-spy looks where the daemon is; then once
more with the tape as slow as a quiet day. What waits is not counted: the widths are shares of processor time.
"""

import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from functools import partial
from pathlib import Path

from tests.end_to_end.emulator import PAIR
from tests.end_to_end.rehearsal import Rehearsal, rehearsing

POSITIONS = 10
LOOKS_A_SECOND = 500
# Trades come some three a second and pair on the tape.
PACES = {"ticks": "400", "idle": "1"}
# The tape may go far: no stop is to be hit while it is looked at.
STOP_SHARE = Decimal("0.91")
PLENTY = {"ROBSON_PAPER_COLLATERAL": "1000000"}


def fill(live: Rehearsal) -> None:
    """Put ten longs into the market, their stops far away."""
    for _ in range(POSITIONS):
        position_id = live.daemon.arm(PAIR, "long")
        while live.daemon.position(position_id)["state"] != "Active":
            entry = Decimal(live.daemon.price(PAIR))
            stop = (entry * STOP_SHARE).quantize(Decimal("0.01"))
            last_seq = live.daemon.ok("events", limit=1)["last_seq"]
            live.daemon.ok("signal", position_id=position_id, entry_price=str(entry), stop_price=str(stop))
            # The clock of so fast a tape runs away from the daemon's, and now and then a request comes too late for it.
            live.daemon.wait_until(partial(settled, live, position_id, last_seq), "the entry to be settled")


def settled(live: Rehearsal, position_id: str, after: int) -> bool:
    """Whether an entry was filled or refused since."""
    lines = live.daemon.ok("events", position_id=position_id, from_seq=after + 1)["events"]
    return any(line["event"] in {"entry_filled", "signal_rejected"} for line in lines)


def look(py_spy: str, live: Rehearsal, target: Path, seconds: int) -> float:
    """Write the picture of so many seconds; the daemon's share of a processor meanwhile."""
    assert live.daemon.process is not None
    pid = live.daemon.process.pid
    before, began = processor_seconds(pid), time.monotonic()
    # Who waits in the kernel has let go of the interpreter's lock.
    command = [py_spy, "record", "--gil", "--pid", str(pid), "--duration", str(seconds), "--rate", str(LOOKS_A_SECOND)]
    subprocess.run([*command, "--output", str(target)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return (processor_seconds(pid) - before) / (time.monotonic() - began)


def processor_seconds(pid: int) -> float:
    """How much processor time a process has used."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / 100


def main(py_spy: str, directory: Path, seconds: int) -> None:
    """Draw both."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, speed in PACES.items():
        with tempfile.TemporaryDirectory(prefix="rflame-") as place:
            settings = {"ROBSON_FEED_STALE_AFTER_SECONDS": "3600"}
            with rehearsing(Path(place), arguments=("--speed", speed), env=PLENTY, daemon_env=settings) as live:
                fill(live)
                first = live.daemon.ok("status")["feed"][PAIR]["last_price"]
                share = look(py_spy, live, directory / f"{name}.svg", seconds)
                states = [position["state"] for position in live.daemon.ok("status")["positions"]]
                assert states == ["Active"] * POSITIONS, states
                last = live.daemon.ok("status")["feed"][PAIR]["last_price"]
        print(f"{name}: {share:.1%} of a processor for {seconds} s, price {first} to {last}: {directory / name}.svg")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 20)
