"""The report: the right sums, every text escaped, nothing from outside, and the same page for the same journal."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from robson.__main__ import main
from robson.domain.errors import JournalUnusable
from robson.report.figures import accounts, to_csv
from robson.report.page import to_html
from robson.report.reading import read_contents
from robson.store import SqliteJournal
from tests.contract.journal.lives import ONE, armed, write
from tests.contract.journal.shelves import FixedClock
from tests.journals import live

HOSTILE = {"note": "<script>alert(1)</script>", "=cmd()": "\"'&\u202e\x1b]0;x\x07"}
VOID = {"meta", "br"}


class Page(HTMLParser):
    """The tags and the text of a page; a tag that is not closed in its order fails."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert name not in {"src", "href", "onload", "style"}, (tag, name, value)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def journal(state: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal.open(
        state / "robson.db", mode="paper", clock=FixedClock(), machine_id="this-machine", version="0"
    )
    yield opened
    opened.close()


@pytest.fixture
def report(state: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def make(*arguments: str) -> str:
        assert main(["report", "--state-dir", str(state), "-o", str(state / "report.html"), *arguments]) == 0
        capsys.readouterr()
        return (state / "report.html").read_text("utf-8")

    return make


def test_nothing_was_traded(journal: SqliteJournal, report: Callable[..., str], state: Path) -> None:
    page = Page(report())
    assert "svg" not in page.tags
    assert (state / "report.csv").read_text().startswith("position_id,symbol,side,")


def test_one_position_that_is_only_armed(journal: SqliteJournal, report: Callable[..., str]) -> None:
    write(journal, armed(ONE))
    page = Page(report())
    assert "svg" not in page.tags
    assert "Armed" in page.text


def test_the_sums_are_those_of_the_table(journal: SqliteJournal, report: Callable[..., str], state: Path) -> None:
    for number in range(12):
        live(journal, number, symbol="SOLBTC" if number == 5 else "BTCUSDT", is_open=number == 11)
    page = Page(report("--charts", "4"))
    rows = list(csv.DictReader(io.StringIO((state / "report.csv").read_text())))
    assert len(rows) == 12
    nets = [Decimal(row["net_pnl"]) for row in rows if row["net_pnl"] and row["symbol"] == "BTCUSDT"]
    assert len(nets) == 10
    assert f"{sum(nets):+.2f}" in page.text
    total, best, worst = Decimal(0), Decimal(0), Decimal(0)
    for net in nets:
        total += net
        best = max(best, total)
        worst = min(worst, total - best)
    assert f"at most {-worst:.2f} USDT" in page.text
    assert page.tags.count("svg") == 2 + 1 + 4
    assert "8 more are in the table only" in page.text
    assert page.tags.count("tr") == 13
    assert rows[-1]["state"] == "Active"
    exits = [Decimal(row["exit_slippage_bps"]) for row in rows if row["exit_slippage_bps"]]
    assert all(Decimal("0.1") <= bps <= Decimal("0.4") for bps in exits)
    assert len(exits) == 11


def test_hostile_text_is_only_text(journal: SqliteJournal, report: Callable[..., str], state: Path) -> None:
    live(journal, 0, params=HOSTILE)
    text = report()
    page = Page(text)
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "default-src 'none'" in text
    (row,) = csv.DictReader(io.StringIO((state / "report.csv").read_text()))
    assert row["params"].startswith("'=cmd()")


def test_the_same_journal_gives_the_same_page_also_when_it_was_read_before(
    journal: SqliteJournal, report: Callable[..., str]
) -> None:
    for number in range(4):
        live(journal, number)
    assert report() == report()
    before = report("--since", "20h")
    assert before != report()


def test_since_counts_from_the_newest_event_and_never_hides_what_is_open(journal: SqliteJournal, state: Path) -> None:
    ids = [live(journal, number, is_open=number == 0) for number in range(6)]
    contents = read_contents(state, since=timedelta(hours=10), csv_name="x.csv")
    shown = {row.position_id for row in contents.rows}
    assert ids[0] in shown
    assert ids[5] in shown
    assert 2 <= len(shown) < 6
    assert contents.until is not None
    assert contents.since == contents.until - timedelta(hours=10)


def test_a_report_does_not_touch_the_journal_and_is_read_beside_its_writer(
    journal: SqliteJournal, report: Callable[..., str], state: Path
) -> None:
    live(journal, 0)
    before = (state / "robson.db").read_bytes(), journal.events(limit=10_000)
    report()
    live(journal, 1)
    assert (state / "robson.db").read_bytes() == before[0]
    assert journal.events(limit=len(before[1])) == before[1]
    assert "2 positions" in report()


def test_without_a_journal_there_is_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "nowhere"
    assert main(["report", "--state-dir", str(nowhere), "-o", str(tmp_path / "r.html")]) == 74
    assert "does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(JournalUnusable):
        read_contents(nowhere, since=None, csv_name="")


def test_a_page_that_cannot_be_written_is_said(
    journal: SqliteJournal, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--state-dir", str(state), "-o", str(state / "no" / "r.html")]) == 74
    assert "r.csv was not written: No such file or directory" in capsys.readouterr().err
    assert main(["report", "--state-dir", str(state), "-o", str(state / "r.csv")]) == 74
    assert "r.html" in capsys.readouterr().err


@pytest.mark.parametrize("length", ["", "30", "d", "-1d", "1.5d", "0d", "30days", "1e3d"])
def test_a_length_is_a_number_and_a_unit(length: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", "-o", "x.html", f"--since={length}"])
    assert "30d" in capsys.readouterr().err


def test_accounts_are_by_quote_asset_and_the_busiest_is_first(journal: SqliteJournal, state: Path) -> None:
    for number, symbol in enumerate(("SOLBTC", "BTCUSDT", "ETHUSDT", "ABCXYZ")):
        live(journal, number, symbol=symbol)
    contents = read_contents(state, since=None, csv_name="")
    assert [(account.quote, len(account.rows)) for account in accounts(contents.rows)] == [
        ("USDT", 2),
        ("ABCXYZ", 1),
        ("BTC", 1),
    ]
    assert to_html(contents).count("<h2>") >= 6


def test_a_thousand_positions_are_one_page(journal: SqliteJournal, state: Path) -> None:
    live(journal, 0)
    contents = read_contents(state, since=None, csv_name="")
    (row,) = contents.rows
    assert row.closed_at is not None
    rows = tuple(
        replace(row, position_id=f"p-{n}", closed_at=row.closed_at + timedelta(hours=n), net_pnl=Decimal(n % 7 - 2))
        for n in range(1000)
    )
    page = Page(to_html(replace(contents, rows=rows, charts_left_out=999)))
    assert page.tags.count("tr") == 1001
    assert "999 more are in the table only" in page.text
    net = sum(n % 7 - 2 for n in range(1000))
    assert f"{net:+.2f}" in page.text
    assert to_csv(rows).count("\n") == 1001
