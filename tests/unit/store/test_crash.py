"""A process that is killed between two writes loses nothing that it was told was written."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from robson.domain.events import Fact, read_event
from robson.domain.values import PositionId
from robson.engine.evolve import fold
from robson.store import MemoryJournal, SqliteJournal
from robson.store.rows import json_text
from tests.contract.journal.lives import ONE, TWO, armed, entry_facts, filled, ratchet, write

Open = Callable[..., SqliteJournal]
CHECKOUT = Path(__file__).parents[3]
ROUNDS = 3
WRITES_PER_ROUND = 40

# Arms one position and moves its stop, or arms another, for ever; prints each seq once it was told to be written.
WRITER = """
import sys
from itertools import count
from pathlib import Path
from robson.domain.values import PositionId
from robson.store import SqliteJournal
from tests.contract.journal.lives import armed, entry_facts, filled, ratchet, write
from tests.contract.journal.shelves import FixedClock

journal = SqliteJournal.open(
    Path(sys.argv[1]), mode="paper", clock=FixedClock(), machine_id="this-machine", version="0.1.0"
)
epoch = journal.recover().epoch
mover = PositionId(f"mover-{epoch}")
write(journal, armed(mover), *entry_facts(mover), filled(mover))
for step in count(1):
    journal.ratchet((ratchet(mover, step, trade_id=1000 + step),))
    print(write(journal, armed(PositionId(f"{epoch}-{step}")))[-1].seq, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_reported(path: Path, open_journal: Open) -> None:
    reported = 0
    for _ in range(ROUNDS):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
        ) as child:
            assert child.stdout is not None
            for _ in range(WRITES_PER_ROUND):
                reported = int(child.stdout.readline())
            child.kill()
            rest = child.stdout.read().split("\n")
            reported = max([reported, *(int(line) for line in rest[:-1])])
    journal = open_journal()
    recovery = journal.recover()
    rows = journal.events(limit=10**6)
    assert recovery.epoch == ROUNDS + 1
    assert recovery.last_seq >= reported
    assert [row.seq for row in rows] == list(range(1, recovery.last_seq + 1))
    lives: dict[PositionId, list[Fact]] = {}
    for row in rows:
        assert row.position_id is not None
        event = read_event(row.type, json_text(row.data))
        lives.setdefault(row.position_id, []).append(Fact(position_id=row.position_id, at=row.at, event=event))
    assert {position.position_id: position for position in recovery.positions} == {
        position_id: fold(facts) for position_id, facts in lives.items()
    }


def test_the_twin_can_lose_the_ratchets_that_a_crash_may_lose() -> None:
    journal = MemoryJournal()
    write(journal, armed(ONE), *entry_facts(ONE), filled(ONE))
    journal.ratchet((ratchet(ONE, 1),))
    write(journal, armed(TWO))
    journal.ratchet((ratchet(ONE, 2),))
    after = journal.reopened(crashed=True)
    kept = fold((armed(ONE), *entry_facts(ONE), filled(ONE), ratchet(ONE, 1)))
    assert after.recover().positions == (kept, fold([armed(TWO)]))
    assert [row.seq for row in after.ratchet((ratchet(ONE, 2),))] == [7]
