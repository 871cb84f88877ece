"""The simulation is worth something: each of these faults, planted into a copy of the code, makes it fail."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One planted fault: a passage of one file, replaced."""

    name: str
    file: str
    before: str
    after: str
    found_by: str = "test_lives"


MUTATIONS = (
    Mutation(
        "sent again without asking",
        "robson/executor/resolution.py",
        "        denials = failures = 0\n        while True:\n",
        "        return Absent()\n        denials = failures = 0\n        while True:\n",
    ),
    Mutation(
        "clock fence removed",
        "robson/executor/resolution.py",
        "return await self._venue.server_time_ms() - intents.fence_opens_ms(intent)",
        "return intents.RECORDS_LAG_MS + 1",
    ),
    Mutation(
        "stray trades ignored and absence believed at the first denial",
        "robson/executor/intents.py",
        "    return intent.timestamp_ms + intent.receive_window_ms + VENUE_TIMEOUT_MS",
        "    return intent.timestamp_ms",
    ),
    Mutation(
        "pending entry sent at recovery",
        "robson/executor/intents.py",
        "    if intent.order.role is Role.EXIT:\n        return None\n    if latched:",
        "    return None\n    if latched:",
    ),
    Mutation(
        "commit after send",
        "robson/executor/executor.py",
        "            if known is None and not book.keep(sent) and is_entry:",
        "            if False and is_entry:",
    ),
    Mutation(
        "found sent and sent again",
        "robson/executor/executor.py",
        '        if intent.status != "pending" and not is_unsent:',
        '        if intent.status == "in_doubt":',
    ),
    Mutation(
        "exit size from the entry's request",
        "robson/engine/judgements.py",
        "    first = first_exit_quantity(position.side, max(rest, ZERO), fees, terms)",
        "    first = first_exit_quantity(position.side, position.signal.quantity, fees, terms)",
    ),
    Mutation(
        "ratchet not persisted",
        "robson/daemon/record.py",
        "            rows = self.journal.ratchet(facts)",
        "            rows = ()",
    ),
    Mutation(
        "self-fence condition always true",
        "robson/executor/self_fence.py",
        "        return account.base.total - quantity < instrument.smallest_sellable(price)\n"
        "    return PRICE_MARGIN * account.quote.total < 2 * quantity * price",
        "        return True\n    return True",
        found_by="test_two_attempts",
    ),
    Mutation(
        "fence read again after attempt 1",
        "robson/executor/self_fence.py",
        " and order.role is Role.EXIT and order.fence is Fence.SELF",
        " and order.role is Role.EXIT",
        found_by="test_two_attempts",
    ),
    Mutation(
        "entry topped up",
        "robson/engine/judgements.py",
        "    if trigger is None and not beyond:\n        return (filled,), ()",
        "    if trigger is None and not beyond:\n"
        "        rest = signal.quantity - executed.quantity\n"
        "        again = PlaceOrder(\n"
        "            position_id=position.position_id,\n"
        '            client_order_id=entry_order_id(position.position_id, signal.signal_id + "+"),\n'
        "            symbol=position.symbol,\n"
        "            role=Role.ENTRY,\n"
        "            order_side=entry_order_side(side),\n"
        "            quantity=rest,\n"
        "        )\n"
        "        return (filled,), ((again,) if rest > 0 else ())",
    ),
    Mutation(
        "unwritten exits not looked for",
        "robson/daemon/record.py",
        "        self.is_complete = seal.is_whole(recovery.epoch - 1)",
        "        self.is_complete = True",
        found_by="test_unwritten_exits",
    ),
    Mutation(
        "unwritten exits looked for once and at once",
        "robson/daemon/unwritten.py",
        "    opens_ms += intents.EXIT_RECEIVE_WINDOW_MS + intents.VENUE_TIMEOUT_MS + RECORDS_LAG_MS",
        "    opens_ms -= 1",
        found_by="test_unwritten_exits",
    ),
    Mutation(
        "pending exit sent while others may be unwritten",
        "robson/daemon/book.py",
        "and intent.order.role is Role.EXIT and not self.is_listed(intent)",
        "and False",
        found_by="test_unwritten_exits",
    ),
    Mutation(
        "a second exit owner",
        "robson/engine/decide.py",
        "        case ExitRequested() | StopHit():\n            return NOTHING",
        "        case ExitRequested() | StopHit():\n"
        "            return exit_orders(position, state.entry.quantity, state.exit.attempt + 1, stimulus.exit_terms)",
    ),
    Mutation(
        "a lagging account believed",
        "robson/daemon/surroundings.py",
        "        learnt = self.filled_at.get(symbol)\n",
        "        learnt = None\n",
    ),
    Mutation(
        "the venue's times taken for ours",
        "robson/daemon/surroundings.py",
        "        return venue_time + apart\n",
        "        return venue_time\n",
    ),
    Mutation(
        "missed prices not replayed after a start",
        "robson/daemon/life.py",
        "            seen=seen,\n",
        "            seen=None,\n",
    ),
    Mutation(
        "the time to rebuild a stop not counted",
        "robson/daemon/supervisor.py",
        "            self.vigil.review(life)  # nobody watches it yet",
        "            pass  # nobody watches it yet",
    ),
    Mutation(
        "the next attempt under the last one's id",
        "robson/engine/decide.py",
        "stimulus.quantity, state.exit.attempt + 1, stimulus.exit_terms",
        "stimulus.quantity, state.exit.attempt, stimulus.exit_terms",
    ),
    Mutation(
        "stray loans left alone",
        "robson/daemon/supervisor.py",
        "        if symbol not in self._repaying and self._nursery is not None:",
        "        if False:",
        found_by="test_crashes",
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_the_simulation_finds(mutation: Mutation, tmp_path: Path) -> None:
    for part in ("robson", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    target = tmp_path / mutation.file
    source = target.read_text()
    assert source.count(mutation.before) == 1, f"{mutation.file} no longer has the passage of {mutation.name!r}"
    target.write_text(source.replace(mutation.before, mutation.after))
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "ROBSON_TEST_LIVES": "400",
        "ROBSON_TEST_EXITS": "400",
        "ROBSON_TEST_CRASH_STRIDE": "2",
    }
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "faulthandler_timeout=15",
        f"tests/simulation/{mutation.found_by}.py",
    ]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    # A life that never comes to its end is found as well: the child then stops at its own time limit.
    assert run.returncode != 0, f"{mutation.name} was not found: {run.stdout[-2000:]}"
    assert "1 failed" in run.stdout or "Timeout" in run.stderr, run.stdout[-2000:] + run.stderr[-2000:]
