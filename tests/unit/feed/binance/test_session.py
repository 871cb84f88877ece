"""What one connection is asked for: batches, their distance, their answers."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robson.feed.binance import codec
from robson.feed.binance.session import Session, SubscriptionRefused, TooManyStreams


def names(count: int) -> list[str]:
    return [f"s{number:04d}@aggTrade" for number in range(count)]


def sent(session: Session, now: float) -> tuple[int, str, list[str]]:
    message = json.loads(session.send(now))
    return message["id"], message["method"], message["params"]


def test_streams_are_active_once_confirmed() -> None:
    session = Session(["a@aggTrade"])
    assert not session.is_ready
    number, method, params = sent(session, 0.0)
    assert (method, params) == ("SUBSCRIBE", ["a@aggTrade"])
    assert session.due_at() == math.inf
    assert session.overdue_at() == 10.0
    session.take(codec.Acknowledged(request_id=number + 100))
    assert not session.is_ready
    session.take(codec.Acknowledged(request_id=str(number)))
    assert session.is_ready
    assert session.overdue_at() == math.inf


def test_messages_keep_their_distance_and_carry_many_streams() -> None:
    session, now, batches = Session(names(1024)), 5.0, []
    while (due := session.due_at()) < math.inf:
        now = max(now, due)
        batches.append((now, sent(session, now)[2]))
    assert [len(params) for _, params in batches] == [100] * 10 + [24]
    assert [at for at, _ in batches] == [5.0 + n / 2 for n in range(11)]
    assert sorted(name for _, params in batches for name in params) == names(1024)


def test_more_streams_than_a_connection_carries_change_nothing() -> None:
    session = Session(["a"])
    with pytest.raises(TooManyStreams, match="1025 streams were wanted"):
        session.want(names(1025))
    assert sent(session, 0.0)[2] == ["a"]


@pytest.mark.parametrize("code", [2, -1121])
def test_a_refusal_is_told(code: int) -> None:
    session = Session(["a"])
    number, *_ = sent(session, 0.0)
    with pytest.raises(SubscriptionRefused, match=f"refused a request with {code}: Invalid request"):
        session.take(codec.RequestRefused(request_id=number, code=code, message="Invalid request"))


def test_streams_that_are_no_longer_wanted_are_given_back() -> None:
    session = Session(["a", "b"])
    session.take(codec.Acknowledged(request_id=sent(session, 0.0)[0]))
    session.want(["b", "c"])
    assert not session.is_ready
    assert sent(session, 1.0)[1:] == ("SUBSCRIBE", ["c"])
    assert sent(session, 2.0)[1:] == ("UNSUBSCRIBE", ["a"])
    assert session.due_at() == math.inf


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcdef")), st.integers(0, 3)), max_size=20))
def test_in_the_end_exactly_the_wanted_ones_are_streamed(steps: list[tuple[set[str], int]]) -> None:
    session, served, now = Session(), set[str](), 0.0
    unanswered: list[tuple[int, str, list[str]]] = []

    def serve() -> None:
        number, method, params = unanswered.pop(0)
        if method == "SUBSCRIBE":
            served.update(params)
        else:
            served.difference_update(params)
        session.take(codec.Acknowledged(request_id=number))

    def send_all() -> None:
        nonlocal now
        while session.due_at() < math.inf:
            now = max(now, session.due_at())
            unanswered.append(sent(session, now))

    for wanted, answers in steps:
        session.want(wanted)
        send_all()
        for _ in range(min(answers, len(unanswered))):
            serve()
    while unanswered or session.due_at() < math.inf:
        send_all()
        serve()
    assert served == (steps[-1][0] if steps else set())
    assert session.is_ready
