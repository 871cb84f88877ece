"""Prometheus's own tool, where it is installed: what it says of a page of metrics, of rules and of their tests."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Where everything is proved it must be there.
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None and not os.environ.get("CI"), reason="promtool is not installed"
)


def promtool(*arguments: str, place: Path | None = None, fed: str = "") -> tuple[int, str]:
    """Its exit code and all it printed."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=place, input=fed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def assert_lints(page: str) -> None:
    """The page parses and keeps to every convention of names, types, help and units that the linter knows."""
    assert promtool("check", "metrics", fed=page) == (0, ""), page
