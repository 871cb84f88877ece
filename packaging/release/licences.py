"""Under which licences the packages are that are shipped, and which of them are allowed."""

import email.message
import re

# Licences that ask for no more than their notice, or (MPL) for their own files' source, which is public.
ALLOWED = frozenset(
    {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0", "Public-Domain"}
)
# How packages without an SPDX expression say it.
SPELLINGS = {
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Public Domain": "Public-Domain",
}
OPERATORS = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")


def licence(about: email.message.Message) -> str:
    """A package's licence as an SPDX expression; raises RuntimeError where its metadata say nothing that is known."""
    expression = about.get("License-Expression")
    if expression:
        return str(expression)
    classified = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or [] if "License ::" in line]
    stated = str(about.get("License") or "").strip()
    # The field once held whole texts.
    short = [stated] if stated and "\n" not in stated else []
    for said in (*short, *classified):
        spelled = SPELLINGS.get(said, said)
        if set(names(spelled)) <= ALLOWED:
            return spelled
    raise RuntimeError(f"the licence of {about['Name']} was {short or classified or 'not stated'}, which is not known")


def names(expression: str) -> list[str]:
    """The licences that an SPDX expression names."""
    return [name for name in OPERATORS.split(expression) if name]


def require_allowed(expressions: dict[str, str]) -> None:
    """Raise RuntimeError naming every package under a licence that is not allowed."""
    refused = {name: said for name, said in expressions.items() if not set(names(said)) <= ALLOWED}
    if refused:
        raise RuntimeError(f"licences that are not allowed: {refused}")
