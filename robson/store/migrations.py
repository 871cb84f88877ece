"""The journal's schema as a list of steps, each applied once and recorded in the file."""

import json
from decimal import Decimal

from sqlite_utils import Database, Migrations

from robson.domain.values import plain

# SQLite keeps this number in the file's header, so that `file` and a wrong path are told apart from a journal: "Robs".
APPLICATION_ID = 0x526F6273

migrations = Migrations("robson")

_FIRST_SCHEMA = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE epochs (
        epoch INTEGER PRIMARY KEY,
        started_at TEXT NOT NULL,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        machine_id TEXT NOT NULL,
        version TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY CHECK (seq >= 1),
        at TEXT NOT NULL,
        position_id TEXT,
        type TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX events_of_position ON events (position_id, seq) WHERE position_id IS NOT NULL",
    """CREATE TRIGGER events_are_immutable BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are immutable'); END""",
    """CREATE TABLE positions (
        position_id TEXT PRIMARY KEY,
        symbol TEXT NOT NULL,
        side TEXT NOT NULL,
        state TEXT NOT NULL,
        strategy TEXT NOT NULL,
        capital TEXT NOT NULL,
        risk_percent TEXT NOT NULL,
        params TEXT NOT NULL,
        quantity TEXT,
        entry_price TEXT,
        technical_stop TEXT,
        stop_distance TEXT,
        trailing_stop TEXT,
        extreme TEXT,
        exit_price TEXT,
        exit_reason TEXT,
        realized_pnl TEXT,
        fees TEXT,
        fees_by_asset TEXT NOT NULL,
        interest TEXT,
        net_pnl TEXT,
        dust TEXT,
        detail TEXT,
        armed_at TEXT NOT NULL,
        entered_at TEXT,
        closed_at TEXT,
        last_seq INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX positions_open ON positions (state) WHERE state <> 'Closed'",
    # The exact state after event `seq`, for positions whose earlier events need not be read again.
    """CREATE TABLE snapshots (
        position_id TEXT PRIMARY KEY REFERENCES positions,
        seq INTEGER NOT NULL,
        position TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE intents (
        number INTEGER PRIMARY KEY,
        client_order_id TEXT NOT NULL UNIQUE,
        position_id TEXT NOT NULL REFERENCES positions,
        symbol TEXT NOT NULL,
        role TEXT NOT NULL,
        order_side TEXT NOT NULL,
        quantity TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        part INTEGER NOT NULL,
        fence TEXT NOT NULL,
        status TEXT NOT NULL
            CHECK (status IN ('pending', 'sent', 'in_doubt', 'filled', 'partly_filled', 'rejected', 'absent')),
        epoch INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        timestamp_ms INTEGER,
        receive_window_ms INTEGER,
        venue_order_id TEXT,
        executed TEXT NOT NULL,
        detail TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX intents_of_position ON intents (position_id)",
    "CREATE INDEX intents_open ON intents (number) WHERE status IN ('pending', 'sent', 'in_doubt')",
    """CREATE TABLE fills (
        symbol TEXT NOT NULL,
        trade_id INTEGER NOT NULL,
        order_side TEXT NOT NULL,
        position_id TEXT NOT NULL REFERENCES positions,
        client_order_id TEXT NOT NULL,
        venue_order_id TEXT NOT NULL,
        role TEXT NOT NULL,
        price TEXT NOT NULL,
        quantity TEXT NOT NULL,
        fee TEXT NOT NULL,
        fee_asset TEXT NOT NULL,
        at TEXT NOT NULL,
        UNIQUE (symbol, trade_id, order_side)
    ) STRICT""",
    "CREATE INDEX fills_of_position ON fills (position_id)",
    """CREATE TABLE pairs (
        symbol TEXT PRIMARY KEY,
        baseline_base TEXT NOT NULL,
        baseline_quote TEXT NOT NULL,
        dust_base TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE replies (
        key TEXT PRIMARY KEY,
        body_digest TEXT NOT NULL,
        reply BLOB NOT NULL,
        at TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE latches (
        name TEXT PRIMARY KEY,
        latched INTEGER NOT NULL CHECK (latched IN (0, 1)),
        changed_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE VIEW open_positions AS
        SELECT position_id, symbol, side, state, strategy, quantity, entry_price, trailing_stop, extreme, detail,
            armed_at, entered_at
        FROM positions WHERE state <> 'Closed'""",
    """CREATE VIEW pnl AS
        SELECT closed_at, position_id, symbol, side, exit_reason, quantity, entry_price, exit_price, realized_pnl, fees,
            interest, net_pnl
        FROM positions WHERE realized_pnl IS NOT NULL ORDER BY closed_at""",
    """CREATE VIEW open_intents AS
        SELECT client_order_id, position_id, symbol, role, order_side, quantity, status, created_at, detail
        FROM intents WHERE status IN ('pending', 'sent', 'in_doubt') ORDER BY number""",
)


@migrations()
def m001_first_schema(db: Database) -> None:
    """Create everything."""
    for statement in _FIRST_SCHEMA:
        db.conn.execute(statement)
    db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@migrations()
def m002_surplus_of_pairs(db: Database) -> None:
    """Remember what shorts have bought beyond their own debt."""
    db.conn.execute("ALTER TABLE pairs ADD COLUMN surplus_base TEXT NOT NULL DEFAULT '0'")


@migrations()
def m003_carried_debts_of_pairs(db: Database) -> None:
    """Remember what departed positions have left owed on a pair that others go on with."""
    for asset in ("base", "quote"):
        db.conn.execute(f"ALTER TABLE pairs ADD COLUMN carried_{asset} TEXT NOT NULL DEFAULT '0'")


@migrations()
def m004_places_of_epochs(db: Database) -> None:
    """Remember where the journal was opened, so that a copy knows that it is one."""
    db.conn.execute("ALTER TABLE epochs ADD COLUMN place TEXT NOT NULL DEFAULT ''")


@migrations()
def m005_unprotected_time_of_positions(db: Database) -> None:
    """Keep the unprotected time with the position: its notices may be archived, and are many to add up."""
    db.conn.execute("ALTER TABLE positions ADD COLUMN unprotected_seconds TEXT NOT NULL DEFAULT '0'")
    told = "SELECT position_id, data FROM events WHERE type = 'unprotected' AND position_id IS NOT NULL"
    seconds: dict[str, Decimal] = {}
    for position_id, data in db.conn.execute(told):
        seconds[position_id] = seconds.get(position_id, Decimal(0)) + Decimal(json.loads(data).get("seconds", "0"))
    sums = [(plain(total), position_id) for position_id, total in seconds.items()]
    db.conn.executemany("UPDATE positions SET unprotected_seconds = ? WHERE position_id = ?", sums)


@migrations()
def m006_archives(db: Database) -> None:
    """Remember which events are in which file."""
    db.conn.execute(
        """CREATE TABLE archives (
            first_seq INTEGER PRIMARY KEY,
            last_seq INTEGER NOT NULL,
            file TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT"""
    )


@migrations()
def m007_what_is_the_traders_on_pairs(db: Database) -> None:
    """Remember which debts of a pair are the trader's own, and up to which trade others' orders are judged."""
    for asset in ("base", "quote"):
        db.conn.execute(f"ALTER TABLE pairs ADD COLUMN handed_{asset} TEXT NOT NULL DEFAULT '0'")
    db.conn.execute("ALTER TABLE pairs ADD COLUMN judged_trade_id INTEGER NOT NULL DEFAULT 0")


@migrations()
def m008_price_samples(db: Database) -> None:
    """Keep a bounded picture of the prices that each position has seen."""
    db.conn.execute(
        """CREATE TABLE price_samples (
            position_id TEXT NOT NULL REFERENCES positions,
            number INTEGER NOT NULL,
            width_ms INTEGER NOT NULL,
            samples BLOB NOT NULL,
            PRIMARY KEY (position_id, number)
        ) STRICT, WITHOUT ROWID"""
    )


@migrations()
def m009_deliveries(db: Database) -> None:
    """Remember how far each channel of notifications has come."""
    db.conn.execute(
        """CREATE TABLE deliveries (
            channel TEXT PRIMARY KEY,
            next_seq INTEGER NOT NULL,
            digest_from INTEGER NOT NULL,
            digest_at TEXT NOT NULL,
            pinned TEXT NOT NULL CHECK (pinned IN ('', 'digest', 'late')),
            pinned_to INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID"""
    )


@migrations()
def m010_instruments(db: Database) -> None:
    """Remember the venue's filters of each pair."""
    db.conn.execute(
        """CREATE TABLE instruments (
            symbol TEXT PRIMARY KEY,
            instrument TEXT NOT NULL
        ) STRICT, WITHOUT ROWID"""
    )


@migrations()
def m011_open_by_closed_at(db: Database) -> None:
    """Let an exit that begins leave the index of open positions alone, and find these in the order of arming by it."""
    db.conn.execute("DROP INDEX positions_open")
    db.conn.execute("CREATE INDEX positions_open ON positions (closed_at) WHERE closed_at IS NULL")
    db.conn.execute("DROP VIEW open_positions")
    db.conn.execute(
        """CREATE VIEW open_positions AS
            SELECT position_id, symbol, side, state, strategy, quantity, entry_price, trailing_stop, extreme, detail,
                armed_at, entered_at
            FROM positions WHERE closed_at IS NULL"""
    )


def known_names() -> tuple[str, ...]:
    """The names of all steps, oldest first."""
    # Against an empty database every registered step is pending: the library has no other public list of them.
    empty = Database(memory=True, execute_plugins=False)
    try:
        return tuple(migration.name for migration in migrations.pending(empty))
    finally:
        empty.close()
