"""What the log says of an order that has come to its end."""

from pathlib import Path

import pytest
import structlog
from trio.testing import MockClock

from robson.daemon import settling
from robson.domain.values import PositionId
from tests.rig import Rig


async def test_an_order_is_logged_under_the_identity_that_the_venue_knows(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The suite silences what is not critical.
    monkeypatch.setattr(settling, "_log", structlog.wrap_logger(None, wrapper_class=structlog.BoundLogger))
    with structlog.testing.capture_logs() as logged:
        async with Rig(tmp_path).running() as rig:
            position_id = await rig.active()
            sent = {intent.order.client_order_id for intent in rig.journal.intents(PositionId(position_id))}
    settled = [entry for entry in logged if entry["event"] == "order_settled"]
    assert sent
    assert {(entry["position_id"], entry["client_order_id"]) for entry in settled} == {
        (position_id, order_id) for order_id in sent
    }
