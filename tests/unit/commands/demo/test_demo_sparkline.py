"""Charts of blocks: scale, width, and terminals that have no blocks."""

from decimal import Decimal

import pytest

from robson.commands.demo.sparkline import BLOCKS, PLAIN, Chart, condense, ramp_for, sparkline


def numbers(*texts: str) -> list[Decimal]:
    return [Decimal(text) for text in texts]


def test_the_lowest_value_is_the_lowest_block_and_the_highest_the_highest() -> None:
    assert sparkline(numbers("0", "1", "2", "3", "4", "5", "6", "8"), Decimal(0), Decimal(8), BLOCKS) == "▁▂▃▄▅▆▇█"


def test_values_beyond_the_scale_stay_on_it() -> None:
    assert sparkline(numbers("-5", "5", "99"), Decimal(0), Decimal(10), BLOCKS) == "▁▅█"


def test_a_price_that_never_moved_is_a_line_in_the_middle() -> None:
    assert sparkline(numbers("7", "7", "7"), Decimal(7), Decimal(7), BLOCKS) == "▅▅▅"


def test_price_and_stop_share_one_scale() -> None:
    chart = Chart()
    for price, stop in (("100", "90"), ("110", "100"), ("106", "100")):
        chart.add(Decimal(price), Decimal(stop))
    assert chart.draw(40, BLOCKS) == ("▅█▇", "▁▅▅")


def test_a_chart_without_samples_is_empty() -> None:
    assert Chart().draw(40, BLOCKS) == ("", "")


@pytest.mark.parametrize("length", [2, 3, 39, 40, 41, 1000])
def test_a_long_life_is_condensed_to_the_width_with_its_first_and_last_sample(length: int) -> None:
    shown = condense(range(length), 40)
    assert len(shown) == min(length, 40)
    assert (shown[0], shown[-1]) == (0, length - 1)
    assert list(shown) == sorted(set(shown))


def test_what_condensing_leaves_out_still_counts_for_the_scale() -> None:
    chart = Chart()
    for number in range(101):
        chart.add(Decimal(1000) if number == 51 else Decimal(number), Decimal(0))
    prices, _ = chart.draw(2, BLOCKS)
    assert prices == "▁▁"


@pytest.mark.parametrize(
    ("encoding", "locale", "ramp"),
    [
        ("utf-8", {"LANG": "en_GB.UTF-8"}, BLOCKS),
        ("utf-8", {}, BLOCKS),
        ("utf-8", {"LC_ALL": "", "LANG": "pt_BR.utf8"}, BLOCKS),
        ("utf-8", {"LC_ALL": "C", "LANG": "en_GB.UTF-8"}, PLAIN),
        ("utf-8", {"LC_CTYPE": "POSIX"}, PLAIN),
        ("iso-8859-1", {"LANG": "en_GB.UTF-8"}, PLAIN),
        ("ascii", {}, PLAIN),
        (None, {}, PLAIN),
        ("no-such-encoding", {}, PLAIN),
    ],
)
def test_a_terminal_without_blocks_gets_plain_characters(
    encoding: str | None, locale: dict[str, str], ramp: str
) -> None:
    assert ramp_for(encoding, locale) == ramp


def test_both_ramps_have_as_many_levels_and_the_plain_one_is_ascii() -> None:
    assert len(PLAIN) == len(BLOCKS) == 8
    assert PLAIN.isascii()
