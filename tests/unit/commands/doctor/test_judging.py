"""What the doctor makes of a reading: each check with readings that are in order and readings that are not."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from robson.commands.doctor.check import Check, doubtful, fine, report_of, wrong
from robson.commands.doctor.judging import daemon, disk, exchange, journal, keys, machine, pair, streams
from robson.domain.account import Leg, PairAccount, PairTerms
from robson.venue.binance.filters import PairRules
from robson.venue.binance.lending import KeyPermissions, ListedPair, Tier
from robson.venue.binance.survey import Standing
from robson.venue.instruments import builtin_instrument

PLACE = disk.Place(path="/s", is_there=True, is_directory=True, is_writable=True)
JOURNAL = journal.JournalState(path="/s/robson.db", mode="live", steps=7, events=12, open_positions=("a",))
FREE, HELD = daemon.Lock(pid=None), daemon.Lock(pid=7, since="2026-01-01 00:00:00 UTC")
NO_SOCKET = daemon.Greeting(path="/s/robson.sock", is_there=False)
HELLO = daemon.Greeting(path="/s/robson.sock", is_there=True, version="1", mode="live", state="live")
KEYS = keys.Keys(directory="/k", files=(keys.KeyFile(name="binance-api-key", mode=0o600),), kind="HMAC key")
ALLOWED = KeyPermissions(
    reads=True, trades_margin=True, trades_spot_and_margin=True, withdraws=False, is_bound_to_addresses=True
)
RULES = PairRules(instrument=builtin_instrument("BTCUSDT"), status="TRADING", allows_margin=True)
LISTED = ListedPair(symbol="BTCUSDT", base="BTC", quote="USDT", tradable=True)
STANDING = Standing(is_created=True, is_enabled=True, trades=True, margin_level=Decimal(999), level_word="EXCESSIVE")
TIER = Tier(
    tier=1,
    multiple=Decimal(10),
    initial_risk_ratio=Decimal("1.111"),
    liquidation_risk_ratio=Decimal("1.05"),
    base_limit=Decimal(9),
    quote_limit=Decimal(70_000),
)
PRICES = streams.Listening(address="wss://s", subscribed_after=0.1, heard_after=0.25)


def but(value: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(value, **changes)


def account(quote: str, owed: str = "0") -> PairAccount:
    return PairAccount(symbol="BTCUSDT", base=Leg(), quote=Leg(free=Decimal(quote), borrowed=Decimal(owed)))


def worth(quote: str, owed: str = "0") -> Check:
    return pair.judge_collateral(account(quote, owed), Decimal(95_000), Decimal(10_000))


CASES = {
    # the state directory and its disk
    "0700": (disk.judge_place(PLACE), "ok", "mode 0700"),
    "to be made": (disk.judge_place(but(PLACE, is_there=False)), "ok", "made at the first start"),
    "not to be made": (disk.judge_place(but(PLACE, is_there=False, is_writable=False)), "fail", "cannot be made"),
    "a file": (disk.judge_place(but(PLACE, is_directory=False)), "fail", "no directory"),
    "read-only": (disk.judge_place(but(PLACE, is_writable=False)), "fail", "could not be written"),
    "0755": (disk.judge_place(but(PLACE, mode=0o755)), "warn", "0755"),
    "0777": (disk.judge_place(but(PLACE, mode=0o777)), "fail", "written by others"),
    "another's": (disk.judge_place(but(PLACE, is_ours=False)), "warn", "another user"),
    "room": (disk.judge_room(20_000_000_000), "ok", "20000 MB"),
    "little room": (disk.judge_room(999_000_000), "warn", "999 MB"),
    "no room": (disk.judge_room(49_000_000), "fail", "49 MB"),
    "ext4": (disk.judge_filesystem("ext4"), "ok", "ext4"),
    "nfs": (disk.judge_filesystem("nfs4"), "warn", "network"),
    "memory": (disk.judge_filesystem("tmpfs"), "warn", "memory"),
    "unknown file system": (disk.judge_filesystem(None), "warn", "could not be read"),
    "quick disk": (
        disk.judge_fsync([0.001, 0.002, 0.9]),
        "ok",
        "2.0 ms (median of 3, longest 900.0 ms), as of a",
    ),
    "turning disk": (disk.judge_fsync([0.02]), "ok", "as of a turning disk"),
    "slow disk": (disk.judge_fsync([0.06]), "warn", "slow"),
    "dying disk": (disk.judge_fsync([1.5]), "fail", "1500.0 ms"),
    "no measure": (disk.judge_fsync([]), "warn", "not measured"),
    # the journal
    "journal": (journal.judge_journal(JOURNAL, "live"), "ok", "12 events, 0.0 MB, mode live, 1 open positions"),
    "no journal": (journal.judge_journal(but(JOURNAL, is_there=False), "live"), "ok", "not there yet"),
    "older": (journal.judge_journal(but(JOURNAL, schema="behind"), "live"), "ok", "brought up to date"),
    "newer": (journal.judge_journal(but(JOURNAL, schema="newer"), "live"), "fail", "newer"),
    "other mode": (journal.judge_journal(JOURNAL, "paper"), "fail", "mode live, the configuration says paper"),
    "damaged": (journal.judge_journal(but(JOURNAL, damage=("page 3",)), "live"), "fail", "page 3"),
    "not finished": (journal.judge_journal(but(JOURNAL, damage=None), "live"), "warn", "not finished"),
    "unreadable": (journal.judge_journal(but(JOURNAL, fault="it was none"), "live"), "fail", "it was none"),
    # the daemon
    "free": (daemon.judge_lock(FREE), "ok", "free"),
    "held": (daemon.judge_lock(HELD), "ok", "pid 7, since 2026-01-01"),
    "perhaps free": (daemon.judge_lock(but(FREE, is_certain=False)), "warn", "nobody seems"),
    "nobody": (daemon.judge_socket(NO_SOCKET, FREE, "live"), "ok", "no daemon runs"),
    "left behind": (daemon.judge_socket(but(HELLO, fault="refused"), FREE, "live"), "ok", "left by a daemon"),
    "deaf": (daemon.judge_socket(but(HELLO, fault="refused"), HELD, "live"), "fail", "pid 7 runs: refused"),
    "vanished": (daemon.judge_socket(NO_SOCKET, HELD, "live"), "fail", "it was not there"),
    "hello": (daemon.judge_socket(HELLO, HELD, "live"), "ok", "mode live, state live"),
    "hello on paper": (daemon.judge_socket(but(HELLO, mode="paper"), HELD, "live"), "warn", "mode paper"),
    "hello, degraded": (daemon.judge_socket(but(HELLO, state="degraded"), HELD, "live"), "warn", "degraded"),
    "open to all": (daemon.judge_socket(but(HELLO, permissions=0o666), HELD, "live"), "fail", "0666"),
    "no socket": (daemon.judge_socket(but(HELLO, is_socket=False), FREE, "live"), "fail", "no socket"),
    # the keys
    "keys": (keys.judge_keys(KEYS), "ok", "HMAC key in /k: binance-api-key (0600)"),
    "no keys": (keys.judge_keys(but(KEYS, fault="mode was live without keys")), "fail", "without keys"),
    "keys for all": (
        keys.judge_keys(but(KEYS, files=(keys.KeyFile(name="k", mode=0o644),))),
        "fail",
        "everybody (mode 0644)",
    ),
    "keys for a group": (keys.judge_keys(but(KEYS, files=(keys.KeyFile(name="k", mode=0o640),))), "warn", "group"),
    "another's keys": (
        keys.judge_keys(but(KEYS, files=(keys.KeyFile(name="k", mode=0o600, is_ours=False),))),
        "warn",
        "another user",
    ),
    "allowed": (keys.judge_permissions(ALLOWED), "ok", "withdrawals off, bound"),
    "withdraws": (keys.judge_permissions(but(ALLOWED, withdraws=True)), "fail", "allowed to withdraw"),
    "no margin": (keys.judge_permissions(but(ALLOWED, trades_margin=False)), "fail", "enableMargin"),
    "no trading": (keys.judge_permissions(but(ALLOWED, trades_spot_and_margin=False)), "fail", "trading"),
    "no reading": (keys.judge_permissions(but(ALLOWED, reads=False)), "fail", "reading"),
    "any address": (keys.judge_permissions(but(ALLOWED, is_bound_to_addresses=False)), "warn", "any address"),
    "not told": (keys.judge_permissions(but(ALLOWED, withdraws=None)), "warn", "did not say"),
    # the exchange
    "near": (exchange.judge_reach("h", [0.1, 0.2, 3.0]), "ok", "h answers in 200 ms (median of 3, longest 3000 ms)"),
    "far": (exchange.judge_reach("h", [1.2]), "warn", "1200 ms"),
    "too far": (exchange.judge_reach("h", [2.0]), "fail", "2000 ms"),
    "clock": (exchange.judge_clock(-40, 12.0), "ok", "40 ms ahead of the exchange's (to within 12 ms)"),
    "clock behind": (exchange.judge_clock(3000, 12.0), "fail", "3000 ms behind"),
    "clock ahead": (exchange.judge_clock(-1013, 12.0), "fail", "1013 ms ahead"),
    "clock at its limit": (exchange.judge_clock(1012, 12.0), "ok", "1012 ms behind"),
    "no clock": (exchange.judge_clock(None, None), "fail", "could not be read"),
    "no interest in BNB": (exchange.judge_burn(exchange.Burn(fees=True, interest=False)), "ok", "fees in BNB"),
    "interest in BNB": (
        exchange.judge_burn(exchange.Burn(fees=True, interest=True)),
        "warn",
        "interest was paid in BNB",
    ),
    # a pair
    "trading": (pair.judge_rules(RULES), "ok", "tick 0.01, step 0.00001, at least 0.00001 BTC and 5 USDT"),
    "halted": (pair.judge_rules(but(RULES, status="HALT")), "fail", "HALT"),
    "spot only": (pair.judge_rules(but(RULES, allows_margin=False)), "fail", "margin"),
    "new filter": (pair.judge_rules(but(RULES, unknown_filters=("NEW",))), "warn", "NEW"),
    "enabled": (pair.judge_margin("BTCUSDT", LISTED, STANDING), "ok", "margin level 999 (EXCESSIVE)"),
    "not isolated": (pair.judge_margin("BTCUSDT", None, STANDING), "fail", "not among"),
    "switched off": (pair.judge_margin("BTCUSDT", but(LISTED, tradable=False), STANDING), "fail", "switched off"),
    "no account": (pair.judge_margin("BTCUSDT", LISTED, None), "fail", "no isolated account"),
    "not created": (
        pair.judge_margin("BTCUSDT", LISTED, but(STANDING, is_created=False)),
        "fail",
        "no isolated account",
    ),
    "disabled": (pair.judge_margin("BTCUSDT", LISTED, but(STANDING, is_enabled=False)), "fail", "disabled"),
    "not traded": (pair.judge_margin("BTCUSDT", LISTED, but(STANDING, trades=False)), "fail", "trading in its"),
    "near its end": (pair.judge_margin("BTCUSDT", LISTED, but(STANDING, margin_level=Decimal("1.1"))), "warn", "1.1"),
    "10x": (pair.judge_terms("BTCUSDT", TIER, PairTerms()), "ok", "10x, liquidation at margin level 1.05, may owe any"),
    "5x": (pair.judge_terms("BTCUSDT", but(TIER, multiple=Decimal(5)), PairTerms()), "warn", "5x"),
    "enough": (worth("1000"), "ok", "worth 1000.00"),
    "a little": (worth("999"), "warn", "worth 999.00"),
    "nothing": (worth("0"), "fail", "worth 0.00"),
    "owed": (worth("100", "100"), "fail", "owed 0 base and 100 quote"),
    "lends": (pair.judge_loans("BTCUSDT", pair.Loans(base=Decimal(2), quote=Decimal(9))), "ok", "2 base for shorts"),
    "lends no base": (pair.judge_loans("BTCUSDT", pair.Loans(base=Decimal(0), quote=Decimal(9))), "warn", "0 base"),
    "does not say": (pair.judge_loans("BTCUSDT", pair.Loans(base=None, quote=Decimal(9))), "warn", "unknown base"),
    # the streams
    "prices": (streams.judge_market(PRICES, "btcusdt@aggTrade", 10), "ok", "btcusdt@aggTrade after 250 ms"),
    "mute": (streams.judge_market(but(PRICES, heard_after=None), "x", 10), "warn", "no price within 10 s"),
    "no stream": (streams.judge_market(but(PRICES, fault="refused"), "x", 10), "fail", "refused"),
    "no answer": (streams.judge_market(streams.Listening(address="a"), "x", 10), "fail", "no answer within 10 s"),
    "events": (streams.judge_user(PRICES, "BTCUSDT", 10), "ok", "account of BTCUSDT after 100 ms"),
    "no events": (streams.judge_user(streams.Listening(address="a", fault="-1209"), "BTCUSDT", 10), "warn", "-1209"),
    # the machine
    "kept clock": (machine.judge_time(machine.TimeSync(is_synchronised=True, error_ms=2.0)), "ok", "within 2 ms"),
    "wild clock": (machine.judge_time(machine.TimeSync(is_synchronised=False)), "warn", "not synchronised"),
    "silent clock": (machine.judge_time(machine.TimeSync(is_synchronised=None)), "warn", "did not say"),
    "no daemon yet": (machine.judge_core_dumps(machine.CoreDumps(limit=None)), "ok", "when it starts in live mode"),
    "no dumps": (machine.judge_core_dumps(machine.CoreDumps(limit=0, pid=7)), "ok", "off for pid 7"),
    "dumps": (machine.judge_core_dumps(machine.CoreDumps(limit=None, pid=7)), "warn", "of any size"),
    "small dumps": (machine.judge_core_dumps(machine.CoreDumps(limit=512, pid=7)), "warn", "512 bytes"),
    "dumps?": (
        machine.judge_core_dumps(machine.CoreDumps(limit=None, pid=7, is_readable=False)),
        "warn",
        "not be read",
    ),
    "systemd": (
        machine.judge_service(machine.Service(unit="robson.service", runs=True, watchdog_seconds=30), "live"),
        "ok",
        "robson.service, its watchdog looks every 30 s",
    ),
    "alone": (machine.judge_service(machine.Service(runs=True), "live"), "warn", "not run under systemd"),
    "alone on paper": (machine.judge_service(machine.Service(runs=True), "paper"), "ok", "not under systemd"),
    "not running": (machine.judge_service(machine.Service(), "live"), "ok", "no daemon runs"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_reading_is_judged(case: str) -> None:
    check, outcome, words = CASES[case]
    assert check.outcome == outcome, check
    assert words in check.detail, check
    assert bool(check.hint) is (outcome != "ok"), "who is told of a fault is told what to do, nobody else is"


def test_every_check_has_a_good_and_a_bad_reading() -> None:
    outcomes: dict[str, set[str]] = {}
    for check, outcome, _ in CASES.values():
        outcomes.setdefault(check.name, set()).add(outcome)
    assert len(outcomes) >= 20
    assert not [name for name, seen in outcomes.items() if "ok" not in seen or seen == {"ok"}]


def test_a_doubt_leaves_it_ready_and_a_failure_does_not() -> None:
    assert report_of([fine("a", ""), doubtful("b", "", "look")]).ready
    assert not report_of([wrong("a", "", "mend"), fine("b", "")]).ready
