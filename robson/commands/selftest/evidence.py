"""What the files say after a daemon was killed: its journal, and the venue's own account apart from it."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

from robson.domain.account import PairAccount
from robson.domain.codec import encode
from robson.domain.errors import IllegalTransition
from robson.domain.events import EVENT_TYPES, Fact, read_event
from robson.domain.position import Position
from robson.domain.sequence import Recorded
from robson.domain.values import ZERO, PositionId
from robson.engine.evolve import evolve
from robson.ports import Intent, PairRecord
from robson.store import projection, rows
from robson.venue.account_file import AccountFile
from robson.venue.ledger import Execution, Order

_EVENTS = "SELECT seq, at, position_id, type, data FROM events WHERE seq >= ? ORDER BY seq"
_POSITIONS = f"SELECT {', '.join(projection.COLUMNS)} FROM positions"  # noqa: S608  # the store's own columns


@dataclass(frozen=True, slots=True)
class Venue:
    """The venue's own memory of one pair; `interest` is all that was charged on it, by asset."""

    account: PairAccount
    orders: Sequence[Order] = ()
    trades: Sequence[Execution] = ()
    interest: Mapping[str, Decimal] = field(default_factory=dict)
    transferred: Mapping[str, Decimal] = field(default_factory=dict)
    liquidated: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Both sides at one moment.

    `events` is the whole sequence, `folded` what its facts make of each position together with the seq of the last one,
    `shown` the journal's table of positions, `venues` the account file by symbol. `unfoldable` says which events could
    not be applied, `changed` which ones are no longer what they were.
    """

    events: Sequence[Recorded]
    folded: Mapping[str, tuple[Position, int]]
    shown: Mapping[str, rows.Row]
    intents: Sequence[Intent]
    pairs: Mapping[str, PairRecord]
    venues: Mapping[str, Venue]
    unfoldable: Sequence[str] = ()
    changed: Sequence[str] = ()


class Reader:
    """Reads the files again and again; what was read before is remembered, because events are immutable."""

    def __init__(self, state: Path, account: Path | None = None) -> None:
        """`account` is the venue's own file, the paper venue's in `state` if it is not named."""
        self.journal = state / "robson.db"
        self.account = account or state / "paper-account.db"
        self._events: list[Recorded] = []
        self._folded: dict[str, tuple[Position, int]] = {}
        self._unfoldable: list[str] = []
        self._changed: list[str] = []

    def read(self) -> Evidence:
        """Both files as they are; raises sqlite3.Error or a RobsonError when one of them cannot be read."""
        with closing(_connect(self.journal)) as journal:
            known = self._events[-1].seq if self._events else 0
            self._take(rows.read_recorded(row) for row in journal.execute(_EVENTS, (known,)))
            shown = {row[0]: row for row in journal.execute(_POSITIONS)}
            intents = [rows.read_intent(row) for row in journal.execute(f"{rows.SELECT_INTENT} ORDER BY number")]
            pairs = {pair.symbol: pair for pair in map(rows.read_pair, journal.execute(rows.SELECT_PAIR))}
        return Evidence(
            events=tuple(self._events),
            folded=dict(self._folded),
            shown=shown,
            intents=intents,
            pairs=pairs,
            venues=self._venues(),
            unfoldable=tuple(self._unfoldable),
            changed=tuple(self._changed),
        )

    def _take(self, found: Iterable[Recorded]) -> None:
        """Take the events from the last known one on, which must still be there as it was."""
        news = list(found)
        if self._events:
            last = self._events[-1]
            if not news or news[0] != last:
                self._changed.append(f"event {last.seq} ({last.type}) was there before the last restart and is gone")
            else:
                del news[0]
        for row in news:
            self._events.append(row)
            if row.type in EVENT_TYPES and row.position_id is not None:
                self._fold(row, row.position_id)

    def _fold(self, row: Recorded, position_id: str) -> None:
        before, _ = self._folded.get(position_id, (None, 0))
        try:
            event = read_event(row.type, encode(row.data))
            after = evolve(before, Fact(position_id=PositionId(position_id), at=row.at, event=event))
        except (ValueError, IllegalTransition) as error:
            self._unfoldable.append(f"event {row.seq} ({row.type}) of position {position_id}: {error}")
            return
        self._folded[position_id] = (after, row.seq)

    def _venues(self) -> dict[str, Venue]:
        if not self.account.exists():
            return {}
        connection = _connect(self.account)
        with closing(connection):
            # One moment of a venue that goes on meanwhile.
            connection.execute("BEGIN")
            file = AccountFile(connection, self.account)
            venues = {}
            for pair in file.pairs():
                symbol, interest, moved = pair.symbol, dict[str, Decimal](), dict[str, Decimal]()
                for charge in file.interest(symbol):
                    interest[charge.asset] = interest.get(charge.asset, ZERO) + charge.interest
                for transfer in file.transfers(symbol):
                    moved[transfer.asset] = moved.get(transfer.asset, ZERO) + transfer.amount
                venues[symbol] = Venue(
                    account=pair.account,
                    orders=file.orders(symbol),
                    trades=file.executions(symbol),
                    interest=interest,
                    transferred=moved,
                    liquidated=bool(file.liquidations(symbol)),
                )
        return venues


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
