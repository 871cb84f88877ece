"""Recorded trades as they lie on disk: opening a file, recognising its format, reading it line by line.

A line that cannot be read stops the reading with CorruptTape, which names file, line and reason: prices that are left
out in silence would make a replay lie. Whoever prefers to go on passes `on_corrupt`.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Protocol

from robson.domain.errors import ConfigurationError
from robson.domain.values import SYMBOL
from robson.feed.tape_csv import CsvParser, csv_parser
from robson.feed.tape_frames import FrameParser
from robson.feed.tape_row import TapeRow, symbol_in_name

# The longest line of the formats read here is a depth frame of some 100 KB.
_LINE_LIMIT = 1 << 20
# How far a recording is searched for its symbols: frames name them line by line.
_LINES_SEARCHED = 20_000
_BLOCK_BYTES = 1 << 18
_PRICES_AT_ONCE = 4096


class CorruptTape(ConfigurationError):
    """A line of a recording is not what its format says; the message names file, line (from 1) and reason."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason


class LineParser(Protocol):
    """One format of recordings."""

    def parse(self, line: bytes) -> TapeRow | None:
        """The trade of one line, None when the line holds none; raises ValueError with the reason."""


class Tape:
    """One recording: Binance CSV (trades or aggTrades), a CSV with a header, or frames; plain, gzip or zip.

    Iterating reads the file anew, line by line. Times never go back: a row that lies before its predecessor gets the
    predecessor's time.
    """

    def __init__(
        self,
        path: Path,
        symbol: str | None = None,
        *,
        unnamed: str | None = None,
        on_corrupt: Callable[[CorruptTape], None] | None = None,
    ) -> None:
        """Look at the beginning of the file.

        `symbol` names the pair of a CSV file (default: the one in its name, else `unnamed`) and selects one of a
        recording with several. `on_corrupt` is told of each corrupt line, which is then skipped. `symbols` are those
        within the first 20,000 lines. Raises ConfigurationError when the file cannot be read, its format is unknown or
        it holds no trade, CorruptTape as reading does.
        """
        if symbol is not None and not SYMBOL.fullmatch(symbol):
            raise ConfigurationError(f"symbol was {symbol[:40]!r}, which must be 5 to 20 of A-Z and 0-9, as in BTCUSDT")
        self.path = path
        self._symbol = symbol
        self._unnamed = unnamed
        self._on_corrupt = on_corrupt
        self.symbols, self.starts_at_us = self._search()

    def __iter__(self) -> Iterator[TapeRow]:
        latest_us = 0
        for row in self._rows():
            latest_us = max(row.at_us, latest_us)
            yield row if row.at_us == latest_us else TapeRow(latest_us, row.tick)

    def prices(self, symbol: str) -> Iterator[list[Decimal]]:
        """The prices of one pair (quote per base) in order, some thousand at a time, never none.

        They are those of iterating, found ten times as fast in a CSV file, and it raises what iterating raises.
        """
        given = yield from self._regular_prices(symbol)
        if given is None:
            return
        rest = islice((row.tick.price for row in self._rows() if row.tick.symbol == symbol), given, None)
        while prices := list(islice(rest, _PRICES_AT_ONCE)):
            yield prices

    def _regular_prices(self, symbol: str) -> Generator[list[Decimal], None, int | None]:
        """The prices of a CSV file; how many there were where something unusual follows, or None at its end."""
        _, first = next(read_lines(self.path))
        parser = self._recognise(first)
        given = 0
        for lines in _blocks(self.path):
            if not isinstance(parser, CsvParser) or parser.symbol != symbol or lines is None:
                return given
            rows = lines if given else parser.without_header(lines)
            if rows:
                prices = parser.prices(rows)
                if prices is None or not min(prices) > 0:
                    return given
                given += len(prices)
                yield prices
        return None

    def _search(self) -> tuple[tuple[str, ...], int]:
        symbols: dict[str, None] = {}
        starts_at_us = None
        for row in self._rows(search=True):
            starts_at_us = row.at_us if starts_at_us is None else starts_at_us
            symbols[row.tick.symbol] = None
        if starts_at_us is None:
            wanted = f"trades of {self._symbol}" if self._symbol is not None else "trades"
            raise ConfigurationError(f"{self.path} holds no {wanted}")
        return tuple(symbols), starts_at_us

    def _rows(self, *, search: bool = False) -> Iterator[TapeRow]:
        parser: LineParser | None = None
        found = False
        for number, line in read_lines(self.path):
            if search and found and (number > _LINES_SEARCHED or not isinstance(parser, FrameParser)):
                return
            try:
                if parser is None:
                    parser = self._recognise(line)
                row = parser.parse(line)
            except ValueError as error:
                self._report(CorruptTape(self.path, number, str(error)))
                continue
            if row is not None and (self._symbol is None or row.tick.symbol == self._symbol):
                found = True
                yield row

    def _report(self, corrupt: CorruptTape) -> None:
        if self._on_corrupt is None:
            raise corrupt
        self._on_corrupt(corrupt)

    def _recognise(self, line: bytes) -> LineParser:
        if line.startswith(b"{"):
            return FrameParser()
        symbol = self._symbol or symbol_in_name(self.path.name) or self._unnamed
        parser = csv_parser(line, symbol)
        if parser is None:
            shown = line[:60].decode("ascii", "backslashreplace")
            raise ConfigurationError(
                f"{self.path} is not a recording that can be read: its first line was {shown!r}; known are Binance's"
                " CSV files (trades, aggTrades), CSV with a header trade_id,ts_ms,price,qty and frames in .ws.jsonl"
            )
        if symbol is None:
            raise ConfigurationError(f"{self.path} holds trades without a symbol, and its name has none: give one")
        return parser


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a plain, gzip or zip file, numbered from 1, without line ends and without blank ones.

    Raises ConfigurationError when the file cannot be opened, CorruptTape when it breaks off or a line is too long.
    """
    number = 0
    with ExitStack() as opened:
        stream = _open(path, opened)
        try:
            while raw := stream.readline(_LINE_LIMIT + 1):
                number += 1
                if len(raw) > _LINE_LIMIT:
                    raise CorruptTape(path, number, f"the line has more than {_LINE_LIMIT} bytes")
                line = raw.strip()
                if line:
                    yield number, line
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise CorruptTape(path, number + 1, f"the file cannot be read further: {error}") from error


def _blocks(path: Path) -> Iterator[bytes | None]:
    """The lines of a file, many at a time; None where somebody has to look line by line what is wrong."""
    with ExitStack() as opened:
        stream = _open(path, opened)
        while True:
            try:
                lines = stream.read(_BLOCK_BYTES)
                if lines and not lines.endswith(b"\n"):
                    lines += stream.readline(_LINE_LIMIT)
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
                yield None
                return
            if not lines:
                return
            yield lines if len(lines) <= _LINE_LIMIT else None


def _open(path: Path, opened: ExitStack) -> IO[bytes]:
    try:
        raw = opened.enter_context(path.open("rb"))
        magic = raw.read(4)
        raw.seek(0)
        if magic.startswith(b"\x1f\x8b"):
            return opened.enter_context(io.BufferedReader(gzip.GzipFile(fileobj=raw)))
        if magic.startswith(b"PK"):
            return opened.enter_context(_open_member(path, opened.enter_context(zipfile.ZipFile(raw))))
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigurationError(f"{path} cannot be read: {reason}") from error
    return raw


def _open_member(path: Path, archive: zipfile.ZipFile) -> IO[bytes]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise ConfigurationError(f"{path} holds {len(members)} files, which must be exactly one")
    return archive.open(members[0])
