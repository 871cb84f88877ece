"""A heartbeat is answered by the loop alone."""

import trio

from robson.pulse import Pulse


def test_what_is_asked_before_the_loop_runs_is_not_owed() -> None:
    pulse = Pulse(lambda: None)
    pulse.ask()
    assert not pulse.is_owing
    with pulse.running():
        assert not pulse.is_owing
        pulse.ask()
        assert pulse.is_owing
        pulse.beat()
        assert not pulse.is_owing
        pulse.ask()
    assert not pulse.is_owing, "a loop that has ended owes nothing"


async def test_a_question_wakes_the_loop() -> None:
    news = trio.Event()
    pulse = Pulse(news.set)
    with pulse.running():
        pulse.ask()
        with trio.fail_after(10):
            await news.wait()
