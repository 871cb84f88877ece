"""What the metrics say of a life, of an order in doubt, of an exit that fails and of a daemon in trouble."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.control.sequence import Cursor
from robson.metrics import Distribution
from robson.ports import Venue
from robson.protocol.requests import SubscribeRequest
from robson.web.sources import Sources
from tests.faults import FaultyVenue
from tests.rig import Rig
from tests.unit.web.scraping import page_of, scrape, values_in


def faulty(directory: Path, *faults: str) -> Rig:
    def wrap(venue: Venue) -> Venue:
        made = FaultyVenue(venue)
        made.faults.extend(faults)
        return made

    return Rig(directory, wrap=wrap)


async def entered(rig: Rig, stop: str = "93500") -> str:
    position_id = await rig.arm()
    rig.tick("95000")
    await rig.signal(position_id, "95000", stop)
    await rig.until(position_id, "Active")
    return position_id


async def shown(rig: Rig, directory: Path, name: str) -> dict[str, float]:
    """The first scrape in which a metric is not zero, on simulated time."""
    with trio.fail_after(60):
        while not (seen := scrape(rig, directory))[name]:  # noqa: ASYNC110  a scraper asks again and again, too
            await trio.sleep(0.05)
    return seen


async def test_a_whole_life_is_counted(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        position_id = await entered(rig)
        active = scrape(rig, tmp_path)
        rig.tick("93405")
        await rig.until(position_id, "Closed")
        closed = scrape(rig, tmp_path)
    assert active['robson_positions{state="Active"}'] == 1
    assert active["robson_tick_to_order_seconds_count"] == 0
    assert active['robson_feed_ticks_total{symbol="BTCUSDT"}'] == 1
    assert active['robson_feed_interruptions_total{symbol="BTCUSDT"}'] == 0
    # What has not happened is told as well: Prometheus sees no increase in what begins with one.
    assert active['robson_events_total{type="exit_filled"}'] == active['robson_events_total{type="drift_found"}'] == 0
    assert not any(value for name, value in closed.items() if name.startswith("robson_positions"))
    for role in ("entry", "exit"):
        assert closed[f'robson_orders_total{{result="filled",role="{role}"}}'] == 1
        # Filled at the very price: nothing is worse than expected, and nothing better.
        assert closed[f'robson_slippage_basis_points_bucket{{le="-1.0",role="{role}"}}'] == 0
        assert closed[f'robson_slippage_basis_points_bucket{{le="0.0",role="{role}"}}'] == 1
    assert closed["robson_tick_to_order_seconds_count"] == 1
    assert closed['robson_events_total{type="exit_filled"}'] == 1
    assert closed["robson_journal_commit_seconds_count"] >= 6
    assert closed["robson_journal_last_seq"] > active["robson_journal_last_seq"]
    assert closed["robson_time_to_protected_seconds"] >= 0


async def test_an_exit_that_fills_beyond_what_hit_its_stop_has_slipped(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path).running() as rig:
        position_id = await entered(rig)
        rig.tick("93500")
        rig.tick("93406.5")  # the venue's price when the order arrives: ten basis points lower
        await rig.until(position_id, "Closed")
        slipped = scrape(rig, tmp_path)
    assert slipped['robson_slippage_basis_points_bucket{le="5.0",role="exit"}'] == 0
    assert slipped['robson_slippage_basis_points_bucket{le="10.0",role="exit"}'] == 1


async def test_an_exit_in_doubt_is_told_everywhere_and_then_it_is_over(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with faulty(tmp_path, "", "request_lost", "request_lost").running() as rig:
        position_id = await entered(rig)
        rig.tick("93400")
        during = await shown(rig, tmp_path, 'robson_intents_in_doubt{role="exit"}')
        view, check = await rig.view(position_id), await rig.orders_check()
        await rig.until(position_id, "Closed")
        after, final, calm = scrape(rig, tmp_path), await rig.view(position_id), await rig.orders_check()
    assert during['robson_intents_in_doubt{role="entry"}'] == 0
    assert during['robson_intents_open{role="exit"}'] >= 1
    assert view.order_in_doubt
    assert view.detail == "its exit order is in doubt: no answer within 2 s"
    assert (check.ok, check.detail) == (False, f"in doubt: exit of {position_id} (BTCUSDT)")
    assert "order_in_doubt" in rig.events()
    assert after['robson_intents_in_doubt{role="exit"}'] == after['robson_intents_open{role="exit"}'] == 0
    assert after['robson_orders_total{result="absent",role="exit"}'] >= 1
    assert not final.order_in_doubt
    assert (calm.ok, calm.detail) == (True, "none in doubt, no exit failing")


async def test_an_exit_that_is_refused_three_times_is_alarmed_once_and_goes_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with faulty(tmp_path, "", *["refused"] * 5).running() as rig:
        position_id = await entered(rig)
        rig.tick("93400")
        failing = await shown(rig, tmp_path, "robson_exits_failing")
        assert failing['robson_orders_total{result="rejected",role="exit"}'] == 3
        check = await rig.orders_check()
        assert (check.ok, check.detail) == (False, f"exit failing: {position_id} (BTCUSDT)")
        await rig.until(position_id, "Closed")
        assert scrape(rig, tmp_path)["robson_exits_failing"] == 0
    assert rig.events().count("exit_failing") == 1


async def test_an_exit_that_cannot_be_sent_fails_too(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with faulty(tmp_path, "", *["unreachable"] * 4).running() as rig:
        position_id = await entered(rig)
        rig.tick("93400")
        seen = await shown(rig, tmp_path, "robson_exits_failing")
        assert seen["robson_venue_reachable"] == 0
        assert seen['robson_unprotected_positions{cause="venue"}'] == 1
        await rig.until(position_id, "Closed")
        over = scrape(rig, tmp_path)
        await trio.sleep(5)
        assert scrape(rig, tmp_path)["robson_unprotected_seconds_total"] == over["robson_unprotected_seconds_total"]
    assert over["robson_exits_failing"] == 0
    assert over["robson_unprotected_seconds_total"] > seen["robson_unprotected_seconds_total"]
    assert not rig.executor.unsent


async def test_a_silent_feed_a_latch_and_a_disk_that_refuses_are_seen(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path).running() as rig:
        await entered(rig)
        calm = scrape(rig, tmp_path)
        rig.market.interrupted("BTCUSDT", "the stream was lost")
        rig.market.interrupted("NOBODY", "nobody is subscribed")
        await trio.sleep(11)
        silent = scrape(rig, tmp_path)
        rig.record.degrade("No space left on device")
        await rig.panic()
        troubled = scrape(rig, tmp_path)
    assert calm['robson_state{state="live"}'] == 1
    assert calm['robson_feed_stale{symbol="BTCUSDT"}'] == 0
    assert silent['robson_feed_stale{symbol="BTCUSDT"}'] == 1
    assert silent['robson_feed_age_seconds{symbol="BTCUSDT"}'] >= 11
    assert silent['robson_feed_interruptions_total{symbol="BTCUSDT"}'] == 1
    assert 'robson_feed_interruptions_total{symbol="NOBODY"}' not in silent
    assert silent['robson_unprotected_positions{cause="feed"}'] == 1
    assert silent["robson_unprotected_seconds_total"] >= 0.9
    assert silent['robson_state{state="degraded"}'] == 1
    assert (silent["robson_degraded"], troubled["robson_degraded"]) == (0, 1)
    assert (silent["robson_panic_latched"], troubled["robson_panic_latched"]) == (0, 1)


async def test_unprotected_seconds_of_earlier_runs_are_not_counted_again(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with Rig(tmp_path).running() as rig:
        position_id = await entered(rig)
        await trio.sleep(15)
        rig.tick("95001")
        first = scrape(rig, tmp_path)["robson_unprotected_seconds_total"]
    async with Rig(tmp_path, journal=rig.journal, feed=rig.feed).running() as again:
        second = scrape(again, tmp_path)["robson_unprotected_seconds_total"]
        told = (await again.view(position_id)).unprotected_seconds
    assert first >= 4
    assert second < 1
    assert told >= first


async def test_the_slowest_subscriber_is_measured(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with Rig(tmp_path).running() as rig:
        await rig.arm()
        with following(rig, 1), following(rig, rig.desk.last_seq() + 1):
            lagging = scrape(rig, tmp_path)
        alone = scrape(rig, tmp_path)
    assert (lagging["robson_subscribers"], lagging["robson_subscriber_lag_events"]) == (2, 1)
    assert (alone["robson_subscribers"], alone["robson_subscriber_lag_events"]) == (0, 0)


@contextmanager
def following(rig: Rig, from_seq: int) -> Iterator[None]:
    cursor = Cursor(rig.desk, SubscribeRequest(from_seq=from_seq), trio.Lock())
    rig.desk.followers.add(cursor)
    try:
        yield
    finally:
        rig.desk.followers.discard(cursor)


class Requests:
    """What a connector would tell."""

    def __init__(self) -> None:
        self.seconds = {"POST /order": Distribution((1.0,))}
        self.seconds["POST /order"].note(0.5)
        self.ends = {("POST /order", "in_doubt"): 2}

    def weights_used(self) -> dict[str, int]:
        return {"/api": 40}

    def clock_offset_seconds(self) -> float | None:
        return -0.25


async def test_an_exchange_and_files_are_shown_where_there_are_any(tmp_path: Path, autojump_clock: MockClock) -> None:
    (tmp_path / "robson.db").write_bytes(b"x" * 4096)
    async with Rig(tmp_path).running() as rig:
        bare = scrape(rig, tmp_path / "nowhere")
        sources = Sources(rig.desk, rig.supervisor, tmp_path, reconnects=lambda: 3, traffic=Requests())
        sources.loop_delay.note(0.2)
        shown = values_in(page_of(sources))
    assert not any(name.startswith(("robson_exchange", "robson_journal_size", "robson_disk")) for name in bare)
    found = os.statvfs(tmp_path)
    # Others write here, too.
    assert shown["robson_disk_free_bytes"] == pytest.approx(found.f_bavail * found.f_frsize, rel=0.5)
    assert shown['robson_journal_size_bytes{file="robson.db"}'] == 4096
    assert shown["robson_feed_reconnects_total"] == 3
    assert shown["robson_loop_delay_seconds_sum"] == 0.2
    assert shown['robson_exchange_request_seconds_bucket{endpoint="POST /order",le="1.0"}'] == 1
    assert shown['robson_exchange_requests_total{endpoint="POST /order",result="in_doubt"}'] == 2
    assert shown['robson_exchange_used_weight{budget="/api"}'] == 40
    assert shown["robson_exchange_clock_offset_seconds"] == -0.25
