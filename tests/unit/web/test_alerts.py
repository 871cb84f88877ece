"""The alert rules name metrics that exist, and behave as their own tests say (by promtool, where it is)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from robson.web.catalogue import CATALOGUE

RULES = Path(__file__).resolve().parents[3] / "packaging" / "prometheus"


def test_the_rules_name_metrics_that_exist() -> None:
    named = set(re.findall(r"\brobson_[a-z_]+", (RULES / "robson.rules.yml").read_text()))
    assert named
    assert named <= {metric.name for metric in CATALOGUE}


def test_the_rules_pass_their_own_tests() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed")
    for arguments in (["check", "rules", "robson.rules.yml"], ["test", "rules", "robson.test.yml"]):
        done = subprocess.run([promtool, *arguments], cwd=RULES, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
