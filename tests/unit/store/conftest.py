"""A journal's path, a way to open it, and a user who is not allowed everything."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from robson.store import SqliteJournal
from tests.contract.journal.shelves import FixedClock

Open = Callable[..., SqliteJournal]
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is to be."""
    return tmp_path / "robson.db"


@pytest.fixture
def open_journal(path: Path) -> Iterator[Open]:
    """Open the journal at `path`, for writing or with `read_only`; all of them are closed at the end."""
    opened = []

    def open_one(at: Path = path, *, mode: str = "paper", read_only: bool = False) -> SqliteJournal:
        journal = SqliteJournal.open(
            at, mode=mode, clock=FixedClock(), machine_id="this-machine", version="0.1.0", read_only=read_only
        )
        opened.append(closing(journal))
        return journal

    yield open_one
    for journal in opened:
        journal.__exit__()


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that another user can reach: the test's own one belongs to its owner alone."""
    directory = Path(tempfile.mkdtemp(prefix="robson-store-"))
    directory.chmod(0o755)
    yield directory
    directory.chmod(0o755)
    shutil.rmtree(directory)


@pytest.fixture
def write_protected() -> Callable[..., AbstractContextManager[None]]:
    """Make a directory and its files read-only for as long as it lasts, also where the tests run as root."""

    @contextmanager
    def protect(directory: Path, mode: int = 0o555) -> Iterator[None]:
        files = list(directory.iterdir())
        modes = [file.stat().st_mode for file in files]
        for file in files:
            file.chmod(0o444)
        directory.chmod(mode)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(NOBODY)
        try:
            yield
        finally:
            if is_root:
                os.seteuid(0)
            directory.chmod(0o755)
            for file, before in zip(files, modes, strict=True):
                file.chmod(before)

    return protect
