"""A vulnerability that is known fails, and one that nobody could be asked about is never taken for none."""

from typing import Any

from release.audit import EXIT_FOUND, EXIT_NOT_ASKED, verdict

CLEAN: dict[str, Any] = {"name": "h11", "version": "0.16.0", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "trio", "skip_reason": "not found"}


def test_all_clean_is_zero() -> None:
    assert verdict({"dependencies": [CLEAN]}) == (0, ["1 packages looked up, 0 known vulnerabilities"])


def test_what_is_known_is_named_with_its_remedy() -> None:
    code, lines = verdict({"dependencies": [CLEAN, BAD, UNKNOWN]})
    assert code == EXIT_FOUND
    assert lines[0] == "old 1.0: CVE-2026-1, mended in 1.1"
    assert lines[1] == "2 packages looked up, 1 known vulnerabilities"


def test_what_could_not_be_looked_up_is_not_clean() -> None:
    code, lines = verdict({"dependencies": [CLEAN, UNKNOWN]})
    assert code == EXIT_NOT_ASKED
    assert "trio" in lines[-1]
