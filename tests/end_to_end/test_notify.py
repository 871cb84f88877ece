"""Notifications of a real daemon: a kill between a delivery and its mark loses nothing, and `robsonctl notify`."""

import json
import threading  # noqa: TID251  a test of real processes; nothing here is simulated
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.daemon import daemon


class Hook(BaseHTTPRequestHandler):
    got: ClassVar[list[dict[str, Any]]] = []
    answering: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:
        self.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        # The message has arrived; without an answer its sender cannot know.
        self.answering.wait()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not on the tests' output."""


def test_a_kill_between_delivery_and_mark_sends_the_same_message_again_and_loses_none(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "notify-webhook-key").write_text("k")
    env = {
        "ROBSON_CREDENTIALS_DIR": str(keys),
        "ROBSON_NOTIFY_WEBHOOK_URL": f"http://127.0.0.1:{server.server_port}/",
    }
    try:
        with daemon(tmp_path / "state", "--feed", "synthetic", env=env) as served:
            served.ok("panic")
            served.wait_until(lambda: bool(Hook.got), "the message")
            served.ok("resume")
            served.kill()
            Hook.answering.set()
            served.start()
            served.wait_until(lambda: len(Hook.got) >= 3, "both messages")
            (trial,) = served.ok("notify_test")["channels"]
            assert trial == {"channel": "webhook", "ok": True, "detail": "accepted"}
    finally:
        Hook.answering.set()
        server.shutdown()
        server.server_close()
    told = [(message["message_id"], message["event"]) for message in Hook.got]
    assert told[0] == told[1]
    assert told[0][1] == "panic_latched"
    assert "panic_released" in [event for _, event in told]
