"""The tape's clock: what it waits for, what waits for it."""

import math
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from robson.clock import RunClock, TapeClock, parse_speed, process_age_seconds
from robson.domain.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2024, 8, 8, 23, 54, tzinfo=UTC)


class Stopwatch:
    """Real seconds under the test's control."""

    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


def started(speed: float, real: Stopwatch, *, begun: bool = True) -> TapeClock:
    clock = TapeClock(START, speed, begun=begun, real=real)
    clock.start_clock()
    return clock


def idle(clock: TapeClock, deadline: float) -> float:
    """What Trio's loop does when no task is runnable: how long it would sleep for the deadline."""
    return clock.deadline_to_sleep_time(deadline)


@pytest.mark.parametrize(
    ("text", "speed"), [("1", 1.0), ("0.5", 0.5), ("60", 60.0), ("1000000", 1e6), ("max", math.inf)]
)
def test_a_speed_is_a_positive_number_or_max(text, speed):
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1e3", "1e400", "", "fast", "0.0001", "1000001", "９"])
def test_other_speeds_are_refused_with_the_value_and_the_limits(text):
    with pytest.raises(ConfigurationError) as refused:
        parse_speed(text)
    assert repr(text) in str(refused.value)
    assert "max" in str(refused.value)


def test_time_runs_at_a_multiple_of_real_time():
    real = Stopwatch()
    clock = started(60, real)
    assert idle(clock, 120.0) == 2.0
    real.seconds += 0.5
    assert clock.current_time() == 30.0


def test_time_stands_at_the_horizon_however_late_the_feed_is():
    real = Stopwatch()
    clock = started(60, real)
    clock.hold(10.0)
    assert idle(clock, 20.0) == math.inf
    real.seconds += 1000
    assert clock.current_time() == 10.0
    clock.hold(15.0)
    assert idle(clock, 100.0) == math.inf
    assert clock.current_time() == 15.0
    clock.release()
    assert idle(clock, 75.0) == 1.0


def test_of_a_long_delay_a_quarter_of_a_second_is_caught_up():
    real = Stopwatch()
    clock = started(60, real)
    clock.hold(10.0)
    idle(clock, 20.0)
    real.seconds += 1000
    assert clock.current_time() == 10.0
    clock.hold(5000.0)
    assert idle(clock, 85.0) == 1.0


def test_a_short_delay_is_caught_up():
    real = Stopwatch()
    clock = started(10, real)
    clock.hold(1.0)
    idle(clock, 1.0)
    real.seconds += 0.2
    assert clock.current_time() == 1.0
    clock.hold(3.0)
    assert idle(clock, 3.0) == pytest.approx(0.1)
    assert clock.current_time() == pytest.approx(2.0)


def test_time_never_passes_the_next_deadline_in_one_move():
    real = Stopwatch()
    clock = started(60, real)
    idle(clock, 2.0)
    real.seconds += 10
    assert clock.current_time() == pytest.approx(2.0)


def test_time_creeps_by_a_millisecond_while_tasks_keep_it_busy():
    real = Stopwatch()
    clock = started(60, real)
    idle(clock, 0.0)
    clock.current_time()
    real.seconds += 10
    assert [clock.current_time() for _ in range(3)] == pytest.approx([0.001, 0.002, 0.003])


def test_at_max_speed_time_goes_from_deadline_to_deadline_up_to_the_horizon():
    clock = started(math.inf, Stopwatch())
    clock.hold(100.0)
    assert idle(clock, 30.0) == 0.0
    assert clock.current_time() == 30.0
    assert clock.current_time() == 30.0
    assert idle(clock, 101.0) == math.inf
    assert clock.current_time() == 100.0


def test_max_speed_without_a_next_tick_is_real_time():
    real = Stopwatch()
    clock = started(math.inf, real)
    assert idle(clock, 5.0) == 5.0
    real.seconds += 1
    assert clock.current_time() == 1.0


def test_time_never_goes_back_when_the_horizon_does():
    clock = started(math.inf, Stopwatch())
    clock.hold(10.0)
    idle(clock, math.inf)
    clock.current_time()
    clock.hold(4.0)
    idle(clock, math.inf)
    assert clock.current_time() == 10.0


def test_the_wall_clock_of_a_tape_stands_until_it_begins():
    real = Stopwatch()
    clock = started(2, real, begun=False)
    idle(clock, math.inf)
    real.seconds += 7
    assert clock.current_time() == 7.0
    assert clock.now() == START
    assert clock.begin() == 7.0
    idle(clock, math.inf)
    real.seconds += 3
    clock.current_time()
    assert clock.now() == START + timedelta(seconds=6)
    assert clock.begin() == 7.0


def test_a_deadline_before_the_tape_begins_is_kept():
    clock = TapeClock(START, math.inf)

    async def main():
        with trio.move_on_after(0.01) as scope:
            await trio.sleep_forever()
        return scope.cancelled_caught, RunClock(clock).now()

    assert trio.run(main, clock=clock) == (True, START)


def test_deadlines_happen_one_after_the_other_however_slow_the_machine_is():
    """A latency inside a timeout: one leap over both would cancel what would have been in time."""
    real = Stopwatch()
    clock = TapeClock(START, 60, begun=True, real=real)

    async def main():
        with trio.fail_after(2):
            real.seconds += 10
            await trio.sleep(0.1)
            return trio.current_time()

    assert trio.run(main, clock=clock) == pytest.approx(0.1, abs=0.01)


def test_a_held_tape_still_serves_a_socket_and_is_thawed_by_a_task():
    clock = TapeClock(START, math.inf, begun=True)
    ours, theirs = socket.socketpair()

    async def main():
        start = trio.current_time()
        clock.hold(start)
        server, client = (trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in (ours, theirs))
        moments = []

        async def serve():
            assert await server.receive_some(10) == b"go"
            moments.append(trio.current_time() - start)
            clock.hold(1000.0)

        async def wait():
            await trio.sleep(900)
            moments.append(trio.current_time() - start)

        async with server, client, trio.open_nursery() as nursery:
            nursery.start_soon(serve)
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            assert moments == []
            await client.send_all(b"go")
        return moments

    assert trio.run(main, clock=clock) == [0.0, 900.0]


def test_an_interrupt_ends_a_held_run():
    clock = TapeClock(START, math.inf, begun=True)

    async def main():
        clock.hold(0.0)
        trio.lowlevel.current_trio_token().run_sync_soon(signal.raise_signal, signal.SIGINT)
        await trio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=clock, restrict_keyboard_interrupt_to_checkpoints=True)


def test_a_cancel_reaches_a_task_that_waits_behind_the_horizon():
    clock = TapeClock(START, math.inf, begun=True)

    async def main():
        start = trio.current_time()
        clock.hold(start)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        return trio.current_time() - start

    assert trio.run(main, clock=clock) == 0.0


async def test_without_a_tape_the_steady_clock_is_trios_and_the_wall_clock_has_a_zone(autojump_clock):
    clock = RunClock()
    before = clock.monotonic()
    await trio.sleep(60)
    assert clock.monotonic() - before == 60
    assert clock.now().tzinfo is UTC


def test_a_process_knows_how_long_ago_it_was_started():
    """Longer than it has had the time to import anything, shorter than we have waited for it; the kernel rounds."""
    program = (
        "import time; time.sleep(0.2); early = time.perf_counter()\n"
        "from robson.clock import process_age_seconds\n"
        "print(process_age_seconds())"
    )
    before = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0.19 <= float(ended.stdout) <= time.perf_counter() - before + 0.05


def test_without_the_kernels_record_it_counts_from_the_import(monkeypatch):
    age = process_age_seconds()
    monkeypatch.setattr("robson.clock.Path", lambda _path: Path("/nowhere/at/all"))
    assert 0 < process_age_seconds() <= age + 1
