"""The alert rules name metrics that exist, and behave as their own tests say (by promtool, where it is)."""

import re
from pathlib import Path

from robson.web.catalogue import CATALOGUE
from tests.promtool import needs_promtool, promtool

RULES = Path(__file__).resolve().parents[3] / "packaging" / "prometheus"


def test_the_rules_name_metrics_that_exist() -> None:
    named = set(re.findall(r"\brobson_[a-z_]+", (RULES / "robson.rules.yml").read_text()))
    assert named
    assert named <= {metric.name for metric in CATALOGUE}


@needs_promtool
def test_the_rules_pass_their_own_tests() -> None:
    for arguments in (("check", "rules", "robson.rules.yml"), ("test", "rules", "robson.test.yml")):
        code, told = promtool(*arguments, place=RULES)
        assert code == 0, told
