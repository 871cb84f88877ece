"""Settings that cannot be obeyed end with 78, storage that cannot be used with 74, each with one clear line."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.end_to_end.daemon import daemon, robson


def refused(code: int, *arguments: str, env: dict[str, str] | None = None) -> str:
    ended = robson("run", *arguments, env=env)
    assert ended.returncode == code, (ended.returncode, ended.stderr)
    # Log lines are JSON; what a person reads is one line.
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("robson: ")
    assert ended.stdout == ""
    return lines[0]


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('[feed]\nsauce = "synthetic"', ("sauce", "feed")),
        ('moed = "paper"', ("moed",)),
        ("[fed]\n", ("fed",)),
        ('[account]\ncapital = "NaN"', ("capital", "NaN")),
        ('[account]\ncapital = "0"', ("capital", "0")),
        ('[account]\nrisk_percent = "5.1"', ("risk_percent", "5.1", "5")),
        ("[account]\ncapital = 1e400", ("capital",)),
        ('[feed]\nsource = "crystal ball"', ("crystal ball", "synthetic")),
        ('[feed]\nsource = "synthetic"\nspeed = "fast"', ("fast", "max")),
        ('[http]\nlisten = "0.0.0.0:9464"', ("http.listen", "0.0.0.0:9464", "expose = true")),
        ('[recovery]\non_gap = "hope"', ("on_gap", "hope", "exit, forgive")),
        ("[feed]\nstale_after_seconds = 0.1", ("stale_after_seconds", "0.1", "0.5")),
        ("[feed]\npoll_seconds = 0", ("poll_seconds", "0.2", "60")),
        ('[feed]\noff_market_percent = "all"', ("off_market_percent", "all", "50")),
        ("[feed]\noff_market_ticks = 21", ("off_market_ticks", "21", "20")),
        ("[feed]\noff_market_seconds = 2.5", ("off_market_seconds", "2.5")),
        ('[feed]\nsource = "synthetic"\nprice_source = "book"', ("price_source", "book", "binance")),
        ('[feed]\nsource = "replay"\nfile = "/no/such/tape.csv"', ("/no/such/tape.csv",)),
        ('[feed]\nsource = "replay"', ("file",)),
        ('[feed]\nsource = "synthetic"\n[paper]\nfee_rate = "2"', ("fee_rate", "2", "0.1")),
        ('[feed]\nsource = "synthetic"\n[paper]\nfees = "2"', ("fees",)),
        ("not toml at all", ("TOML",)),
        ('mode = "live"', ("live", "--credentials-dir", "CREDENTIALS_DIRECTORY")),
        ('mode = "live"\n[binance]\nrest_url = "api.binance.com"', ("binance.rest_url", "https://HOST")),
    ],
)
def test_a_file_that_cannot_be_obeyed(tmp_path: Path, toml: str, told: tuple[str, ...]) -> None:
    path = tmp_path / "robson.toml"
    path.write_text(toml, "utf-8")
    line = refused(78, "--config", str(path), "--state-dir", str(tmp_path / "state"))
    for word in told:
        assert word in line


@pytest.mark.parametrize("by", ["flag", "CREDENTIALS_DIRECTORY", "ROBSON_CREDENTIALS_DIR"])
def test_live_mode_wants_its_keys_and_shows_them_to_nobody(tmp_path: Path, by: str) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    flags = ("--mode", "live", "--state-dir", str(tmp_path / "state"))
    named = (*flags, "--credentials-dir", str(keys)) if by == "flag" else flags
    env = {} if by == "flag" else {by: str(keys)}
    (keys / "binance-api-key").write_text("hunter1\n")
    assert f"{keys}/binance-api-secret" in refused(78, *named, env=env)
    (keys / "binance-ed25519.pem").write_text("hunter2\n")
    line = refused(78, *named, env=env)
    assert "Ed25519" in line
    assert "hunter" not in line


@pytest.mark.parametrize("key", ["rest_url", "stream_url", "ws_api_url"])
def test_live_mode_shows_its_keys_to_no_network(tmp_path: Path, key: str) -> None:
    for name in ("binance-api-key", "binance-api-secret"):
        (tmp_path / name).write_text("hunter")
    flags = ("--mode", "live", "--state-dir", str(tmp_path / "state"), "--credentials-dir", str(tmp_path))
    address = "http://192.0.2.1:9000" if key == "rest_url" else "ws://192.0.2.1:9000"
    line = refused(78, *flags, env={f"ROBSON_BINANCE_{key.upper()}": address})
    assert f"binance.{key}" in line
    assert "hunter" not in line


@pytest.mark.parametrize("source", ["synthetic", "replay"])
def test_live_mode_takes_no_other_prices_than_those_of_the_exchange(tmp_path: Path, source: str) -> None:
    for name in ("binance-api-key", "binance-api-secret"):
        (tmp_path / name).write_text("hunter")
    state = tmp_path / "state"
    flags = ("--mode", "live", "--state-dir", str(state), "--credentials-dir", str(tmp_path), "--feed", source)
    line = refused(78, *flags)
    assert f"feed.source {source}" in line
    assert "binance" in line
    assert not state.exists()


@pytest.mark.parametrize(
    ("arguments", "env", "told"),
    [
        ((), {"ROBSON_FED_SOURCE": "synthetic"}, ("ROBSON_FED_SOURCE",)),
        ((), {"ROBSON_FEED_SAUCE": "synthetic"}, ("ROBSON_FEED_SAUCE",)),
        ((), {"ROBSON_ACCOUNT_CAPITAL": "Infinity"}, ("capital", "Infinity")),
        ((), {"ROBSON_FEED_STALE_AFTER_SECONDS": "soon"}, ("stale_after_seconds",)),
        ((), {"ROBSON_MODE": "both"}, ("mode", "both", "paper")),
        ((), {"ROBSON_CONFIG": "/no/such/robson.toml"}, ("/no/such/robson.toml",)),
        (("--config", "/no/such/robson.toml"), {}, ("/no/such/robson.toml",)),
        (("--feed", "crystal"), {}, ("crystal",)),
        (("--feed", "synthetic", "--speed", "0"), {}, ("speed", "0")),
        (("--feed", "synthetic", "--speed", "1e9"), {}, ("1e9",)),
        (("--mode", "demo"), {}, ("demo",)),
        (("--feed", "synthetic", "--socket", "/no/such/directory/robson.sock"), {}, ("/no/such/directory",)),
        (("--feed", "synthetic", "--socket", "/tmp/" + "x" * 200), {}, ("107",)),
        (("--feed", "synthetic", "--log-level", "loud"), {}, ("loud",)),
    ],
)
def test_a_flag_or_a_variable_that_cannot_be_obeyed(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], told: tuple[str, ...]
) -> None:
    line = refused(78, "--state-dir", str(tmp_path / "state"), *arguments, env=env)
    for word in told:
        assert word in line, line


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "robson.toml"
    path.write_text('[account]\ncapital = "5000"\nrisk_percent = "2"\n[feed]\nsource = "replay"\n', "utf-8")
    env = {"ROBSON_FEED_SOURCE": "binance", "ROBSON_ACCOUNT_CAPITAL": "7000"}
    with daemon(tmp_path / "state", "--config", str(path), "--feed", "synthetic", env=env) as running:
        view = running.position(running.arm())
        assert (view["capital"], view["risk_percent"]) == ("7000", "2")
        assert oct((tmp_path / "state").stat().st_mode & 0o777) == oct(0o700)
        assert oct(running.socket.stat().st_mode & 0o777) == oct(0o660)


@pytest.mark.parametrize("feed", [(), ("--feed", "binance")], ids=["default", "binance"])
def test_an_exchange_out_of_reach_costs_prices_and_nothing_else(tmp_path: Path, feed: tuple[str, ...]) -> None:
    env = {
        "ROBSON_BINANCE_REST_URL": "http://127.0.0.1:1",
        "ROBSON_BINANCE_STREAM_URL": "ws://127.0.0.1:1",
        "ROBSON_FEED_STALE_AFTER_SECONDS": "0.5",
    }
    with daemon(tmp_path / "state", *feed, env=env) as running:
        word = '"event": "exchange_out_of_reach"'
        running.wait_until(lambda: word in running.log.read_text(), "a word about the exchange")
        said = next(line for line in running.log.read_text().splitlines() if word in line)
        assert "http://127.0.0.1:1" in said
        assert "--feed synthetic" in said
        position_id = running.ok("arm", symbol="BTCUSDT", side="long", strategy="signal")["position_id"]
        running.wait_until(lambda: running.ok("status")["feed"]["BTCUSDT"]["stale"], "a stale symbol")
        signal = running.ok("signal", position_id=position_id, entry_price="95000", stop_price="93500")
        assert not signal["accepted"]
        assert running.ok("hello")["state"] == "degraded"
        assert running.ok("health")["checks"]["feed"] == {"ok": False, "detail": "stale: BTCUSDT"}
        assert running.stop() == 0


def test_a_state_directory_that_is_none(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("", "utf-8")
    for path in (taken, taken / "below", Path("/proc/robson")):
        assert str(path) in refused(74, "--feed", "synthetic", "--state-dir", str(path))


def test_a_journal_that_is_none_is_left_as_it_is(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    journal = state / "robson.db"
    journal.write_bytes(b"not a database" * 1000)
    assert str(journal) in refused(74, "--feed", "synthetic", "--state-dir", str(state))
    assert journal.read_bytes() == b"not a database" * 1000
    journal.unlink()
    other = sqlite3.connect(journal)
    other.execute("CREATE TABLE mine (x)")
    other.close()
    before = journal.read_bytes()
    assert str(journal) in refused(74, "--feed", "synthetic", "--state-dir", str(state))
    assert journal.read_bytes() == before


def test_a_journal_of_the_other_mode_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, "--feed", "synthetic") as running:
        running.arm()
        assert running.stop() == 0
    journal = sqlite3.connect(state / "robson.db")
    journal.execute("UPDATE meta SET value = 'live' WHERE value = 'paper'")
    assert journal.total_changes == 1
    journal.commit()
    journal.close()
    line = refused(74, "--feed", "synthetic", "--state-dir", str(state))
    assert "live" in line
    assert "paper" in line


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with daemon(state, "--feed", "synthetic") as running:
        for _ in range(3):
            running.arm()
        assert running.stop() == 0
    journal = state / "robson.db"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    assert str(journal) in refused(74, "--feed", "synthetic", "--state-dir", str(state))
    journal.write_bytes(whole)
    broken = sqlite3.connect(journal)
    broken.execute("DROP TRIGGER events_are_immutable")
    broken.execute("UPDATE events SET data = ? WHERE seq = 2", (json.dumps({"symbol": "BTCUSDT"}),))
    broken.commit()
    broken.close()
    line = refused(74, "--feed", "synthetic", "--state-dir", str(state))
    assert "event 2" in line
