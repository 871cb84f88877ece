"""The user's own events with real processes: they hurry what a lost reply delays, and their death changes nothing."""

from pathlib import Path

import pytest

from tests.end_to_end.emulator import PAIR
from tests.end_to_end.rehearsal import Rehearsal, rehearsing

# Longer than any test waits.
NEVER_SECONDS = 600


def subscriptions(live: Rehearsal) -> int:
    """How often the daemon has begun to listen."""
    return live.daemon.log.read_text().count("user_events_subscribed")


def was_in_doubt(live: Rehearsal, position_id: str) -> bool:
    return any(
        line["event"] == "order_in_doubt" and line["position_id"] == position_id for line in live.daemon.events()
    )


def enter_by_news(live: Rehearsal, listening: int) -> str:
    """An entry whose reply never comes and which is known all the same, without ever having been in doubt."""
    position_id = live.daemon.arm(PAIR, "long")
    live.daemon.wait_until(lambda: subscriptions(live) >= listening, "the user's events to be listened to")
    live.emulator.arm("late_reply", seconds=NEVER_SECONDS)
    live.signal(position_id)
    live.daemon.wait_event("entry_filled", position_id=position_id)
    assert not was_in_doubt(live, position_id)
    return position_id


@pytest.mark.parametrize("death", ["user_mute", "user_cut", "token_expiry"])
def test_with_the_stream_alive_nothing_is_in_doubt_and_with_it_dead_the_position_closes(
    tmp_path: Path, death: str
) -> None:
    with rehearsing(tmp_path) as live:
        first = enter_by_news(live, listening=1)
        if death == "token_expiry":
            # Nor is there another token.
            live.emulator.arm("drop_request", times=0, endpoint="POST /sapi/v1/userListenToken")
        live.emulator.arm("user_mute", times=0)
        if death != "user_mute":
            live.emulator.arm(death)
        live.emulator.arm("drop_reply")
        live.cross(first)
        assert live.closed(first)["exit_reason"] == "trailing_stop"
        assert was_in_doubt(live, first)
        if death == "user_mute":
            return
        # It comes back by itself.
        live.emulator.clear()
        second = enter_by_news(live, listening=2)
        live.daemon.ok("close", position_id=second)
        live.closed(second)
        assert live.daemon.stop() == 0
