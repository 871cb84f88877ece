"""A real daemon on a recorded tape, killed in the middle: its charts, and the report beside it."""

import csv
import io
import sqlite3
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.end_to_end.daemon import Daemon, daemon, robson
from tests.recorded import recorded

TAPE = "demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_11min.ws.jsonl.gz"
HOSTILE = "<script>alert(1)</script>\"'&"


def drawn(running: Daemon, position_id: str) -> dict[str, Any]:
    found: dict[str, Any] = running.ok("chart", position_id=position_id)
    return found


def stored(state: Path) -> int:
    """Rows of samples in the file: the daemon writes them every ten seconds of the tape."""
    with closing(sqlite3.connect(f"file:{state / 'robson.db'}?mode=ro", uri=True)) as journal:
        (count,) = journal.execute("SELECT count(*) FROM price_samples").fetchone()
        return int(count)


def assert_is_a_picture_of(chart: dict[str, Any], view: dict[str, Any]) -> None:
    points = chart["points"]
    assert chart["entry_price"] == view["entry_price"]
    moments = [datetime.fromisoformat(point["at"]) for point in points]
    assert moments == sorted(set(moments))
    for point in points:
        assert Decimal(point["low"]) <= Decimal(point["last"]) <= Decimal(point["high"])
    stops = [Decimal(point["stop"]) for point in points if point["stop"] is not None]
    assert stops == sorted(stops, reverse=view["side"] == "short")
    assert Decimal(points[0]["low"]) <= Decimal(view["entry_price"]) <= Decimal(points[0]["high"])


def test_a_chart_lives_through_a_kill_and_ends_in_a_report(tmp_path: Path) -> None:
    tape = ("--feed", "replay", "--file", str(recorded(TAPE)), "--speed", "60")
    with daemon(tmp_path / "state", *tape) as running:
        held = running.arm("BTCUSDT", strategy="immediate", params={"stop_percent": "3"})
        running.wait_event("entry_filled", position_id=held)
        running.wait_until(lambda: stored(running.state) > 0, "samples in the journal")
        before = drawn(running, held)
        running.kill()
        kept = stored(running.state)
        assert kept > 0
        running.start()
        after = drawn(running, held)
        assert_is_a_picture_of(after, running.position(held))
        assert after["points"][0]["at"] == before["points"][0]["at"]
        assert after["entered_at"] == before["entered_at"]
        flushed = {point["at"] for point in after["points"]}
        assert len([point for point in before["points"] if point["at"] in flushed]) > 0

        short = running.arm("ETHUSDT", side="short", strategy="immediate", params={"stop_percent": "2"})
        running.wait_event("entry_filled", position_id=short)
        page = tmp_path / "beside.html"
        beside = robson("report", "--state-dir", str(running.state), "-o", str(page))
        assert (beside.returncode, beside.stderr) == (0, "")
        assert "Active" in page.read_text()
        running.ok("close", position_id=held)
        running.ok("close", position_id=short)
        view = running.position(held)
        chart = drawn(running, held)
        assert_is_a_picture_of(chart, view)
        assert (chart["exit_price"], chart["pnl"]) == (view["exit_price"], view["net_pnl"])
        assert datetime.fromisoformat(chart["points"][-1]["at"]) <= datetime.fromisoformat(chart["closed_at"])
        for name in ("chart.svg", "chart.png"):
            assert running.robsonctl("chart", held, "-o", str(tmp_path / name)).returncode == 0
        assert held in (tmp_path / "chart.svg").read_text()
        ET.parse(tmp_path / "chart.svg")
        assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
        text = running.robsonctl("chart", held[:12])
        assert (text.returncode, text.stderr) == (0, "")
        assert "BTCUSDT long" in text.stdout
        assert running.error("chart", position_id=HOSTILE)["code"] == "unknown_position"
        assert running.error("chart", position_id=held, points=601)["code"] == "bad_request"
        assert running.error("chart", position_id=held, points=1)["code"] == "bad_request"
        assert len(running.ok("chart", position_id=held, points=10)["points"]) <= 11
        assert running.stop() == 0

    pages = [tmp_path / name for name in ("first-page.html", "second-page.html")]
    for page in pages:
        assert robson("report", "--state-dir", str(running.state), "-o", str(page), "--since", "30d").returncode == 0
    one, two = (page.read_text().replace(page.stem, "") for page in pages)
    assert one == two
    rows = list(csv.DictReader(io.StringIO((tmp_path / "first-page.csv").read_text())))
    assert {row["position_id"] for row in rows} == {held, short}
    assert {row["net_pnl"] for row in rows if row["position_id"] == held} == {view["net_pnl"]}
    assert stored(running.state) == 2


def test_a_position_that_waits_has_an_empty_chart(tmp_path: Path) -> None:
    with daemon(tmp_path / "state", "--feed", "synthetic") as running:
        armed = running.arm("BTCUSDT")
        chart = drawn(running, armed)
        assert (chart["state"], chart["points"], chart["entered_at"]) == ("Armed", [], None)
        text = running.robsonctl("chart", armed)
        assert text.returncode == 0
        assert "no prices were kept" in text.stdout
        assert running.robsonctl("chart", "nobody").returncode == 3
        assert running.robsonctl("chart", armed, "-o", "chart.gif").returncode == 2
        assert running.stop() == 0
