"""Each implementation of the venue port in turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.contract.venue.rehearsals import VENUES, Rehearsal


@pytest.fixture(params=list(VENUES))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def autojump_clock(kind: str) -> MockClock:
    """Time jumps when nobody has anything to do; where sockets lie between, once they have nothing left to say."""
    return MockClock(autojump_threshold=0.01 if kind == "binance" else 0)


@pytest.fixture
async def rehearsal(kind: str, tmp_path: Path) -> AsyncIterator[Rehearsal]:
    async with VENUES[kind](tmp_path) as one:
        yield one
