"""The checkout that packages are made from: its version and the time that stands in them."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import robson

ROOT = Path(__file__).resolve().parents[2]
VERSION = robson.__version__


def project() -> dict[str, Any]:
    """The `[project]` table of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, Any] = tomllib.load(file)["project"]
    return found


def epoch() -> int:
    """`$SOURCE_DATE_EPOCH`, or the time of the last commit, in seconds; raises RuntimeError with neither."""
    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    if told:
        return int(told)
    asked = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    if asked.returncode or not asked.stdout.strip():
        raise RuntimeError("without git the time of the source has to be in SOURCE_DATE_EPOCH (seconds)")
    return int(asked.stdout)
