"""Charts as SVG and PNG: nothing overlaps, everything is said, and gaps stay gaps."""

import itertools
import struct
from datetime import timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robson.drawing.chart import draw_chart, frame_of, headline
from robson.drawing.png import to_png
from robson.drawing.scene import Line, Scene, Text
from robson.drawing.svg import escaped, to_svg
from robson.protocol.charting import ChartResult
from tests.pictures import GALLERY, walked

SVG = "{http://www.w3.org/2000/svg}"


def assert_readable(scene: Scene) -> None:
    """No text lies on another one or leaves the picture."""
    for text in scene.texts:
        left, top, right, bottom = text.box
        assert left >= 0, text
        assert right <= scene.width, text
        assert top >= 0, text
        assert bottom <= scene.height, text
    for one, other in itertools.combinations(scene.texts, 2):
        a, b = one.box, other.box
        overlaps = a[0] < b[2] and b[0] < a[2] and a[1] + 1 < b[3] and b[1] + 1 < a[3]
        assert not overlaps, (one, other)


charts = st.builds(
    walked,
    st.integers(0, 10_000),
    side=st.sampled_from(["long", "short"]),
    seconds=st.sampled_from([0.3, 2, 45, 180, 3600, 86_400, 3 * 86_400, 400 * 86_400]),
    entry=st.sampled_from([95_000.0, 1.2345, 0.00001234, 999_999.0]),
    distance=st.sampled_from([600.0, 0.01, 0.0000004]),
    places=st.sampled_from([0, 2, 8]),
    drift=st.sampled_from([0.0, 0.4, 4.0]),
    gap=st.none() | st.tuples(st.floats(0, 0.5), st.floats(0.5, 1)),
    steps=st.sampled_from([1, 2, 90, 700]),
    is_open=st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(charts, st.booleans())
def test_nothing_overlaps_and_nothing_leaves_the_picture(chart: ChartResult, is_narrow: bool) -> None:
    scene = draw_chart(chart, is_narrow=is_narrow)
    assert_readable(scene)
    for part in scene.parts:
        if not isinstance(part, Text):
            for x, y in part.spots:
                assert -1 <= x <= scene.width + 1, part
                assert -1 <= y <= scene.height + 1, part
    ET.fromstring(to_svg(scene))


@pytest.mark.parametrize("name", GALLERY)
def test_a_phone_is_told_what_and_with_which_result(name: str) -> None:
    chart = GALLERY[name]
    scene = draw_chart(chart, is_narrow=True)
    assert_readable(scene)
    told = [text.text for text in scene.texts]
    assert told[0].startswith(f"{chart.symbol} {chart.side}")
    assert any(f"({chart.r_multiple:+.2f} R)" in text for text in told)
    # Nothing is drawn smaller than on a large screen.
    assert min(text.size for text in scene.texts) == min(text.size for text in draw_chart(chart).texts)


@pytest.mark.parametrize("name", GALLERY)
def test_the_gallery_says_what_it_shows(name: str) -> None:
    chart = GALLERY[name]
    root = ET.fromstring(to_svg(draw_chart(chart), width=1600))
    told = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert root.attrib["width"] == "1600"
    assert root.findtext(f"{SVG}title") == headline(chart)
    assert f"{chart.symbol} {chart.side}" in told[0]
    assert any(f"({chart.r_multiple:+.2f} R)" in text for text in told)
    assert any(chart.position_id in text for text in told)
    for mark in ("entry", "stop", "last" if chart.closed_at is None else "exit"):
        assert sum(text.startswith(f"{mark} ") for text in told) == 1
    assert sum(text.startswith("no prices") for text in told) == (name == "gap_exit")
    assert not any(tag.tag.endswith(("script", "image", "use", "a")) for tag in root.iter())


def test_the_stop_of_a_long_only_rises_and_goes_on_where_no_price_was_seen() -> None:
    chart = GALLERY["gap_exit"]
    frame = frame_of(chart)
    assert frame is not None
    (stop,) = [p for p in draw_chart(chart).parts if isinstance(p, Line) and p.role == "stop" and len(p.spots) > 2]
    xs, ys = [x for x, _ in stop.spots], [y for _, y in stop.spots]
    assert xs == sorted(xs)
    assert ys == sorted(ys, reverse=True)
    for (x, y), (next_x, next_y) in itertools.pairwise(stop.spots):
        assert x == next_x or y == next_y
    prices = [p for p in draw_chart(chart).parts if isinstance(p, Line) and p.role == "price" and len(p.spots) > 1]
    ends = [line.spots[-1][0] for line in prices]
    gap = next(point for point in chart.points if point.after_gap)
    assert any(end < frame.x(gap.at) - 100 for end in ends)


def test_a_position_without_prices_says_so() -> None:
    scene = draw_chart(msgspec.structs.replace(GALLERY["long"], points=()))
    assert [t.text for t in scene.texts][-1] == "no prices were kept of this position"
    assert_readable(scene)
    bare = msgspec.structs.replace(
        GALLERY["open"],
        points=(),
        **dict.fromkeys(
            (
                "entered_at",
                "entry_price",
                "quantity",
                "stop_distance",
                "technical_stop",
                "trailing_stop",
                "pnl",
                "r_multiple",
            )
        ),
        state="Armed",
    )
    assert_readable(draw_chart(bare))


def test_a_price_that_never_moved_is_a_level_line() -> None:
    point = GALLERY["long"].points[0]
    still = [
        msgspec.structs.replace(point, at=point.at + timedelta(seconds=n), low=p, high=p, last=p, stop=p)
        for n, p in ((n, Decimal(95000)) for n in range(3))
    ]
    chart = msgspec.structs.replace(
        GALLERY["open"], points=tuple(still), entry_price=Decimal(95000), entered_at=point.at, trailing_stop=None
    )
    assert_readable(draw_chart(chart))


def test_a_fill_by_another_clock_squeezes_nothing() -> None:
    chart = GALLERY["long"]
    assert chart.entered_at is not None
    apart = msgspec.structs.replace(chart, entered_at=chart.entered_at + timedelta(minutes=1))
    frame = frame_of(apart)
    assert frame is not None
    assert frame.begin == chart.points[0].at
    assert_readable(draw_chart(apart))


HOSTILE = "</text><script>alert('x')</script>&\"\x00\x1b[31m\ud800\u202eend"


def test_text_of_others_is_only_text() -> None:
    chart = msgspec.structs.replace(GALLERY["long"], strategy=HOSTILE, position_id=HOSTILE, exit_reason=HOSTILE)
    svg = to_svg(draw_chart(chart))
    svg.encode()
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert "<script" not in svg
    assert any("</text><script>" in (text.text or "") for text in root.iter(f"{SVG}text"))
    assert "\x1b" not in svg
    assert "\u202e" not in svg


@given(st.text())
def test_whatever_is_escaped_is_read_again_as_it_was_or_replaced(text: str) -> None:
    read = ET.fromstring(f'<a b="{escaped(text)}">{escaped(text)}</a>').text or ""
    assert len(read) == len(text)
    assert all(got in {said, "\ufffd"} for said, got in zip(text, read, strict=True))


@pytest.mark.parametrize("name", GALLERY)
def test_a_png_has_the_size_that_was_asked_for_and_ink_on_it(name: str) -> None:
    png = to_png(draw_chart(GALLERY[name]), width=800)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (800, 400)
    assert len(png) > 8000
    assert png == to_png(draw_chart(GALLERY[name]), width=800)


def test_a_png_takes_hostile_text() -> None:
    chart = msgspec.structs.replace(GALLERY["long"], strategy=HOSTILE.replace("\ud800", ""))
    assert to_png(draw_chart(chart), width=400)
