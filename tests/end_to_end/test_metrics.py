"""Health and metrics of a real daemon over HTTP, read as curl or Prometheus reads them."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.end_to_end.daemon import Daemon, daemon
from tests.end_to_end.rehearsal import rehearsing
from tests.promtool import assert_lints, needs_promtool
from tests.unit.web.scraping import values_in

ANYWHERE = {"ROBSON_HTTP_LISTEN": "127.0.0.1:0"}


def port_of(running: Daemon) -> int:
    running.wait_until(lambda: running.logged("http_listening"), "the door to open")
    return int(running.logged("http_listening")[-1]["port"])


def get(running: Daemon, target: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port_of(running), timeout=10)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def metrics(running: Daemon) -> dict[str, float]:
    status, page = get(running, "/metrics")
    assert status == 200
    return values_in(page)


def linted(running: Daemon) -> dict[str, float]:
    """The samples of a page that Prometheus's linter has nothing to say about."""
    status, page = get(running, "/metrics")
    assert status == 200
    assert_lints(page)
    return values_in(page)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    state = tmp_path_factory.mktemp("metrics") / "state"
    with daemon(state, "--feed", "synthetic", env=ANYWHERE) as started:
        yield started
        assert started.stop() == 0


def test_the_pages_agree_with_the_socket(running: Daemon) -> None:
    assert get(running, "/livez") == (200, "ok\n")
    status, body = get(running, "/readyz?verbose")
    health = running.ok("health")
    assert (status, json.loads(body)["ready"]) == (200, health["ready"])
    assert json.loads(body)["checks"].keys() == health["checks"].keys()
    assert get(running, "/nothing")[0] == 404


def test_a_life_moves_the_metrics(running: Daemon) -> None:
    position_id = running.arm(strategy="immediate")
    running.wait_event("entry_filled", position_id=position_id)
    running.wait_until(lambda: metrics(running)['robson_positions{state="Active"}'] == 1, "an Active position")
    running.subscribe()
    running.wait_until(lambda: metrics(running)["robson_subscribers"] == 1, "a subscriber")
    running.ok("close", position_id=position_id)
    running.wait_until(lambda: metrics(running)['robson_positions{state="Active"}'] == 0, "no Active position")
    seen = metrics(running)
    assert seen['robson_orders_total{result="filled",role="entry"}'] == 1
    assert seen['robson_orders_total{result="filled",role="exit"}'] == 1
    assert seen['robson_events_total{type="position_closed"}'] == 1
    assert seen["robson_journal_last_seq"] == running.events()[-1]["seq"]
    assert seen['robson_journal_size_bytes{file="robson.db"}'] == (running.state / "robson.db").stat().st_size
    assert seen["robson_journal_commit_seconds_sum"] > 0
    assert seen["robson_time_to_protected_seconds"] > 0


def test_a_port_that_is_taken_does_not_keep_the_daemon_from_its_work(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with daemon(tmp_path / "state", "--feed", "synthetic", env={"ROBSON_HTTP_LISTEN": address}) as started:
            position_id = started.arm(strategy="immediate")
            started.wait_event("entry_filled", position_id=position_id)
            assert started.ok("health")["ready"]
            assert started.logged("http_not_listening")
            taken.close()
            assert get(started, "/livez") == (200, "ok\n")
            assert started.stop() == 0


def test_on_a_tape_that_races_a_client_is_served_all_the_same(tmp_path: Path) -> None:
    arguments = ("--feed", "synthetic", "--speed", "600")
    with daemon(tmp_path / "state", *arguments, env=ANYWHERE) as started:
        started.arm()
        with socket.create_connection(("127.0.0.1", port_of(started)), timeout=10) as slow:
            slow.sendall(b"GET /livez HTTP/1.1\r\n")
            # Many times the door's patience, on the tape's clock.
            began = started.ok("ping")["at"]
            started.wait_until(lambda: started.ok("ping")["at"][:16] > began[:16], "a minute of the tape")
            slow.sendall(b"Host: localhost\r\n\r\n")
            assert slow.makefile("rb").read().endswith(b"ok\n")
        assert started.stop() == 0


def test_without_an_address_nothing_listens(tmp_path: Path) -> None:
    with daemon(tmp_path / "state", "--feed", "synthetic") as started:
        assert started.ok("health")["ready"]
        assert not started.logged("http_listening")
        opened = Path(f"/proc/{started.running.pid}/fd")
        inodes = {link.readlink().name for link in opened.iterdir()}
        tcp = [line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert not any(f"socket:[{inode}]" in inodes for inode in tcp)


def test_the_exchange_is_measured_and_an_exit_without_an_answer_is_in_doubt(tmp_path: Path) -> None:
    with rehearsing(tmp_path, daemon_env=ANYWHERE) as live:
        position_id = live.entered()
        live.emulator.arm("query_lag", seconds=5)
        live.emulator.arm("drop_reply", endpoint="POST /sapi/v1/margin/order")
        live.cross(position_id)
        live.daemon.wait_until(
            lambda: metrics(live.daemon)['robson_intents_in_doubt{role="exit"}'] > 0, "an exit in doubt"
        )
        status, body = get(live.daemon, "/readyz?verbose")
        assert (status, json.loads(body)["checks"]["orders"]["ok"]) == (503, False)
        live.closed(position_id)
        live.daemon.wait_until(lambda: get(live.daemon, "/readyz")[0] == 200, "readiness")
        seen = metrics(live.daemon)
        order = 'endpoint="POST /sapi/v1/margin/order"'
        assert seen['robson_intents_in_doubt{role="exit"}'] == 0
        assert seen[f"robson_exchange_request_seconds_count{{{order}}}"] >= 2
        assert seen[f'robson_exchange_requests_total{{{order},result="in_doubt"}}'] == 1
        assert seen["robson_tick_to_order_seconds_count"] == 1
        assert abs(seen["robson_exchange_clock_offset_seconds"]) < 5
        assert any(name.startswith("robson_exchange_used_weight") for name in seen)
        assert "robson_feed_reconnects_total" in seen


@needs_promtool
def test_the_linter_has_no_complaint_of_any_state(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "notify-webhook-key").write_text("k")
    # Nobody listens there: messages and pings fail, and are counted.
    nowhere = {"ROBSON_NOTIFY_WEBHOOK_URL": "http://127.0.0.1:9/", "ROBSON_NOTIFY_PING_URL": "http://127.0.0.1:9/"}
    env = {**ANYWHERE, **nowhere, "ROBSON_CREDENTIALS_DIR": str(keys)}
    with daemon(tmp_path / "state", "--feed", "synthetic", env=env) as started:
        assert not any(value for name, value in linted(started).items() if name.startswith("robson_positions"))
        position_id = started.arm(strategy="immediate")
        started.arm(symbol="ETHUSDT", side="short")
        started.wait_event("entry_filled", position_id=position_id)
        started.wait_until(lambda: metrics(started)['robson_positions{state="Active"}'] == 1, "an Active position")
        seen = linted(started)
        assert seen['robson_positions{state="Armed"}'] == 1
        assert seen['robson_feed_ticks_total{symbol="BTCUSDT"}'] > 0
        started.ok("panic")
        started.wait_event("position_closed", position_id=position_id)
        filled = 'robson_orders_total{result="filled",role="exit"}'
        started.wait_until(lambda: metrics(started)[filled] == 1, "the exit")
        failed = 'robson_notifications_failed_total{channel="webhook"}'
        started.wait_until(lambda: metrics(started)[failed] > 0, "a message that fails")
        started.wait_until(lambda: metrics(started)['robson_pings_total{result="failed"}'] > 0, "a ping that fails")
        assert linted(started)["robson_panic_latched"] == 1


@needs_promtool
def test_the_linter_has_no_complaint_in_live_mode(tmp_path: Path) -> None:
    with rehearsing(tmp_path, daemon_env=ANYWHERE) as live:
        assert any(name.startswith('robson_info{mode="live"') for name in linted(live.daemon))
        position_id = live.entered("short")
        live.daemon.wait_until(lambda: metrics(live.daemon)['robson_positions{state="Active"}'] == 1, "an entry")
        linted(live.daemon)
        live.cross(position_id)
        live.closed(position_id)
        live.daemon.wait_until(
            lambda: metrics(live.daemon)['robson_orders_total{result="filled",role="exit"}'] == 1, "its exit"
        )
        seen = linted(live.daemon)
        assert seen['robson_exchange_request_seconds_count{endpoint="POST /sapi/v1/margin/order"}'] >= 2
        assert any(name.startswith("robson_exchange_used_weight") for name in seen)
