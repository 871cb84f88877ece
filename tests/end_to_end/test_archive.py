"""A daemon that keeps its newest events only: the others are in files, none is missing and none is there twice."""

import gzip
import json
from pathlib import Path

from tests.end_to_end.daemon import Daemon, daemon

KEEP = 1000
POSITIONS = 2100


def ask_all(running: Daemon, cmd: str, *requests: dict[str, str]) -> list[dict[str, str]]:
    with running.connect() as client:
        client.send(*(json.dumps({"cmd": cmd, **request}) for request in requests))
        replies = [client.reply() for _ in requests]
    assert all(reply["ok"] for reply in replies)
    return [reply["result"] for reply in replies]


def archived(state: Path) -> list[int]:
    files = sorted((state / "archive").glob("*.jsonl.gz"))
    return [json.loads(line)["seq"] for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


def test_the_oldest_events_move_to_files_also_across_a_crash(tmp_path: Path) -> None:
    state = tmp_path / "state"
    settings = {"ROBSON_JOURNAL_KEEP_EVENTS": str(KEEP)}
    with daemon(state, "--feed", "synthetic", "--speed", "60", env=settings) as running:
        arm = {"symbol": "BTCUSDT", "side": "long", "strategy": "signal"}
        half = POSITIONS // 2
        armed = [result["position_id"] for result in ask_all(running, "arm", *[arm] * half)]
        assert not (state / "archive").exists()
        ask_all(running, "disarm", *({"position_id": one} for one in armed))
        more = [result["position_id"] for result in ask_all(running, "arm", *[arm] * half)]
        ask_all(running, "disarm", *({"position_id": one} for one in more))
        running.wait_until(lambda: running.logged("events_archived"), "the first run to be archived")
        running.kill()
        running.start()
        held = running.arm()
        page = running.ok("events", limit=10_000)
        oldest = page["oldest_seq"]
        assert oldest >= 1001
        assert page["events"][0]["seq"] == oldest
        assert [*archived(state), *(line["seq"] for line in page["events"])] == list(range(1, page["last_seq"] + 1))
        error = running.error("events", from_seq=oldest - 1)
        assert (error["code"], str(oldest) in error["hint"]) == ("events_archived", True)
        assert running.error("subscribe", from_seq=1)["code"] == "events_archived"
        assert running.ok("subscribe", from_seq=oldest)["oldest_seq"] == oldest
        shown = {view["position_id"]: view["state"] for view in running.ok("status", all=True)["positions"]}
        assert shown == {**dict.fromkeys((*armed, *more), "Closed"), held: "Armed"}
        assert running.robsonctl("show", armed[0]).returncode == 0
        listed = running.robsonctl("events", "-n", "10000")
        assert (listed.returncode, listed.stdout.split()[0]) == (0, str(oldest))
        assert running.robsonctl("events", "--from", "1").returncode == 1
        assert running.stop() == 0
