"""Budgets: exits always find room, entries never take it, and silence is kept for as long as it is wanted."""

import pytest

from robson.domain.errors import Banned, RateLimited
from robson.venue.binance import endpoints
from robson.venue.binance.endpoints import BORROWING_ORDER_WEIGHT, Endpoint
from robson.venue.binance.weights import Budgets, Priority

# The beginning of a minute by the venue's clock.
MINUTE = 28_000_000
START = MINUTE * 60_000


def spend_all(budgets: Budgets, endpoint: Endpoint, weight: int, priority: Priority, now_ms: int = START) -> int:
    """How many calls go through before the budget says no."""
    for count in range(100_000):
        try:
            budgets.spend(endpoint, weight, priority, now_ms)
        except RateLimited:
            return count
    raise AssertionError("no end")


def test_entries_stop_while_there_is_room_for_every_exit() -> None:
    budgets = Budgets()
    entries = spend_all(budgets, endpoints.PLACE_ORDER, BORROWING_ORDER_WEIGHT, Priority.ENTRY)
    assert entries == 72
    exits = spend_all(budgets, endpoints.PLACE_ORDER, endpoints.PLACE_ORDER.weight, Priority.EXIT)
    assert exits > 10_000


def test_the_venues_own_limit_is_never_reached() -> None:
    for endpoint in (endpoints.PLACE_ORDER, endpoints.ORDER, endpoints.LAST_PRICE):
        budgets = Budgets()
        for priority in Priority:
            spend_all(budgets, endpoint, endpoint.weight, priority)
        assert budgets.used(endpoint, START) < endpoint.limit.per_minute


def test_what_a_lower_priority_may_not_use_a_higher_one_may() -> None:
    budgets = Budgets()
    counts = [spend_all(budgets, endpoints.ORDER, 10, priority) for priority in Priority]
    assert counts == [480, 240, 120, 96, 84, 156]


def test_endpoints_of_sapi_are_counted_apart_and_those_of_api_together() -> None:
    budgets = Budgets()
    spend_all(budgets, endpoints.ORDER, 10, Priority.EXIT)
    budgets.spend(endpoints.TRADES, 10, Priority.BOOKKEEPING, START)
    budgets.spend(endpoints.PLACE_ORDER, 6, Priority.ENTRY, START)
    spend_all(budgets, endpoints.LAST_PRICE, 2, Priority.EXIT)
    with pytest.raises(RateLimited, match="/api had"):
        budgets.spend(endpoints.SERVER_TIME, 1, Priority.BOOKKEEPING, START)


def test_a_refusal_says_how_long_the_minute_lasts_and_a_new_minute_begins_with_nothing_used() -> None:
    budgets = Budgets()
    spend_all(budgets, endpoints.ORDER, 10, Priority.EXIT, START + 59_000)
    with pytest.raises(RateLimited) as refused:
        budgets.spend(endpoints.ORDER, 10, Priority.EXIT, START + 59_500)
    assert refused.value.retry_after_seconds == 0.5
    assert budgets.spend(endpoints.ORDER, 10, Priority.BOOKKEEPING, START + 60_000) == MINUTE + 1


def test_what_the_venue_counted_for_others_is_learnt() -> None:
    budgets = Budgets()
    minute = budgets.spend(endpoints.ORDER, 10, Priority.EXIT, START)
    budgets.hear(endpoints.ORDER, {"x-sapi-used-ip-weight-1m": "11000"}, minute, START)
    assert budgets.used(endpoints.ORDER, START) == 11_000
    with pytest.raises(RateLimited):
        budgets.spend(endpoints.ORDER, 10, Priority.QUERY, START)
    budgets.spend(endpoints.ORDER, 10, Priority.EXIT, START)
    # An older answer that arrives late takes nothing back.
    budgets.hear(endpoints.ORDER, {"x-sapi-used-ip-weight-1m": "20"}, minute, START)
    assert budgets.used(endpoints.ORDER, START) == 11_010


@pytest.mark.parametrize(
    ("endpoint", "header"),
    [
        (endpoints.SERVER_TIME, "x-mbx-used-weight-1m"),
        (endpoints.ORDER, "x-sapi-used-ip-weight-1m"),
        (endpoints.PLACE_ORDER, "x-sapi-used-uid-weight-1m"),
    ],
)
def test_each_limit_has_its_header(endpoint: Endpoint, header: str) -> None:
    budgets = Budgets()
    minute = budgets.spend(endpoint, 1, Priority.EXIT, START)
    others = {name: "999" for name in ("x-sapi-used-ip-weight-1m", "x-sapi-used-uid-weight-1m") if name != header}
    budgets.hear(endpoint, {header: "77", **others}, minute, START)
    assert budgets.used(endpoint, START) == 77


@pytest.mark.parametrize("said", ["", "many", "-5", "7.5", "\u00b2"])
def test_a_header_that_makes_no_sense_is_ignored(said: str) -> None:
    budgets = Budgets()
    minute = budgets.spend(endpoints.ORDER, 10, Priority.EXIT, START)
    budgets.hear(endpoints.ORDER, {"x-sapi-used-ip-weight-1m": said}, minute, START)
    assert budgets.used(endpoints.ORDER, START) == 10


def test_a_header_about_the_minute_before_is_ignored() -> None:
    budgets = Budgets()
    minute = budgets.spend(endpoints.ORDER, 10, Priority.EXIT, START + 59_999)
    budgets.spend(endpoints.ORDER, 10, Priority.EXIT, START + 60_050)
    budgets.hear(endpoints.ORDER, {"x-sapi-used-ip-weight-1m": "11999"}, minute, START + 60_100)
    assert budgets.used(endpoints.ORDER, START + 60_100) == 10


def test_silence_is_kept_by_everything_until_its_end() -> None:
    budgets = Budgets()
    budgets.stop(Banned("-1003", "banned", retry_after_seconds=120), START)
    for priority in Priority:
        for endpoint in (endpoints.PLACE_ORDER, endpoints.ORDER, endpoints.SERVER_TIME):
            with pytest.raises(Banned) as refused:
                budgets.spend(endpoint, 1, priority, START + 119_000)
            assert (refused.value.code, refused.value.retry_after_seconds) == ("-1003", 1)
    assert budgets.used(endpoints.ORDER, START + 119_000) == 0
    for priority in Priority:
        budgets.spend(endpoints.ORDER, 1, priority, START + 120_000)


def test_a_shorter_silence_does_not_end_a_longer_one() -> None:
    budgets = Budgets()
    budgets.stop(Banned("-1003", "banned", retry_after_seconds=120), START)
    budgets.stop(RateLimited("-1003", "slow", retry_after_seconds=5), START)
    with pytest.raises(Banned):
        budgets.spend(endpoints.ORDER, 1, Priority.EXIT, START + 60_000)


def test_too_many_orders_stops_orders_alone() -> None:
    budgets = Budgets()
    budgets.stop(RateLimited("-1015", "Too many new orders.", retry_after_seconds=10), START, orders_only=True)
    for write in (endpoints.PLACE_ORDER, endpoints.REPAY):
        with pytest.raises(RateLimited):
            budgets.spend(write, 1, Priority.EXIT, START)
    budgets.spend(endpoints.ORDER, 10, Priority.QUERY, START)
    budgets.spend(endpoints.PLACE_ORDER, 6, Priority.EXIT, START + 10_000)


def test_towards_a_firewall_only_what_protects_goes_on() -> None:
    budgets = Budgets()
    budgets.shun(RateLimited("403", "blocked", retry_after_seconds=120), START)
    for priority in (Priority.BOOKKEEPING, Priority.ENTRY):
        with pytest.raises(RateLimited, match="blocked"):
            budgets.spend(endpoints.ORDER, 1, priority, START + 119_000)
    for priority in (Priority.QUERY, Priority.EXIT):
        budgets.spend(endpoints.ORDER, 1, priority, START)


def test_every_signed_write_is_known_as_one() -> None:
    listed = [value for value in vars(endpoints).values() if isinstance(value, Endpoint)]
    writes = {"/sapi/v1/margin/order", "/sapi/v1/margin/borrow-repay", "/sapi/v1/userListenToken"}
    assert {e.path for e in listed if e.is_write} == writes
    assert all(endpoint.path.startswith(("/api/v3/", "/sapi/v1/")) for endpoint in listed)
