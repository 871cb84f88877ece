"""Where the recorded market data lies: beside the checkout, never in it."""

from pathlib import Path

import pytest

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "data"


def recorded(name: str) -> Path:
    """One recorded file; skips the test where it is absent."""
    path = RECORDED / name
    if not path.exists():
        pytest.skip(f"the recorded market data is not here: {path}")
    return path


def recorded_ticks() -> list[Path]:
    """All recorded trades as CSV, or none where the recordings are absent."""
    return sorted((RECORDED / "ticks").glob("*.csv.gz"))
