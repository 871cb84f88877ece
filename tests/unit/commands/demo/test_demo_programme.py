"""What is played: the synthetic market, and recordings of one symbol and of several."""

from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from robson.commands import demo
from robson.commands.demo.processes import calm
from robson.commands.demo.programme import recorded, synthetic
from robson.domain.errors import ConfigurationError, RobsonError
from tests.recorded import recorded as recording

HEADER = "trade_id,ts_ms,price,qty\n"
START_MS = 1_700_000_000_000


def tape(path: Path, *prices: str, seconds: int = 60) -> Path:
    gap = seconds * 1000 // (len(prices) - 1)
    path.write_text(HEADER + "".join(f"{row},{START_MS + row * gap},{price},1\n" for row, price in enumerate(prices)))
    return path


def chosen(*words: str) -> Namespace:
    parser = ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args(words)


def test_the_synthetic_market_has_a_long_and_a_short_side_by_side() -> None:
    programme = synthetic("some seed", "300")
    (act,) = programme.acts
    assert [arm.words for arm in act.arms] == [
        ("arm", "BTCUSDT", "long", "--strategy", "immediate"),
        ("arm", "ETHUSDT", "short", "--strategy", "delay", "--param", "seconds=5"),
    ]
    assert programme.feed == ("--feed", "synthetic", "--seed", "some seed", "--speed", "300")


def test_one_symbol_is_played_one_side_after_the_other_each_with_half_of_the_tape(tmp_path: Path) -> None:
    programme = recorded(tape(tmp_path / "BTCUSDT.csv", "100", "104", "102"), None, None)
    assert [[arm.side.value for arm in act.arms] for act in programme.acts] == [["long"], ["short"]]
    start = datetime.fromtimestamp(START_MS / 1000, UTC)
    assert [(act.ends_at - start).total_seconds() for act in programme.acts if act.ends_at] == [30, 60]


def test_the_stop_is_a_quarter_of_the_range_and_the_speed_fits(tmp_path: Path) -> None:
    programme = recorded(tape(tmp_path / "BTCUSDT.csv", "100", "104", "102", seconds=150), None, None)
    assert "stop_percent=1" in programme.acts[0].arms[0].params
    assert programme.feed[-2:] == ("--speed", "10")


def test_a_quiet_tape_gets_the_nearest_stop_that_is_allowed(tmp_path: Path) -> None:
    programme = recorded(tape(tmp_path / "BTCUSDT.csv", "100", "100.01", "100"), "7", None)
    assert "stop_percent=0.1" in programme.acts[0].arms[0].params
    assert programme.feed[-2:] == ("--speed", "7")


def test_a_recording_with_two_symbols_is_played_side_by_side() -> None:
    path = recording("demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_2min.ws.jsonl.gz")
    (act,) = recorded(path, None, None).acts
    assert [(arm.symbol, arm.side.value) for arm in act.arms] == [("BTCUSDT", "long"), ("ETHUSDT", "short")]


def test_one_pair_of_a_recording_can_be_chosen_and_the_daemon_is_told() -> None:
    path = recording("demo/binance_spot_BTCUSDT_ETHUSDT_20240808T2354_2min.ws.jsonl.gz")
    programme = recorded(path, None, "ETHUSDT")
    assert [arm.symbol for act in programme.acts for arm in act.arms] == ["ETHUSDT", "ETHUSDT"]
    assert programme.feed[4:6] == ("--symbol", "ETHUSDT")


def test_pairs_that_only_a_venue_would_know_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="WXYZUSDT"):
        recorded(tape(tmp_path / "WXYZUSDT.csv", "1", "2"), None, None)


@pytest.mark.parametrize("speed", ["max", "fast", "0", "-1", "1e3", "NaN"])
def test_a_speed_that_cannot_be_is_refused(speed: str) -> None:
    with pytest.raises(RobsonError, match="speed was"):
        synthetic("seed", speed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--speed", "max"], "over before the second position"),
        (["--replay", "absent.csv"], "absent.csv"),
        (["--replay", "absent.csv", "--seed", "x"], "does not go with --replay"),
        (["--symbol", "BTCUSDT"], "needs --replay"),
    ],
)
def test_what_cannot_be_played_is_told_and_ends_with_1(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.run(chosen(*words)) == 1
    assert said in capsys.readouterr().err


def test_nothing_of_another_robson_reaches_the_demonstration() -> None:
    environment = {
        "PATH": "/bin",
        "ROBSON_SOCKET": "/elsewhere",
        "ROBSON_FEED_SOURCE": "replay",
        "STATE_DIRECTORY": "/elsewhere",
        "NO_COLOR": "1",
    }
    assert calm(environment) == {"PATH": "/bin", "NO_COLOR": "1"}
