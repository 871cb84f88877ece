"""A replay in stretches finds what a walk from price to price finds, whatever the recording looks like."""

import gzip
import tempfile
from decimal import Decimal
from pathlib import Path
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from robson.domain.errors import ConfigurationError
from robson.domain.values import Side
from robson.engine import what_if
from robson.engine.passage import Stretch, observe_stretch
from robson.engine.trailing import Watch
from robson.feed import tape
from robson.feed.tape import Tape

# Few prices, so that equal ones, stops met exactly and gaps are all common.
prices = st.integers(1, 400).map(lambda steps: Decimal(steps) / 4)
walks = st.lists(prices, min_size=1, max_size=120)
sides = st.sampled_from(Side)
distances = st.integers(1, 200).map(lambda steps: Decimal(steps) / 4)
cases = st.lists(st.tuples(sides, st.integers(0, 130), distances), min_size=1, max_size=6)


def standing(watch):
    return watch.stop, watch.extreme, watch.distance, watch.moves


def one_by_one(watch, walk):
    return next((place for place, price in enumerate(walk) if watch.observe(price)), None)


@settings(max_examples=300)
@given(sides, prices, distances, st.booleans(), walks)
def test_a_watch_stands_where_single_prices_would_have_taken_it(side, fill, distance, tightened, walk):
    watches = [Watch(side, fill - distance * side.sign, fill, distance) for _ in range(2)]
    if tightened:
        for watch in watches:
            watch.tighten(watch.stop + distance * side.sign / 2)
    at_once, singly = watches
    assert observe_stretch(at_once, Stretch.of(walk)) == one_by_one(singly, walk)
    assert standing(at_once) == standing(singly)


def tried_singly(walk, side, entry_row, distance):
    """What the contract says of a case, from price to price; None when the tape ends before it begins."""
    if entry_row >= len(walk):
        return None
    entry, after = walk[entry_row], walk[entry_row + 1 :]
    watch = Watch(side, entry - distance * side.sign, entry, distance)
    place = one_by_one(watch, after)
    price = None if place is None else after[place]
    return what_if.Outcome(
        id=None,
        initial_stop=entry - distance * side.sign,
        exit_row=None if place is None else entry_row + 1 + place,
        exit_price=price,
        stop_at_exit=None if price is None else watch.stop,
        extreme=watch.extreme,
        stop_moves=watch.moves,
        pnl_per_unit=None if price is None else (price - entry) * side.sign,
    )


@settings(max_examples=300)
@given(walks, cases, st.integers(1, 40), st.integers(1, 50))
def test_stretches_of_any_length_give_the_same_outcomes(walk, chosen, rows_at_once, prices_at_once):
    trials = [what_if.Trial(None, side, row, distance) for side, row, distance in chosen]
    blocks = [walk[begin : begin + prices_at_once] for begin in range(0, len(walk), prices_at_once)]
    with mock.patch.object(what_if, "ROWS_AT_ONCE", rows_at_once):
        assert what_if.replay(trials, what_if.stretches(blocks)) == len(walk)
    assert [trial.outcome for trial in trials] == [tried_singly(walk, *one) for one in chosen]


regular = st.tuples(st.integers(0, 9), prices).map(lambda row: f"{row[0]},{row[1]},1,2,1723161255342,True,True")
unusual = st.sampled_from(
    [
        "",
        "   ",
        "nonsense",
        "1,2,3",
        "1,0,1,2,1723161255342,True,True",
        "1,0.00,1,2,1723161255342,True,True",
        "1,-2,1,2,1723161255342,True,True",
        "1,2e3,1,2,1723161255342,True,True",
        "1,2,1,2,1723161255342,True,True\r",
        " 1,2,1,2,1723161255342,True,True ",
        "1,2,1,2,1723161255342,Größe,True",
        "1,2, 1,2,1723161255342,True,True",
        "1,2,1,2,99999999999,True,True",
        "1,2,1,2,100000000000000000,True,True",
        "1,2,1,2,0100000000000,True,True",
        "9223372036854775807,2,1,2,1723161255342,True,True",
        "9223372036854775808,2,1,2,1723161255342,True,True",
        "1,123456789012345678901,1,2,1723161255342,True,True",
        "1,2,1,2,1723161255342000,,",
        "1,2,1,2,1723161255342,True,True,extra",
        "id,price,qty,quote_qty,time,is_buyer_maker,is_best_match",
    ]
)
headers = st.sampled_from([[], ["id,price,qty,quote_qty,time,is_buyer_maker,is_best_match"]])
contents = st.tuples(headers, st.lists(st.one_of(regular, regular, regular, unusual), max_size=25)).map(
    lambda both: [*both[0], *both[1]]
)


def read(find):
    found = []
    try:
        for batch in find():
            assert batch
            found += batch
    except ConfigurationError as error:
        return found, str(error)
    return found, ""


def assert_like_reading_line_by_line(path):
    """The same prices, or the same complaint after some of them; gives the complaint."""
    found, why = read(lambda: Tape(path).prices("BTCUSDT"))
    wanted, complaint = read(lambda: ([row.tick.price] for row in Tape(path)))
    assert why == complaint
    assert found == wanted[: len(found)]
    assert complaint or len(found) == len(wanted)
    return complaint


@settings(max_examples=400, deadline=None)
@given(contents, st.booleans(), st.booleans(), st.integers(1, 400))
@example(["1,2,1,2,1723161255342,True,True", "1,0,1,2,1723161255342,True,True"], False, True, 1000)
def test_prices_alone_are_those_of_reading_line_by_line(content, packed, ended, block_bytes):
    raw = ("\n".join(content) + "\n" * ended).encode()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(tape, "_BLOCK_BYTES", block_bytes):
        path = Path(folder) / "BTCUSDT.csv"
        path.write_bytes(gzip.compress(raw) if packed else raw)
        assert_like_reading_line_by_line(path)


def test_a_file_that_breaks_off_is_named_with_its_line(tmp_path):
    path = tmp_path / "BTCUSDT.csv.gz"
    whole = gzip.compress("".join(f"{n},2,1,2,1723161255342,True,True\n" for n in range(20_000)).encode(), mtime=0)
    path.write_bytes(whole[: len(whole) // 2])
    why = assert_like_reading_line_by_line(path)
    assert "cannot be read further" in why


def test_a_line_without_end_is_refused(tmp_path):
    path = tmp_path / "BTCUSDT.csv"
    path.write_text("1,2,1,2,1723161255342,True,True\n1,2,1,2,1723161255342,True," + "T" * (1 << 20) + "\n")
    why = assert_like_reading_line_by_line(path)
    assert "has more than" in why
