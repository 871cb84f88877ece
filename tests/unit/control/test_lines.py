"""Lines are found whatever the chunks they come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robson.control.lines import LINE_BYTES_MAX, LineSplitter, LineTooLong


def taken(splitter: LineSplitter) -> list[bytes]:
    lines = []
    while (line := splitter.next_line()) is not None:
        lines.append(line)
    return lines


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b""))), st.binary(max_size=5), st.data())
def test_chunks_do_not_matter(lines: list[bytes], rest: bytes, data: st.DataObject) -> None:
    rest = rest.replace(b"\n", b"")
    stream = b"".join(line + b"\n" for line in lines) + rest
    splitter = LineSplitter(12)
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        splitter.receive(stream[:size])
        stream = stream[size:]
        found += taken(splitter)
    assert found == lines
    assert splitter.rest() == rest


def test_a_line_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    splitter = LineSplitter()
    splitter.receive(b"x" * LINE_BYTES_MAX)
    assert splitter.next_line() is None
    splitter.receive(b"\n")
    assert splitter.next_line() == b"x" * LINE_BYTES_MAX
    splitter.receive(b"x" * (LINE_BYTES_MAX + 1))
    with pytest.raises(LineTooLong):
        splitter.next_line()


def test_the_lines_before_a_long_one_are_still_taken() -> None:
    splitter = LineSplitter(4)
    splitter.receive(b"ab\ncdefg\nhi\n")
    assert splitter.next_line() == b"ab"
    with pytest.raises(LineTooLong):
        splitter.next_line()
