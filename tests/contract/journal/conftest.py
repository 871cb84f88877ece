"""Each test of this folder runs against the journal on disk and against its twin in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from robson.ports.journal import Journal
from tests.contract.journal.shelves import DiskShelf, MemoryShelf, Shelf


@pytest.fixture(params=["disk", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    shelf: Shelf = DiskShelf(tmp_path / "robson.db") if request.param == "disk" else MemoryShelf()
    yield shelf
    shelf.journal.close()


@pytest.fixture
def journal(shelf: Shelf) -> Journal:
    return shelf.journal
