"""A distribution counts as Prometheus wants it: at or below each bound."""

import math

from robson.metrics import Distribution


def test_a_value_on_a_bound_belongs_to_it_and_one_beyond_all_to_infinity() -> None:
    noted = Distribution((0.0, 1.0, 5.0))
    for value in (-2.0, 0.0, 1.0, 1.5, 99.0):
        noted.note(value)
    assert list(noted.cumulated()) == [(0.0, 2), (1.0, 3), (5.0, 4), (math.inf, 5)]
    assert (noted.count, noted.total) == (5, 99.5)
