"""The venue's clock seen from here: never ahead of it, whatever the round trip, the drift and the machine's clock."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from robson.venue.binance.server_clock import ServerClock

WALL = datetime(2026, 7, 1, 12, tzinfo=UTC)
WALL_MS = int(WALL.timestamp() * 1000)


def wall(seconds: float) -> datetime:
    return WALL + timedelta(seconds=seconds)


def test_before_the_first_reading_the_machines_clock_is_all_there_is() -> None:
    clock = ServerClock()
    assert clock.needs_reading(5.0, wall(5))
    assert clock.now_ms(5.0, wall(5)) == WALL_MS + 5000
    assert clock.wall_offset_ms(5.0, wall(5)) is None
    assert clock.uncertainty_ms is None


def test_a_reading_counts_from_when_it_was_heard() -> None:
    clock = ServerClock()
    clock.read(asked=10.0, heard=10.2, server_ms=WALL_MS + 60_000, wall=wall(10.2))
    assert not clock.needs_reading(10.2, wall(10.2))
    assert clock.now_ms(10.2, wall(10.2)) == WALL_MS + 60_000
    assert clock.now_ms(11.2, wall(11.2)) in {WALL_MS + 60_999, WALL_MS + 61_000}
    assert clock.wall_offset_ms(10.2, wall(10.2)) == 49_800
    assert clock.uncertainty_ms is not None
    assert 200 <= clock.uncertainty_ms <= 202


def test_the_shortest_round_trip_is_believed_most() -> None:
    clock = ServerClock()
    true_offset = WALL_MS
    clock.read(asked=0.0, heard=3.0, server_ms=true_offset + 100, wall=wall(3))
    clock.read(asked=10.0, heard=10.02, server_ms=true_offset + 10_010, wall=wall(10.02))
    clock.read(asked=20.0, heard=22.0, server_ms=true_offset + 20_050, wall=wall(22))
    assert 0 <= true_offset + 30_000 - clock.now_ms(30.0, wall(30)) < 15


@given(
    offset_ms=st.integers(-(10**9), 10**9),
    trips=st.lists(
        st.tuples(st.floats(0.0, 60.0), st.floats(0.001, 5.0), st.floats(0.0, 1.0)), min_size=1, max_size=30
    ),
    later=st.floats(0.0, 3600.0),
    drift=st.floats(-0.00005, 0.00005),
)
def test_a_timestamp_is_never_ahead_of_the_venue_and_never_behind_by_more_than_a_round_trip(
    offset_ms: int, trips: list[tuple[float, float, float]], later: float, drift: float
) -> None:
    """`drift`: how much faster than ours the venue's clock runs."""
    clock, now = ServerClock(), 0.0

    def venue_ms(monotonic: float) -> float:
        return WALL_MS + offset_ms + monotonic * 1000 * (1 + drift)

    for pause, trip, share in trips:
        asked = now + pause
        heard = asked + trip
        server_ms = int(venue_ms(asked + trip * share))
        clock.read(asked=asked, heard=heard, server_ms=server_ms, wall=wall(heard))
        now = heard
    at = now + later
    behind = venue_ms(at) - clock.now_ms(at, wall(at))
    assert behind > -1
    last_trip_ms = trips[-1][1] * 1000
    assert behind < last_trip_ms + 3 + later * 1000 * 0.00016


def test_a_machine_that_slept_asks_again_and_goes_by_its_wall_clock_meanwhile() -> None:
    clock = ServerClock()
    clock.read(asked=0.0, heard=0.1, server_ms=WALL_MS + 100, wall=wall(0.1))
    assert not clock.needs_reading(60.0, wall(60.5))
    assert clock.needs_reading(60.0, wall(3660))
    assert clock.now_ms(60.0, wall(3660)) == WALL_MS + 3_660_000


def test_a_refused_timestamp_asks_for_a_reading_and_the_reading_settles_it() -> None:
    clock = ServerClock()
    clock.read(asked=0.0, heard=0.1, server_ms=WALL_MS, wall=wall(0.1))
    clock.doubt()
    assert clock.needs_reading(1.0, wall(1))
    clock.read(asked=1.0, heard=1.1, server_ms=WALL_MS + 1000, wall=wall(1.1))
    assert not clock.needs_reading(1.1, wall(1.1))


def test_a_venue_whose_clock_has_stepped_is_followed() -> None:
    for step_ms in (-30_000, 30_000):
        clock = ServerClock()
        for second in range(5):
            clock.read(
                asked=second, heard=second + 0.05, server_ms=WALL_MS + second * 1000 + 25, wall=wall(second + 0.05)
            )
        clock.read(asked=5.0, heard=5.05, server_ms=WALL_MS + 5025 + step_ms, wall=wall(5.05))
        assert clock.now_ms(5.05, wall(5.05)) == WALL_MS + 5025 + step_ms
