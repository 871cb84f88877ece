"""The trailing stop, price by price: hit before move, equal is a hit, the mirror for shorts."""

from decimal import Decimal

import pytest

from robson.domain.position import Trail
from robson.domain.values import Side
from robson.engine.trailing import Watch, anchor, is_beyond

LONG, SHORT = Side.LONG, Side.SHORT


@pytest.mark.parametrize(
    ("side", "fill", "technical", "stop"),
    [
        (LONG, 95_100, 93_500, 93_600),
        (LONG, 94_900, 93_500, 93_500),
        (LONG, 95_000, 93_500, 93_500),
        (LONG, 93_400, 93_500, 93_500),
        (SHORT, 94_900, 96_500, 96_400),
        (SHORT, 95_100, 96_500, 96_500),
        (SHORT, 96_600, 96_500, 96_500),
    ],
)
def test_the_fill_anchors_the_stop_never_looser_than_the_technical_one(
    side: Side, fill: int, technical: int, stop: int
) -> None:
    found = anchor(side, Decimal(fill), Decimal(technical), Decimal(1_500))
    assert found == stop
    assert is_beyond(side, Decimal(fill), found) is (fill in {93_400, 96_600})


LONG_STEPS = [
    # price, hit, stop, extreme
    (95_100, False, 93_600, 95_100),
    (95_500, False, 94_000, 95_500),
    (95_200, False, 94_000, 95_500),
    (95_500, False, 94_000, 95_500),
    (97_000, False, 95_500, 97_000),
    ("95500.01", False, 95_500, 97_000),
    (95_500, True, 95_500, 97_000),
]
SHORT_STEPS = [
    (94_900, False, 96_400, 94_900),
    (94_500, False, 96_000, 94_500),
    (94_800, False, 96_000, 94_500),
    (94_500, False, 96_000, 94_500),
    (93_000, False, 94_500, 93_000),
    ("94499.99", False, 94_500, 93_000),
    (94_500, True, 94_500, 93_000),
]


@pytest.mark.parametrize(("side", "steps"), [(LONG, LONG_STEPS), (SHORT, SHORT_STEPS)])
def test_the_stop_follows_the_best_price(side: Side, steps: list[tuple[object, bool, int, int]]) -> None:
    watch = Watch(side, Decimal(95_000 - side.sign * 1_500), Decimal(95_000), Decimal(1_500))
    for price, hit, stop, extreme in steps:
        assert watch.observe(Decimal(str(price))) is hit
        assert (watch.stop, watch.extreme) == (stop, extreme)
    assert watch.moves == 3


@pytest.mark.parametrize(("side", "price"), [(LONG, 90_000), (SHORT, 99_000)])
def test_a_gap_through_the_stop_is_a_hit_and_moves_nothing(side: Side, price: int) -> None:
    watch = Watch(side, Decimal(95_000 - side.sign * 1_500), Decimal(95_000), Decimal(1_500), 7)
    before = watch.trail()
    assert watch.observe(Decimal(price))
    assert watch.trail() == before


def test_the_last_trade_seen_is_kept_also_at_the_hit() -> None:
    watch = Watch(LONG, Decimal(90), Decimal(100), Decimal(10), 1)
    watch.observe(Decimal(101), 2)
    watch.observe(Decimal(100))
    assert watch.trade_id == 2
    watch.observe(Decimal(91), 3)
    assert watch.trail() == Trail(stop=Decimal(91), extreme=Decimal(101), distance=Decimal(10), trade_id=3)


def test_a_watch_goes_on_where_a_stored_trail_ended() -> None:
    trail = Trail(stop=Decimal(105), extreme=Decimal(95), distance=Decimal(10), trade_id=9)
    watch = Watch.of(SHORT, trail)
    assert watch.trail() == trail
    assert not watch.observe(Decimal(96))
    assert watch.observe(Decimal(105))


@pytest.mark.parametrize("side", Side)
def test_a_polled_price_may_hit_but_never_moves_the_stop(side: Side) -> None:
    watch = Watch(side, Decimal(100 - side.sign * 10), Decimal(100), Decimal(10))
    before = watch.trail()
    assert not watch.glance(Decimal(100 + side.sign * 50))
    assert watch.glance(Decimal(100 - side.sign * 10))
    assert watch.trail() == before


def test_a_stop_that_is_tighter_than_its_distance_waits_for_the_extreme() -> None:
    """Filled at 94900 with the technical stop at 93500, the distance is 1500: the stop moves from 95000 on."""
    watch = Watch(LONG, Decimal(93_500), Decimal(94_900), Decimal(1_500))
    assert not watch.observe(Decimal(95_000))
    assert (watch.stop, watch.extreme, watch.moves) == (93_500, 95_000, 0)
    assert not watch.observe(Decimal("95000.01"))
    assert (watch.stop, watch.moves) == (Decimal("93500.01"), 1)
