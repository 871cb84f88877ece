"""`robson replay`: the contract, against an independent loop over the recordings."""

import argparse
import csv
import gzip
import io
import json
from decimal import Decimal
from types import SimpleNamespace

import pytest

from robson.commands import replay
from tests.recorded import recorded, recorded_ticks

ROWS = "trade_id,ts_ms,price,qty\n" + "".join(
    f"{7 * n},{1723161255342 + n},{price},1\n"
    for n, price in enumerate(["100", "101.5", "104", "103", "99.50", "120", "94", "60.25"])
)


@pytest.fixture
def tape(tmp_path):
    path = tmp_path / "recording"
    path.write_text(ROWS)
    return path


def robson_replay(*words):
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    return replay.run(parser.parse_args([str(word) for word in words]))


def cases_file(tmp_path, *cases):
    path = tmp_path / "cases.jsonl"
    path.write_text("".join((case if isinstance(case, str) else json.dumps(case)) + "\n" for case in cases))
    return path


def case(entry_row, stop_distance, side="long", name="a"):
    return {"id": name, "side": side, "entry_row": entry_row, "stop_distance": stop_distance}


def expected(name, prices, side, entry_row, distance):
    """The same thing in another way: every price is compared with the best one before it."""
    sign = 1 if side == "long" else -1
    entry = best = prices[entry_row]
    moves, found = 0, None
    for later, seen in enumerate(prices[entry_row + 1 :], start=entry_row + 1):
        limit = best - sign * distance
        if sign * (seen - limit) <= 0:
            found = (later, seen, limit)
            break
        if sign * (seen - best) > 0:
            best, moves = seen, moves + 1
    row, price, stop = found or (None, None, None)
    return {
        "id": name,
        "initial_stop": entry - sign * distance,
        "exit_row": row,
        "exit_price": price,
        "stop_at_exit": stop,
        "extreme": best,
        "stop_moves": moves,
        "pnl_per_unit": None if price is None else sign * (price - entry),
    }


def numbers(line):
    fields = json.loads(line)
    plain = ("initial_stop", "exit_price", "stop_at_exit", "extreme", "pnl_per_unit")
    for name in plain:
        if fields[name] is not None:
            assert isinstance(fields[name], str)
            assert "E" not in fields[name]
            fields[name] = Decimal(fields[name])
    return fields


def test_a_long_and_a_short_by_hand(tape, tmp_path, capsys):
    cases = cases_file(tmp_path, case(0, "4.5"), "", case(2, "16", side="short", name=7), case(5, "200", name="never"))
    assert robson_replay(tape, "--cases", cases) == 0
    printed, complaints = capsys.readouterr()
    assert complaints == ""
    assert printed == (
        '{"id":"a","initial_stop":"95.5","exit_row":4,"exit_price":"99.5","stop_at_exit":"99.5","extreme":"104",'
        '"stop_moves":2,"pnl_per_unit":"-0.5"}\n'
        '{"id":7,"initial_stop":"120","exit_row":5,"exit_price":"120","stop_at_exit":"115.5","extreme":"99.5",'
        '"stop_moves":2,"pnl_per_unit":"-16"}\n'
        '{"id":"never","initial_stop":"-80","exit_row":null,"exit_price":null,"stop_at_exit":null,"extreme":"120",'
        '"stop_moves":0,"pnl_per_unit":null}\n'
    )


def test_the_hit_is_checked_from_the_row_after_the_entry_and_counts_no_extreme(tape, tmp_path, capsys):
    assert robson_replay(tape, "--side", "short", "--entry-row", 4, "--stop-distance", "0.5") == 0
    assert json.loads(capsys.readouterr().out) == {
        "id": None,
        "initial_stop": "100",
        "exit_row": 5,
        "exit_price": "120",
        "stop_at_exit": "100",
        "extreme": "99.5",
        "stop_moves": 0,
        "pnl_per_unit": "-20.5",
    }


def test_a_number_is_taken_by_its_digits(tape, tmp_path, capsys):
    cases = cases_file(tmp_path, '{"id":"a","side":"long","entry_row":0,"stop_distance":4.500000000000000001}')
    assert robson_replay(tape, "--cases", cases) == 0
    assert json.loads(capsys.readouterr().out)["initial_stop"] == "95.499999999999999999"


def test_cases_may_come_from_standard_input(tape, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(case(0, "4.5")).encode())))
    assert robson_replay(tape, "--cases", "-") == 0
    assert json.loads(capsys.readouterr().out)["exit_row"] == 4


def test_the_last_row_may_be_entered_and_the_one_after_may_not(tape, tmp_path, capsys):
    cases = cases_file(tmp_path, case(8, "1", name="late"), case(7, "1", name="last"), case(0, "4.5", name="good"))
    assert robson_replay(tape, "--cases", cases) == 1
    printed, complaints = capsys.readouterr()
    assert [json.loads(line)["id"] for line in printed.splitlines()] == ["last", "good"]
    assert json.loads(printed.splitlines()[0])["exit_row"] is None
    assert complaints.splitlines() == [
        f"robson replay: case 'late': entry_row was 8, but {tape} has 8 trades (rows 0 to 7)"
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id":"b","side":"up","entry_row":0,"stop_distance":"1"}', "$.side"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":"0"}', "stop_distance was 0, which must be above 0"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":-1}', "stop_distance was '-1'"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":"NaN"}', "stop_distance was 'NaN'"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":NaN}', "malformed"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":"1e400"}', "stop_distance was '1e400'"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":null}', "stop_distance was 'null'"),
        ('{"id":"b","side":"long","entry_row":-1,"stop_distance":"1"}', "entry_row was -1, which must be 0 or more"),
        ('{"id":"b","side":"long","entry_row":1.5,"stop_distance":"1"}', "$.entry_row"),
        ('{"id":"b","side":"long","entry_row":true,"stop_distance":"1"}', "$.entry_row"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":"1","stop":"2"}', "unknown field `stop`"),
        ('{"id":"b","side":"long","entry_row":0}', "missing required field `stop_distance`"),
        ('{"side":"long","entry_row":0,"stop_distance":"1"}', "missing required field `id`"),
        ('{"id":"b","side":"long","entry_row":0,"stop_distance":"1"', "truncated"),
        ("[" * 3000, "line 2: "),
        ("[]", "Expected `object`"),
    ],
)
def test_a_bad_case_is_named_by_file_and_line_and_nothing_is_answered(tape, tmp_path, capsys, line, reason):
    cases = cases_file(tmp_path, case(0, "4.5"), line)
    assert robson_replay(tape, "--cases", cases) == 2
    printed, complaints = capsys.readouterr()
    assert printed == ""
    assert complaints.startswith(f"robson replay: {cases}, line 2: ")
    assert complaints.count("\n") == 1
    assert reason in complaints


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--side", "long"), "--entry-row and --stop-distance must be given, or else --cases"),
        (("--side", "up", "--entry-row", "0", "--stop-distance", "1"), "--side was 'up', which must be long or short"),
        (("--side", "long", "--entry-row", "-1", "--stop-distance", "1"), "--entry-row was '-1'"),
        (("--side", "long", "--entry-row", "x", "--stop-distance", "1"), "--entry-row was 'x'"),
        (("--side", "long", "--entry-row", "0", "--stop-distance", "0"), "--stop-distance was 0"),
        (("--side", "long", "--entry-row", "0", "--stop-distance", "inf"), "--stop-distance was 'inf'"),
        (("--side", "long", "--cases", "x"), "cannot be given together"),
        (("--cases", "no-such-file"), "no-such-file cannot be read: No such file"),
        (("--cases", "/dev/null"), "holds no case"),
    ],
)
def test_bad_options_get_one_line(tape, capsys, words, reason):
    assert robson_replay(tape, *words) == 2
    printed, complaints = capsys.readouterr()
    assert printed == ""
    assert complaints.count("\n") == 1
    assert reason in complaints


@pytest.mark.parametrize(
    ("content", "reason"),
    [("", "holds no trades"), (ROWS + "x,1,2\n", "line 10: the row had 3 columns"), ("hello", "not a recording")],
)
def test_a_bad_tape_gets_one_line_and_no_answer(tape, capsys, content, reason):
    tape.write_text(content)
    assert robson_replay(tape, "--side", "long", "--entry-row", 0, "--stop-distance", "1") == 2
    printed, complaints = capsys.readouterr()
    assert printed == ""
    assert complaints.startswith(f"robson replay: {tape}")
    assert complaints.count("\n") == 1
    assert reason in complaints


def some_cases(prices):
    """Longs and shorts, tight and loose; distances at which some later price touches the stop exactly; gaps."""
    count = len(prices)
    made = []
    for number in range(48):
        entry_row = (number * 977) % (count - 1)
        side = ("long", "short")[number % 2]
        distance = prices[entry_row] * Decimal(1 + number % 12) / 4000
        if number % 3 == 0:
            best = (max if side == "long" else min)(prices[entry_row : entry_row + 400])
            distance = abs(best - prices[min(entry_row + 700, count - 1)]) or Decimal("0.01")
        made.append((f"case {number}", side, entry_row, distance))
    made.append(("never", "long", 0, prices[0]))
    made.append(("last", "short", count - 1, Decimal(1)))
    return made


def compare(path, prices, tmp_path, capsys, *options):
    made = some_cases(prices)
    cases = cases_file(tmp_path, *(case(row, format(away, "f"), side, name) for name, side, row, away in made))
    assert robson_replay(path, "--cases", cases, *options) == 0
    answers = [numbers(line) for line in capsys.readouterr().out.splitlines()]
    assert answers == [expected(name, prices, side, row, away) for name, side, row, away in made]
    return answers


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in recorded_ticks()])
def test_every_recording_agrees_with_an_independent_loop(path, tmp_path, capsys):
    with gzip.open(path, "rt") as lines:
        prices = [Decimal(row["price"]) for row in csv.DictReader(lines)]
    answers = compare(path, prices, tmp_path, capsys)
    outcomes = [answer["exit_row"] is None for answer in answers]
    assert any(outcomes)
    assert not all(outcomes)
    exits = [answer for answer in answers if answer["exit_row"] is not None]
    assert any(answer["exit_price"] == answer["stop_at_exit"] for answer in exits)
    assert any(answer["exit_price"] != answer["stop_at_exit"] for answer in exits)


def test_the_off_market_print_hits_a_short_and_not_a_long(tmp_path, capsys):
    path = recorded("ticks/binance_usdm_BTCUSDT_trades_20230404T2358_insurance_fund_print.csv.gz")
    for side, hit in (("short", 5048), ("long", None)):
        assert robson_replay(path, "--side", side, "--entry-row", 5000, "--stop-distance", "300") == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["exit_row"] == hit) if hit else (answer["exit_row"] is None or answer["exit_row"] > 5048)


def test_recorded_frames_count_the_trades_of_one_symbol(tmp_path, capsys):
    path = recorded("demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_2min.ws.jsonl.gz")
    with gzip.open(path, "rt") as lines:
        frames = [json.loads(line)["frame"] for line in lines]
    for symbol, options in (("BTCUSDT", ()), ("ETHUSDT", ("--symbol", "ETHUSDT"))):
        prices = [Decimal(one["data"]["p"]) for one in frames if one["stream"] == f"{symbol.lower()}@trade"]
        compare(path, prices, tmp_path, capsys, *options)
