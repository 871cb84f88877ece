"""Holdings handed over and back through robsonctl, with a real daemon that is killed in between."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemon import Daemon, daemon


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Daemon]:
    with daemon(tmp_path / "state", "--feed", "synthetic") as started:
        yield started


def told(running: Daemon, *arguments: str, code: int = 0) -> Any:
    """The result of one robsonctl command as JSON."""
    ended = running.robsonctl(*arguments, "--json")
    assert ended.returncode == code, (arguments, ended.stdout, ended.stderr)
    return json.loads(ended.stdout) if code == 0 else ended.stderr


def shown(running: Daemon, position_id: str) -> Any:
    return told(running, "show", position_id)


def test_a_position_is_released_adopted_again_and_recovered(running: Daemon) -> None:
    position_id = told(running, "arm", "BTCUSDT", "long", "--strategy", "immediate")["position_id"]
    running.wait_event("entry_filled", position_id=position_id)
    before = shown(running, position_id)

    released = told(running, "release", position_id[:8], "--key", "r-1")

    assert told(running, "release", position_id, "--key", "r-1") == released
    assert (released["symbol"], released["side"]) == ("BTCUSDT", "long")
    after = shown(running, position_id)
    assert (after["state"], after["exit_reason"], after["exit_price"]) == ("Closed", "released", before["entry_price"])
    assert "exit_order_placed" not in [row["event"] for row in running.events() if row["position_id"] == position_id]
    assert "was Closed" in told(running, "release", position_id, code=1)
    assert told(running, "release", "nobody", code=3)

    price = Decimal(before["entry_price"])
    stop = str((price * Decimal("0.95")).quantize(Decimal("0.01")))
    much = told(running, "adopt", "BTCUSDT", "--quantity", "7", "--stop", stop, code=1)
    assert "not_held" in much
    assert released["quantity"] in much
    assert "stop_too_far" in told(running, "adopt", "BTCUSDT", "--quantity", "0.001", "--stop", "1", code=1)
    arguments = ("adopt", "BTCUSDT", "long", "--quantity", released["quantity"], "--stop", stop, "--key", "a-1")
    adopted = told(running, *arguments)
    assert told(running, *arguments) == adopted
    view = shown(running, adopted["position_id"])
    assert (view["state"], view["strategy"], view["quantity"]) == ("Active", "adopted", released["quantity"])

    running.kill()
    running.start()

    again = shown(running, adopted["position_id"])
    assert (again["state"], again["quantity"]) == ("Active", released["quantity"])
    assert told(running, *arguments) == adopted
    assert told(running, "close", adopted["position_id"])["outcome"] == "closed"
    (request,) = [line for line in running.logged("mutation_requested") if line.get("idempotency_key") == "r-1"][:1]
    assert request["peer_uid"] >= 0
