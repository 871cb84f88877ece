"""The self-test's rules: silent on a sound life, and each planted fault is found by its own rule."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.commands.selftest.audit import audit, unfinished
from robson.commands.selftest.evidence import Evidence, Reader
from robson.commands.selftest.promises import Promises, broken
from robson.domain.ids import exit_order_id
from robson.domain.values import PositionId, Side
from robson.store.journal import SqliteJournal
from tests.rig import Rig, SimulatedClock


class Life:
    """A state directory with a closed long, a closed short, an Active long and an Armed position."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.closed_long = self.closed_short = self.active = self.armed = ""
        self.reader = Reader(state)

    async def live(self) -> None:
        journal = SqliteJournal.open(
            self.state / "robson.db", mode="paper", clock=SimulatedClock(), machine_id="m", version="0"
        )
        rig = Rig(self.state, journal=journal)
        async with rig.running():
            self.closed_long = await rig.active()
            rig.tick("95500")
            await trio.sleep(1)
            await rig.close(self.closed_long)
            self.closed_short = await rig.active(Side.SHORT, "ETHUSDT", "3300", "3350")
            rig.tick("3290", "ETHUSDT")
            await trio.sleep(1)
            await rig.close(self.closed_short)
            self.active = await rig.active()
            self.armed = await rig.arm()
            rig.tick("95100")
            await trio.sleep(1)
        journal.close()

    def copy(self, state: Path) -> "Life":
        other = Life(Path(shutil.copytree(self.state, state)))
        other.closed_long, other.closed_short = self.closed_long, self.closed_short
        other.active, other.armed = self.active, self.armed
        return other

    def journal(self, sql: str, *values: object) -> None:
        change(self.state / "robson.db", sql, *values)

    def account(self, sql: str, *values: object) -> None:
        change(self.state / "paper-account.db", sql, *values)

    def order_of(self, position_id: str, role: str) -> str:
        sql = "SELECT client_order_id FROM intents WHERE position_id = ? AND role = ?"
        return str(found(self.state / "robson.db", sql, position_id, role)[0][0])


def change(path: Path, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql, values).rowcount, f"nothing was planted by {sql}"


def found(path: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql, values).fetchall()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Life:
    life = Life(tmp_path_factory.mktemp("lived"))
    trio.run(life.live, clock=MockClock(autojump_threshold=0))
    return life


@pytest.fixture
def life(lived: Life, tmp_path: Path) -> Life:
    """A copy of the sound life, to plant a fault in."""
    return lived.copy(tmp_path / "state")


def violated(evidence: Evidence) -> set[str]:
    return {rule for rule, violations in audit(evidence).items() if violations}


def test_a_sound_life_violates_nothing(lived: Life) -> None:
    evidence = lived.reader.read()
    assert not violated(evidence), audit(evidence)
    assert len(evidence.folded) == 4
    assert {len(venue.orders) for venue in evidence.venues.values()} == {3, 2}
    left = "\n".join(line for lines in unfinished(evidence).values() for line in lines)
    assert f"position {lived.active} was Active" in left
    assert f"position {lived.armed} was Armed" in left
    assert "BTCUSDT" in left
    assert "ETHUSDT" not in left


def place_again(life: Life, client_order_id: str, new_id: str | None = None) -> None:
    """At the venue: the same order a second time, executed, under the same id or another; the account follows."""
    sql = "SELECT symbol, record FROM orders WHERE client_order_id = ?"
    ((symbol, record),) = found(life.state / "paper-account.db", sql, client_order_id)
    order = json.loads(str(record))
    copy = {**order, "order_id": order["order_id"] + 1000}
    copy["ticket"] = {**order["ticket"], "client_order_id": new_id or client_order_id}
    life.account(
        "INSERT INTO orders SELECT symbol, ?, ?, status, side, quantity, executed, created_ms, ? FROM orders "
        "WHERE client_order_id = ?",
        copy["order_id"],
        copy["ticket"]["client_order_id"],
        json.dumps(copy),
        client_order_id,
    )
    trades = "SELECT trade_id, record FROM trades WHERE symbol = ? AND order_id = ?"
    for trade_id, text in found(life.state / "paper-account.db", trades, symbol, order["order_id"]):
        trade = json.loads(str(text))
        again = {**trade, "order_id": copy["order_id"], "trade_id": trade["trade_id"] + 1000}
        life.account(
            "INSERT INTO trades SELECT symbol, ?, ?, side, price, quantity, fee, fee_asset, at_ms, ? FROM trades "
            "WHERE symbol = ? AND trade_id = ?",
            again["trade_id"],
            again["order_id"],
            json.dumps(again),
            symbol,
            trade_id,
        )
        moved = float(trade["quantity"]) * (1 if trade["side"] == "buy" else -1)
        if trade["fee_asset"] == str(symbol).removesuffix("USDT"):
            moved -= float(trade["fee"])
        hold(life, str(symbol), moved)


def hold(life: Life, symbol: str, more: float) -> None:
    """Change what the account holds, with nothing to explain it."""
    ((record,),) = found(life.state / "paper-account.db", "SELECT record FROM pairs WHERE symbol = ?", symbol)
    pair = json.loads(str(record))
    base = pair["account"]["base"]
    base["free"] = f"{float(base['free']) + more:.8f}"
    life.account("UPDATE pairs SET record = ? WHERE symbol = ?", json.dumps(pair), symbol)


def record_intent(life: Life, like: str, client_order_id: str, status: str) -> None:
    """In the journal: another intent like an existing one."""
    columns = "position_id, symbol, role, order_side, quantity, attempt, part, fence"
    life.journal(
        f"INSERT INTO intents (client_order_id, {columns}, status, epoch, created_at, timestamp_ms, receive_window_ms, "
        f"venue_order_id, executed, detail) SELECT ?, {columns}, ?, epoch, created_at, timestamp_ms, "
        "receive_window_ms, venue_order_id, executed, detail FROM intents WHERE client_order_id = ?",
        client_order_id,
        status,
        like,
    )


def test_an_order_that_was_placed_twice_is_a_duplicate(life: Life) -> None:
    place_again(life, life.order_of(life.closed_long, "entry"))
    evidence = life.reader.read()
    assert "duplicates" in violated(evidence)
    assert any("was placed 2 times" in line for line in audit(evidence)["duplicates"])


def test_a_position_that_entered_twice_under_two_ids_is_a_duplicate(life: Life) -> None:
    entry = life.order_of(life.active, "entry")
    again = exit_order_id(PositionId(life.active), 7, 0)
    record_intent(life, entry, again, "filled")
    place_again(life, entry, again)
    assert violated(life.reader.read()) == {"duplicates"}


def test_an_exit_that_was_done_twice_flips_the_position(life: Life) -> None:
    """Under an id of its own it is no duplicate order, and the other long's base is what it sells."""
    first = life.order_of(life.closed_long, "exit")
    again = exit_order_id(PositionId(life.closed_long), 2, 0)
    record_intent(life, first, again, "filled")
    place_again(life, first, again)
    evidence = life.reader.read()
    assert violated(evidence) == {"flips"}
    assert life.closed_long in audit(evidence)["flips"][0]


def test_a_short_that_was_bought_back_twice_has_flipped(life: Life) -> None:
    first = life.order_of(life.closed_short, "exit")
    again = exit_order_id(PositionId(life.closed_short), 2, 0)
    record_intent(life, first, again, "filled")
    place_again(life, first, again)
    assert violated(life.reader.read()) == {"flips"}


def forget_intent(life: Life) -> None:
    life.journal("DELETE FROM intents WHERE position_id = ?", life.active)


def forget_order(life: Life) -> None:
    """The journal holds a position that the venue has never sold to it."""
    life.account("DELETE FROM orders WHERE client_order_id = ?", life.order_of(life.active, "entry"))


def forget_execution(life: Life) -> None:
    life.journal("UPDATE intents SET status = 'absent', executed = '0' WHERE position_id = ?", life.active)


def send_too_early(life: Life) -> None:
    life.journal("UPDATE intents SET status = 'pending' WHERE position_id = ?", life.active)


def lose_a_holding(life: Life) -> None:
    hold(life, "BTCUSDT", -0.001)


def lose_an_event(life: Life) -> None:
    life.journal("DELETE FROM events WHERE seq = (SELECT seq FROM events WHERE type = 'unprotected' LIMIT 1)")


def show_another_state(life: Life) -> None:
    life.journal("UPDATE positions SET state = 'Closed' WHERE position_id = ?", life.active)


def show_another_stop(life: Life) -> None:
    life.journal("UPDATE positions SET trailing_stop = '1' WHERE position_id = ?", life.active)


def retreat(life: Life) -> None:
    change_event(life, "trailing_stop_updated", life.active, trailing_stop="90000")


def announce_twice(life: Life) -> None:
    other = life.order_of(life.closed_long, "entry")
    change_event(life, "entry_order_placed", life.active, client_order_id=other)


def change_event(life: Life, kind: str, position_id: str, **fields: str) -> None:
    """What the journal itself does not allow."""
    where = "type = ? AND position_id = ?"
    rows = found(life.state / "robson.db", f"SELECT seq, data FROM events WHERE {where}", kind, position_id)
    seq, text = rows[-1]
    with closing(sqlite3.connect(life.state / "robson.db")) as connection, connection:
        connection.execute("DROP TRIGGER events_are_immutable")
        connection.execute(
            "UPDATE events SET data = ? WHERE seq = ?", (json.dumps({**json.loads(str(text)), **fields}), seq)
        )


@pytest.mark.parametrize(
    ("plant", "rule"),
    [
        (forget_intent, "orphans"),
        (forget_order, "orphans"),
        (forget_execution, "orphans"),
        (send_too_early, "orphans"),
        (lose_a_holding, "orphans"),
        (show_another_state, "misfolded"),
        (show_another_stop, "misfolded"),
        (retreat, "stop_retreats"),
        (announce_twice, "duplicates"),
    ],
)
def test_a_planted_fault_is_found_by_its_rule(life: Life, plant: Callable[[Life], None], rule: str) -> None:
    plant(life)
    assert rule in violated(life.reader.read())


def test_a_hole_in_the_sequence_is_found(life: Life) -> None:
    life.journal("DELETE FROM events WHERE seq = (SELECT max(seq) - 3 FROM events)")
    assert "gaps" in violated(life.reader.read())


def test_an_event_that_was_there_before_and_is_gone_is_found(life: Life) -> None:
    before = life.reader.read()
    life.journal("DELETE FROM events WHERE seq = ?", before.events[-1].seq)
    assert audit(life.reader.read())["gaps"] == [
        f"event {before.events[-1].seq} ({before.events[-1].type}) was there before the last restart and is gone"
    ]


def test_only_what_is_new_is_read_again(life: Life) -> None:
    first = life.reader.read()
    second = life.reader.read()
    assert second.events == first.events
    assert second.folded == first.folded
    assert not violated(second)


def test_a_debt_at_the_end_is_found(life: Life) -> None:
    ((record,),) = found(life.state / "paper-account.db", "SELECT record FROM pairs WHERE symbol = 'ETHUSDT'")
    pair = json.loads(str(record))
    pair["account"]["quote"]["borrowed"] = "3"
    life.account("UPDATE pairs SET record = ? WHERE symbol = 'ETHUSDT'", json.dumps(pair))
    assert "ETHUSDT: 0 base and 3 quote were owed at the end" in unfinished(life.reader.read())["debts_left"]


def test_kept_promises_are_kept(life: Life) -> None:
    promises = Promises(armed={life.closed_long, life.closed_short, life.active, life.armed})
    promises.over.add(life.closed_long)
    evidence = life.reader.read()
    signal_id = evidence.folded[life.active][0].signal.signal_id
    promises.accepted.add((life.active, signal_id))
    assert promises.count == 6
    assert broken(promises, evidence) == []


def test_promises_that_were_broken_are_told(life: Life) -> None:
    evidence = life.reader.read()
    tell: Callable[[Promises], list[str]] = partial(broken, evidence=evidence)
    everybody = set(evidence.folded)
    assert tell(Promises(armed=everybody | {"lost"})) == ["position lost was armed by its reply and is forgotten"]
    assert tell(Promises(armed=everybody - {life.armed})) == ["1 positions more were armed than anybody has asked for"]
    assert not tell(Promises(armed=everybody - {life.armed}, unanswered={("arm", "k"): {}}))
    assert "is forgotten" in tell(Promises(armed=everybody, accepted={(life.armed, "s-1")}))[0]
    assert "and is Active" in tell(Promises(armed=everybody, over={life.active}))[0]
