"""Where results go, and what becomes of them when nobody takes them."""

import csv
import errno
import io
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robson.protocol import results as give
from robson.protocol.reading import read_request
from robsonctl import usage
from robsonctl.exits import Exit
from robsonctl.output import Output
from tests.unit.robsonctl.conftest import NOON, Robsonctl, ScriptedDaemon, position, status


class Full(io.StringIO):
    """A disk without room."""

    def __init__(self, number: int = errno.ENOSPC) -> None:
        super().__init__()
        self.number = number

    def flush(self) -> None:
        raise OSError(self.number, "No space left on device")

    def fileno(self) -> int:
        return 99


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text(max_size=8), min_size=1), min_size=1, max_size=4))
def test_csv_comes_back_as_it_was(rows: list[dict[str, str]]) -> None:
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", written)
        Output("csv").rows(rows)
    head, *lines = csv.reader(io.StringIO(written.getvalue(), newline=""))
    assert [dict(zip(head, line, strict=True)) for line in lines] == [
        {name: row.get(name, "") for name in head} for row in rows
    ]


def test_rows_that_come_later_stay_below_their_head(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output("csv")
    output.rows([{"event": "a", "seq": 1, "data": {}}])
    output.rows([{"event": "price", "data": {"p": "1"}, "seq": None}])
    assert capsys.readouterr().out == 'event,seq,data\na,1,{}\nprice,,"{""p"":""1""}"\n'


@pytest.mark.parametrize("line", ["ping", "resume", "status --json", "events", "schema"])
def test_an_output_without_room_is_told_and_exit_74(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    answers: dict[str, list[object]] = {
        "ping": [give.PingResult(at=NOON)],
        "resume": [give.ResumeResult()],
        "status --json": [status(position())],
        "events": [give.EventsResult(events=(), next_seq=1, last_seq=0)] * 2,
        "schema": [{}],
    }
    for answer in answers[line]:
        daemon.reply(answer)
    monkeypatch.setattr("robsonctl.output.os.dup2", lambda *_: None)
    monkeypatch.setattr("robsonctl.obeying.forget_stdout", lambda: monkeypatch.setattr(sys, "stdout", io.StringIO()))
    monkeypatch.setattr(sys, "stdout", Full())
    assert robsonctl(*line.split()) == Exit.OUTPUT_LOST
    assert "standard output could not be written: No space left on device (output_lost)" in robsonctl.err


def test_an_output_that_was_never_open_is_exit_74(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.reply(give.ResumeResult())
    monkeypatch.setattr(sys, "stdout", None)
    assert robsonctl("resume") == Exit.OUTPUT_LOST
    assert "Bad file descriptor" in robsonctl.err
    assert daemon.asked()[0]["cmd"] == "resume"


ASKED = sorted(usage.COMMANDS.keys() - {"help", "watch", "version", "panic"})


@pytest.mark.parametrize("name", ASKED)
def test_the_protocol_takes_what_each_example_sends(robsonctl: Robsonctl, daemon: ScriptedDaemon, name: str) -> None:
    arguments = next(iter(usage.COMMANDS[name].examples)).line.split(" > ")[0].split(" || ")[0].split()[1:]
    if "9da4" in arguments:
        # What an id begins is looked up first.
        daemon.reply(status(position("9da4")))
    daemon.hang_up()
    assert robsonctl(*arguments) in {Exit.UNREACHABLE, Exit.OUTCOME_UNKNOWN}
    sent = daemon.asked()
    assert sent[-1]["cmd"] == {"notify": "notify_test"}.get(name, name)
    for request in sent:
        _, read = read_request(msgspec.json.encode(request))
        assert not isinstance(read, Exception), request


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        ("show 9da4 --watch 0.5 -o jsonl", 2),
        ("health --watch 0.5 --json", 1),
        ("journal --watch 0.5 -o csv", 1),
    ],
)
def test_any_query_can_be_watched(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch, line: str, answers: int
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", nap)
    for _ in range(3 * answers):
        daemon.reply({"live": True, "ready": True, "checks": {}, "position_id": "9da4"})
    assert robsonctl(*line.split()) == Exit.INTERRUPTED
    assert naps == [0.5] * 3
    # One head more for csv.
    assert len(robsonctl.out.splitlines()) == (4 if "csv" in line else 3)


def test_what_cannot_be_watched_is_usage(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    assert robsonctl("resume", "--watch") == Exit.USAGE
    assert robsonctl("status", "--watch", "0") == Exit.USAGE
    assert daemon.asked() == []
