"""Known vulnerabilities of what is locked, and whether the bills in dist/ are CycloneDX: `python -m release.audit`."""

import argparse
import json
import subprocess
import sys
import venv
from typing import Any

from release import source

# Their own environment: they bring forty packages that nothing else needs.
PLACE = source.ROOT / "build" / "audit"
TOOLS = ("pip-audit", "cyclonedx-python-lib[json-validation]")
EXIT_FOUND = 1
EXIT_NOT_ASKED = 69
VALIDATE = """
import pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
validator = JsonStrictValidator(SchemaVersion.V1_6)
looked = ((path, validator.validate_str(pathlib.Path(path).read_text())) for path in sys.argv[1:])
faults = [f"{path}: {fault}" for path, fault in looked if fault]
sys.exit("\\n".join(faults) if faults else 0)
"""


def verdict(found: dict[str, Any]) -> tuple[int, list[str]]:
    """An exit code and lines for people, from pip-audit's JSON; what could not be looked up is never passed over."""
    lines, unasked, looked_up = [], [], 0
    for package in found["dependencies"]:
        if "skip_reason" in package:
            unasked.append(package["name"])
            continue
        looked_up += 1
        for known in package["vulns"]:
            mended = ", ".join(known["fix_versions"]) or "no version"
            lines.append(f"{package['name']} {package['version']}: {known['id']}, mended in {mended}")
    lines.append(f"{looked_up} packages looked up, {len(lines)} known vulnerabilities")
    if unasked:
        lines.append(f"NOT looked up, for the service did not know or answer: {len(unasked)} ({', '.join(unasked)})")
    code = EXIT_FOUND if len(lines) > 1 + bool(unasked) else EXIT_NOT_ASKED if unasked else 0
    return code, lines


def main() -> int:
    """Look up everything; 1 when something is known or a bill is wrong, 69 when nobody could be asked."""
    parser = argparse.ArgumentParser(prog="python -m release.audit", description=__doc__)
    parser.add_argument("--where-possible", action="store_true", help="0 also when nobody could be asked")
    arguments = parser.parse_args()
    python = PLACE / "bin" / "python"
    if not python.exists():
        venv.create(PLACE, with_pip=True)
    subprocess.run([str(python), "-m", "pip", "install", "-q", *TOOLS], check=True)
    bills = sorted(str(path) for path in (source.ROOT / "dist").glob("*.cdx.json"))
    if subprocess.run([str(python), "-c", VALIDATE, *bills], check=False).returncode:
        return EXIT_FOUND
    print(f"{len(bills)} bills are CycloneDX 1.6")
    lock = source.ROOT / "requirements.lock"
    command = [str(python), "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)
    try:
        code, lines = verdict(json.loads(done.stdout))
    except (json.JSONDecodeError, KeyError):
        code, lines = EXIT_NOT_ASKED, [f"NOT looked up: {done.stderr.strip()}"]
    print("\n".join(lines))
    return 0 if code == EXIT_NOT_ASKED and arguments.where_possible else code


if __name__ == "__main__":
    sys.exit(main())
