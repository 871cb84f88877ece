"""A market order walked through the book that the exchange shows."""

from decimal import Decimal
from typing import Any

import pytest

from robson.domain.values import OrderSide
from robson.venue.binance.depth import slippage
from robson.venue.binance.reading import Malformed

BOOK: dict[str, Any] = {
    "lastUpdateId": 1,
    "bids": [["99.00", "1"], ["98.00", "2"]],
    "asks": [["101.00", "1"], ["103.00", "2"]],
}


@pytest.mark.parametrize(
    ("side", "quantity", "basis_points", "is_least"),
    [
        ("buy", "0.5", "100", False),  # at 101, against the middle of 100
        ("buy", "2", "200", False),  # one at 101, one at 103
        ("sell", "3", "166.67", False),  # one at 99, two at 98: the whole book
        ("sell", "6", "183.33", True),  # what nobody offers counts at the last price
    ],
)
def test_an_order_loses_what_it_walks(side: str, quantity: str, basis_points: str, is_least: bool) -> None:
    found = slippage(BOOK, OrderSide(side), Decimal(quantity))
    assert found.price == 100
    assert found.basis_points.quantize(Decimal("0.01")) == Decimal(basis_points)
    assert (found.source, found.is_least) == ("order_book", is_least)


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        {},
        {"bids": [], "asks": []},
        {"bids": [["0", "1"]], "asks": [["101", "1"]]},
        {"bids": [["99", "-1"]], "asks": [["101", "1"]]},
        {"bids": [["NaN", "1"]], "asks": [["101", "1"]]},
        {"bids": [["99"]], "asks": [["101", "1"]]},
        {"bids": "x", "asks": "y"},
    ],
)
def test_what_is_no_book_is_no_estimate(document: Any) -> None:
    with pytest.raises(Malformed):
        slippage(document, OrderSide.SELL, Decimal(1))
