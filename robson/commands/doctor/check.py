"""What one look says: a name, an outcome, the numbers, and what to do about it."""

from collections.abc import Sequence
from typing import Literal

from robson.domain.values import Value

Outcome = Literal["ok", "warn", "fail"]


class Check(Value):
    """One finding; `hint` is what to do, empty where nothing is to be done."""

    name: str
    outcome: Outcome
    detail: str
    hint: str = ""


class Report(Value):
    """Everything that was looked at; ready while nothing failed."""

    ready: bool
    checks: tuple[Check, ...]


def fine(name: str, detail: str) -> Check:
    """As it should be."""
    return Check(name=name, outcome="ok", detail=detail)


def doubtful(name: str, detail: str, hint: str) -> Check:
    """Robson runs with it, and the operator should know."""
    return Check(name=name, outcome="warn", detail=detail, hint=hint)


def wrong(name: str, detail: str, hint: str) -> Check:
    """Robson cannot do its work like this."""
    return Check(name=name, outcome="fail", detail=detail, hint=hint)


def report_of(checks: Sequence[Check]) -> Report:
    """The whole, and whether it is ready."""
    return Report(ready=all(check.outcome != "fail" for check in checks), checks=tuple(checks))
