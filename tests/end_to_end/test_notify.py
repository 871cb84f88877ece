"""Notifications of a real daemon: a kill between a delivery and its mark loses nothing, and `robsonctl notify`."""

import json
import threading  # noqa: TID251  a test of real processes; nothing here is simulated
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from tests.end_to_end.daemon import Daemon, daemon


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


class Answers(BaseHTTPRequestHandler):
    """Takes what comes below /good, and nothing else."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.path.startswith("/good") else 500)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Not on the tests' output."""


def test_robsonctl_tries_every_channel_and_shows_how_far_each_is(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "notify-webhook-key").write_text("k")
    (keys / "notify-webhook-url").write_text(f"{address}/good/AAsecretsecret")
    (keys / "notify-telegram-token").write_text("1:BBsecretsecret")
    (keys / "notify-ping-url").write_text(f"{address}/ping/CCsecretsecret")
    env = {
        "ROBSON_CREDENTIALS_DIR": str(keys),
        "ROBSON_NOTIFY_TELEGRAM_CHAT_ID": "42",
        "ROBSON_NOTIFY_TELEGRAM_URL": address,
    }
    try:
        with daemon(tmp_path / "state", "--feed", "synthetic", env=env) as served:
            tried = served.robsonctl("notify", "test")
            assert tried.stdout.splitlines() == ["telegram: failed: HTTP 500", "webhook: ok: accepted"]
            # One worked and one did not.
            assert tried.returncode == 5
            served.ok("panic")
            served.wait_until(lambda: states(served)["webhook"]["delivered"] == 1, "the message")
            served.wait_until(lambda: states(served)["telegram"]["failed"] >= 1, "one that fails")
            served.wait_until(lambda: served.ok("notify_status")["ping"] == "well", "a ping")
            shown = served.robsonctl("notify", "status")
            assert shown.returncode == 0
            telegram, trouble, webhook, ping = shown.stdout.splitlines()
            assert telegram.startswith("telegram: 0 delivered, ")
            assert ", 0 given up, backlog 1, last delivery none yet" in telegram
            assert trouble == "  HTTP 500"
            assert webhook.startswith("webhook: 1 delivered, 0 failed, 0 given up, backlog 0, last delivery 20")
            assert ping == "ping: well"
            health = served.ok("health")
            assert health["ready"]
            assert health["checks"]["notifications"] == {"ok": True, "detail": "telegram: HTTP 500"}
            rows = [
                json.loads(line) for line in served.robsonctl("notify", "status", "-o", "jsonl").stdout.splitlines()
            ]
            assert [row["channel"] for row in rows] == ["telegram", "webhook"]
            assert served.stop() == 0
            everything = served.log.read_text() + tried.stdout + shown.stdout + json.dumps(rows)
            assert "secretsecret" not in everything
            assert b"secretsecret" not in (tmp_path / "state" / "robson.db").read_bytes()
    finally:
        server.shutdown()
        server.server_close()


def test_without_a_channel_it_says_so(tmp_path: Path) -> None:
    with daemon(tmp_path / "state", "--feed", "synthetic") as served:
        tried = served.robsonctl("notify", "test")
        assert (tried.returncode, tried.stdout) == (1, "")
        assert "no channel is set up: see [notify] in robson.toml" in tried.stderr
        shown = served.robsonctl("notify", "status")
        assert (shown.returncode, shown.stdout.splitlines()[-1]) == (0, "ping: off")
        assert served.stop() == 0


def states(served: Daemon) -> dict[str, Any]:
    return {state["channel"]: state for state in served.ok("notify_status")["channels"]}
