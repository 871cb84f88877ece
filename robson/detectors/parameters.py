"""What a strategy's parameters may be, and the one place where they are checked."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from robson.domain.errors import RuleError
from robson.domain.values import ZERO, Bounds, parse_amount, plain
from robson.ports.detector import Parameter

KINDS = ("decimal", "integer", "word", "text")
TEXT_LENGTH_MAX = 200
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)


def shorten(text: str, most: int = 40) -> str:
    """The text, cut to `most` characters: what a stranger sent may be long."""
    return text if len(text) <= most else text[: most - 3] + "..."


def allowed(parameter: Parameter) -> str:
    """What the parameter takes, for people: "a number from 0 to 86400", "one of 1, 5, 15"."""
    if parameter.choices:
        text = "one of " + ", ".join(parameter.choices)
    elif parameter.kind == "text":
        text = f"at most {TEXT_LENGTH_MAX} printable characters"
    else:
        noun = "a whole number" if parameter.kind == "integer" else "a number"
        text = f"{noun} {_range(parameter)}"
    return text + ", or empty" if parameter.default == "" else text


def complete(strategy: str, declared: Sequence[Parameter], given: Mapping[str, str]) -> dict[str, str]:
    """Every declared parameter with its value in plain form, defaults filled in, in the order of declaration.

    Raises RuleError: `unknown_parameter` with those that are allowed, `bad_parameter` with value and allowed range.
    """
    names = [parameter.name for parameter in declared]
    for name in given:
        if name not in names:
            raise _unknown_parameter(strategy, name, declared)
    return {
        parameter.name: read(strategy, parameter, given.get(parameter.name, parameter.default))
        for parameter in declared
    }


def read(strategy: str, parameter: Parameter, text: object) -> str:
    """The value in plain form; raises RuleError `bad_parameter` with the value and what is allowed.

    The empty value is allowed where it is the default: it switches the parameter off.
    """
    if not isinstance(text, str):
        raise _bad(strategy, parameter, repr(text), "which is not a string")
    if text == "" and parameter.default == "":
        return text
    if parameter.choices:
        if text not in parameter.choices:
            raise _bad(strategy, parameter, repr(shorten(text)))
        return text
    if parameter.kind == "text":
        if len(text) > TEXT_LENGTH_MAX or not text.isprintable():
            raise _bad(strategy, parameter, repr(shorten(text)))
        return text
    bounds = Bounds(low=parameter.low, high=parameter.high)
    try:
        number = parse_amount(parameter.name, text, bounds)
    except RuleError:
        raise _bad(strategy, parameter, repr(shorten(text))) from None
    if parameter.kind == "integer" and number != number.to_integral_value():
        raise _bad(strategy, parameter, repr(shorten(text)))
    return plain(number)


def faults(declared: object) -> str:
    """What is wrong with a strategy's declaration, empty if nothing; for classes that others wrote."""
    if not isinstance(declared, tuple) or not all(isinstance(parameter, Parameter) for parameter in declared):
        return "its `parameters` are not a tuple of Parameter"
    names = [parameter.name for parameter in declared]
    if len(set(names)) != len(names):
        return "two of its parameters have the same name"
    for parameter in declared:
        fault = _fault(parameter)
        if fault:
            return f"its parameter {shorten(str(parameter.name))!r} {fault}"
    return ""


def _fault(parameter: Parameter) -> str:
    if not NAME.fullmatch(parameter.name):
        return f"has a name that does not match {NAME.pattern}"
    if parameter.kind not in KINDS:
        return f"has kind {parameter.kind!r}, which is not one of {', '.join(KINDS)}"
    if parameter.kind == "word" and not parameter.choices:
        return "is a word without choices"
    try:
        read("", parameter, parameter.default)
    except RuleError:
        return f"has the default {shorten(str(parameter.default))!r}, which is not {allowed(parameter)}"
    return ""


def _range(parameter: Parameter) -> str:
    low, high = parameter.low, parameter.high
    if low is not None and high is not None:
        return f"from {plain(low)} to {plain(high)}"
    if high is not None:
        return f"of at most {plain(high)}"
    return f"of at least {plain(low or ZERO)}"


def _bad(strategy: str, parameter: Parameter, shown: str, why: str = "") -> RuleError:
    must = allowed(parameter)
    return RuleError(
        "bad_parameter",
        f"{parameter.name} of strategy {strategy} was {shown}, {why or f'which must be {must}'}",
        hint=f"{parameter.name}: {must} (default {parameter.default or 'empty'}): {parameter.meaning}",
    )


def _unknown_parameter(strategy: str, name: str, declared: Sequence[Parameter]) -> RuleError:
    names = [parameter.name for parameter in declared]
    close = get_close_matches(name, names, n=1)
    listed = "; ".join(f"{parameter.name}: {allowed(parameter)}" for parameter in declared)
    meant = f"did you mean {close[0]}? " if close else ""
    return RuleError(
        "unknown_parameter",
        f"strategy {strategy} has no parameter {shorten(name)!r}",
        hint=meant + (f"it takes {listed}" if listed else "it takes no parameters"),
    )
