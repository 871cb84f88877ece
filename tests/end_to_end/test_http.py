"""Health and metrics of a real daemon over HTTP, and a port that somebody else has."""

import http.client
import socket
from pathlib import Path

from tests.end_to_end.daemon import PATIENCE_SECONDS, daemon


def fetch(port: int, path: str) -> tuple[int, str]:
    """Status and text, (0, "") while nobody listens."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    except ConnectionRefusedError:
        return 0, ""
    finally:
        connection.close()


def test_a_daemon_answers_and_waits_for_a_port_that_is_taken(tmp_path: Path) -> None:
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    with daemon(tmp_path / "state", "--feed", "synthetic", env={"ROBSON_HTTP_LISTEN": f"127.0.0.1:{port}"}) as served:
        # It lives and can be armed without its port.
        served.ok("arm", symbol="BTCUSDT", side="long", strategy="signal")
        taken.close()
        served.wait_until(lambda: fetch(port, "/livez") == (200, "ok\n"), "the port")
        status, metrics = fetch(port, "/metrics")
        assert status == 200
        assert 'robson_positions{state="Armed"} 1.0' in metrics
        assert 'robson_intents_in_doubt{role="exit"} 0.0' in metrics
        assert fetch(port, "/readyz")[0] in {200, 503}
        assert fetch(port, "/positions")[0] == 404
