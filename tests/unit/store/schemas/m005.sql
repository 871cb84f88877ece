PRAGMA application_id = 1383031411;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'robson','m001_first_schema','2026-11-22');
INSERT INTO "_sqlite_migrations" VALUES(2,'robson','m002_surplus_of_pairs','2026-11-22');
INSERT INTO "_sqlite_migrations" VALUES(3,'robson','m003_carried_debts_of_pairs','2026-11-22');
INSERT INTO "_sqlite_migrations" VALUES(4,'robson','m004_places_of_epochs','2026-11-22');
INSERT INTO "_sqlite_migrations" VALUES(5,'robson','m005_unprotected_time_of_positions','2026-11-22');
CREATE TABLE epochs (
        epoch INTEGER PRIMARY KEY,
        started_at TEXT NOT NULL,
        pid INTEGER NOT NULL,
        host TEXT NOT NULL,
        machine_id TEXT NOT NULL,
        version TEXT NOT NULL
    , place TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "epochs" VALUES(1,'2025-03-01T12:00:00.000000Z',4711,'home','this-machine','0.1.0','');
CREATE TABLE events (
        seq INTEGER PRIMARY KEY CHECK (seq >= 1),
        at TEXT NOT NULL,
        position_id TEXT,
        type TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT;
INSERT INTO "events" VALUES(1,'2025-03-01T12:00:00.000000Z','one','position_armed','{"symbol":"BTCUSDT","side":"long","strategy":"sma_cross","capital":"10000","risk_percent":"1","params":{"fast":"9"}}');
INSERT INTO "events" VALUES(2,'2025-03-01T12:00:01.000000Z','one','entry_signal_received','{"signal_id":"s-1","entry_price":"95000","technical_stop":"93500","stop_distance":"1500","quantity":"0.06666","cut_by":null,"evidence":{"levels":[{"price":"93500","touches":2}],"method":"swing"}}');
INSERT INTO "events" VALUES(3,'2025-03-01T12:00:01.000000Z','one','entry_order_placed','{"client_order_id":"rbn-entry","order_side":"buy","quantity":"0.06666"}');
INSERT INTO "events" VALUES(4,'2025-03-01T12:00:02.000000Z','one','entry_filled','{"client_order_id":"rbn-entry","venue_order_id":"77","fill_price":"95100","quantity":"0.06666","fees_by_asset":{"BTC":"0.00006666"},"trailing_stop":"93600","borrowed":{"USDT":"5339.37"},"trade_id":1000,"filled_at":"2025-03-01T12:00:02Z"}');
INSERT INTO "events" VALUES(5,'2025-03-01T12:01:00.000000Z','one','exit_triggered','{"reason":"trailing_stop","price":"93600","trailing_stop":null,"trade_id":1100,"crossed_at":null}');
INSERT INTO "events" VALUES(6,'2025-03-01T12:01:00.000000Z','one','exit_order_placed','{"client_order_id":"rbn-exit","attempt":1,"fence":"clock","order_side":"sell","quantity":"0.06659","part":0}');
INSERT INTO "events" VALUES(7,'2025-03-01T12:01:01.000000Z','one','exit_filled','{"client_order_id":"rbn-exit","venue_order_id":"78","fill_price":"93590","quantity":"0.06659","fees_by_asset":{"USDT":"6.2321581"},"trade_id":null,"filled_at":null}');
INSERT INTO "events" VALUES(8,'2025-03-01T12:01:02.000000Z','one','position_closed','{"exit_reason":"trailing_stop","entry_price":"95100","exit_price":"93590","quantity":"0.06659","realized_pnl":"-100.5509","fees":"12.571524","interest":"0.01","net_pnl":"-113.132424","dust":"0.00000334"}');
INSERT INTO "events" VALUES(9,'2025-03-01T12:00:00.000000Z','two','position_armed','{"symbol":"BTCUSDT","side":"long","strategy":"sma_cross","capital":"10000","risk_percent":"1","params":{"fast":"9"}}');
INSERT INTO "events" VALUES(10,'2025-03-01T12:00:00.000000Z','one','unprotected','{"seconds":"1.5","causes":["feed"]}');
INSERT INTO "events" VALUES(11,'2025-03-01T12:00:00.000000Z','one','unprotected','{"seconds":"0.25","causes":["feed"]}');
CREATE TABLE fills (
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
    ) STRICT;
INSERT INTO "fills" VALUES('BTCUSDT',7,'buy','one','rbn-entry','77','entry','95100','0.01','0.00001','BTC','2025-03-01T12:00:00.000000Z');
CREATE TABLE intents (
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
    ) STRICT;
INSERT INTO "intents" VALUES(1,'rbn-entry','one','BTCUSDT','exit','sell','0.06659',2,1,'self','filled',1,'2025-03-01T12:00:00.000000Z',NULL,NULL,NULL,'0','');
CREATE TABLE latches (
        name TEXT PRIMARY KEY,
        latched INTEGER NOT NULL CHECK (latched IN (0, 1)),
        changed_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('created_at','2025-03-01T12:00:00.000000Z');
INSERT INTO "meta" VALUES('mode','paper');
CREATE TABLE pairs (
        symbol TEXT PRIMARY KEY,
        baseline_base TEXT NOT NULL,
        baseline_quote TEXT NOT NULL,
        dust_base TEXT NOT NULL
    , surplus_base TEXT NOT NULL DEFAULT '0', carried_base TEXT NOT NULL DEFAULT '0', carried_quote TEXT NOT NULL DEFAULT '0') STRICT, WITHOUT ROWID;
CREATE TABLE positions (
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
    , unprotected_seconds TEXT NOT NULL DEFAULT '0') STRICT;
INSERT INTO "positions" VALUES('one','BTCUSDT','long','Closed','sma_cross','10000','1','{"fast":"9"}','0.06666','95100','93500','1500','93600','95100','93590','trailing_stop','-100.5509','12.571524','{"BTC":"0.00006666","USDT":"6.2321581"}','0.01','-113.132424','0.00000334',NULL,'2025-03-01T12:00:00.000000Z','2025-03-01T12:00:02.000000Z','2025-03-01T12:01:02.000000Z',8,'1.75');
INSERT INTO "positions" VALUES('two','BTCUSDT','long','Armed','sma_cross','10000','1','{"fast":"9"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'{}',NULL,NULL,NULL,NULL,'2025-03-01T12:00:00.000000Z',NULL,NULL,9,'0');
CREATE TABLE replies (
        key TEXT PRIMARY KEY,
        body_digest TEXT NOT NULL,
        reply BLOB NOT NULL,
        at TEXT NOT NULL
    ) STRICT;
CREATE TABLE snapshots (
        position_id TEXT PRIMARY KEY REFERENCES positions,
        seq INTEGER NOT NULL,
        position TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO "snapshots" VALUES('one',8,'{"position_id":"one","symbol":"BTCUSDT","side":"long","strategy":"sma_cross","capital":"10000","risk_percent":"1","params":{"fast":"9"},"armed_at":"2025-03-01T12:00:00Z","state":{"name":"Closed","reason":"trailing_stop","closed_at":"2025-03-01T12:01:02Z","signal":{"signal_id":"s-1","entry_price":"95000","technical_stop":"93500","stop_distance":"1500","quantity":"0.06666","cut_by":null,"evidence":{"levels":[{"price":"93500","touches":2}],"method":"swing"}},"entry":{"client_order_id":"rbn-entry","venue_order_id":"77","fill_price":"95100","quantity":"0.06666","fees_by_asset":{"BTC":"0.00006666"},"borrowed":{"USDT":"5339.37"},"trade_id":1000,"filled_at":"2025-03-01T12:00:02Z"},"trail":{"stop":"93600","extreme":"95100","distance":"1500","trade_id":1000},"exit":{"trigger":{"reason":"trailing_stop","at":"2025-03-01T12:01:00Z","price":"93600","trailing_stop":null,"trade_id":1100,"crossed_at":null},"orders":[{"client_order_id":"rbn-exit","attempt":1,"part":0,"order_side":"sell","quantity":"0.06659","filled":true}],"quantity":"0.06659","quote":"6232.1581","fees_by_asset":{"USDT":"6.2321581"},"returned":"0"},"result":{"exit_price":"93590","quantity":"0.06659","realized_pnl":"-100.5509","fees":"12.571524","interest":"0.01","net_pnl":"-113.132424","dust":"0.00000334"}},"spent_signals":[{"signal_id":"s-1","quantity":"0.06666"}]}');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX events_of_position ON events (position_id, seq) WHERE position_id IS NOT NULL;
CREATE TRIGGER events_are_immutable BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are immutable'); END;
CREATE INDEX positions_open ON positions (state) WHERE state <> 'Closed';
CREATE INDEX intents_of_position ON intents (position_id);
CREATE INDEX intents_open ON intents (number) WHERE status IN ('pending', 'sent', 'in_doubt');
CREATE INDEX fills_of_position ON fills (position_id);
CREATE VIEW open_positions AS
        SELECT position_id, symbol, side, state, strategy, quantity, entry_price, trailing_stop, extreme, detail,
            armed_at, entered_at
        FROM positions WHERE state <> 'Closed';
CREATE VIEW pnl AS
        SELECT closed_at, position_id, symbol, side, exit_reason, quantity, entry_price, exit_price, realized_pnl, fees,
            interest, net_pnl
        FROM positions WHERE realized_pnl IS NOT NULL ORDER BY closed_at;
CREATE VIEW open_intents AS
        SELECT client_order_id, position_id, symbol, role, order_side, quantity, status, created_at, detail
        FROM intents WHERE status IN ('pending', 'sent', 'in_doubt') ORDER BY number;
COMMIT;
