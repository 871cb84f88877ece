"""The four manual pages, from the same tables as the parsers, the configuration and the protocol."""

import argparse
from collections.abc import Collection, Iterator
from textwrap import wrap
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

import robson
from robson import __main__ as program
from robson.config import PREFIX, Section, Settings
from robson.notify.settings import NotifySettings
from robson.protocol.document import document
from robson.venue.settings import PaperSettings
from robsonctl.exits import Exit
from robsonctl.options import build_parser
from robsonctl.usage import COMMANDS as USAGE
from tests.manuals import words
from tests.manuals.roff import Page

DATE = "2026-11-23"

# Sections that the settings pass on as they are, to who knows them.
LAZY: dict[str, Any] = {"paper": PaperSettings, "notify": NotifySettings}


def pages() -> dict[str, str]:
    """Every page by its file's name."""
    return {
        "robsonctl.1": robsonctl(),
        "robson.8": daemon(),
        "robson.toml.5": configuration(),
        "robson-protocol.7": protocol(),
    }


def _page(name: str, section: int, about: str) -> Page:
    return Page(name, section, about, date=DATE, version=robson.__version__)


def robsonctl() -> str:
    """robsonctl(1)."""
    parser = build_parser()
    page = _page("robsonctl", 1, "talk to a running Robson")
    page.section("Synopsis")
    page.code("robsonctl [options] [command ...]", "robsonctl < commands.jsonl")
    page.section("Description", *words.ROBSONCTL)
    page.section("Options", "They may stand before the command and after it.")
    _options(page, parser)
    page.section("Commands")
    verbs = parser.get_default("verbs")
    for name, usage in USAGE.items():
        page.part(name, usage.summary)
        _usage(page, verbs[name], _flags(parser))
        # What every command takes stands under OPTIONS.
        _options(page, verbs[name], beside=_flags(parser))
        page.paragraph("Examples:")
        for example in usage.examples:
            page.tagged(example.line, example.words)
    page.section("Output", *words.OUTPUT)
    page.section("Exit status")
    for code in Exit:
        page.tagged(str(code.value), words.EXITS[code])
    page.section("Environment")
    for name, meaning in words.ENVIRONMENT.items():
        page.tagged(name, meaning)
    page.section("See also", "**robson**(8), **robson.toml**(5), **robson-protocol**(7)")
    return page.text()


def daemon() -> str:
    """robson(8)."""
    page = _page("robson", 8, "look after positions on Binance isolated margin")
    page.section("Synopsis")
    page.code("robson COMMAND [options]")
    page.section("Description", *words.ROBSON)
    parser = program.build_parser()
    page.section("Options")
    _options(page, parser)
    page.section("Commands")
    for name, verb in _subparsers(parser).items():
        page.part(name, program.COMMANDS[name])
        _usage(page, verb)
        _options(page, verb)
        page.paragraph("Examples:")
        for line, meaning in program.EXAMPLES.get(name, ()):
            page.tagged(line, meaning)
    page.section("Exit status")
    for code, meaning in words.DAEMON_EXITS.items():
        page.tagged(code, meaning)
    page.section("Signals", *words.SIGNALS)
    page.section("Environment")
    for name, meaning in words.DAEMON_ENVIRONMENT.items():
        page.tagged(name, meaning)
    page.section("See also", "**robsonctl**(1), **robson.toml**(5), **robson-protocol**(7)")
    return page.text()


def configuration() -> str:
    """robson.toml(5)."""
    page = _page("robson.toml", 5, "the configuration of robson")
    page.section("Description", *words.CONFIGURATION)
    page.section("Example")
    page.code(*words.CONFIGURATION_EXAMPLE)
    page.section("Keys")
    for field in msgspec.structs.fields(Settings):
        if not (isinstance(field.type, type) and issubclass(field.type, Section)) and field.name not in LAZY:
            _key(page, "", field, get_type_hints(Settings)[field.name])
    for field in msgspec.structs.fields(Settings):
        kind = LAZY.get(field.name, field.type)
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
            continue
        first, *rest = (kind.__doc__ or "").strip().split("\n\n")
        told = [] if kind is PaperSettings else rest
        page.part(f"[{field.name}]", first, *told)
        for key in msgspec.structs.fields(kind):
            _key(page, field.name, key, get_type_hints(kind)[key.name])
    page.section("See also", "**robson**(8), **robsonctl**(1)")
    return page.text()


def protocol() -> str:
    """robson-protocol(7), which is docs/PROTOCOL.md."""
    page = _page("robson-protocol", 7, "the control socket: one JSON object a line")
    page.section("Description", "How scripts talk to **robson**(8). **robsonctl**(1) does it for people.")
    page.markdown(document())
    page.section("See also", "**robson**(8), **robsonctl**(1)")
    return page.text()


def keys() -> Iterator[tuple[str, str]]:
    """Every section and key of robson.toml; the section is empty for those above all sections."""
    for field in msgspec.structs.fields(Settings):
        kind = LAZY.get(field.name, field.type)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            yield from ((field.name, key.name) for key in msgspec.structs.fields(kind))
        else:
            yield "", field.name


def _key(page: Page, section: str, field: Any, kind: Any) -> None:
    name = f"{section}.{field.name}" if section else field.name
    meaning = words.KEYS.get(name) or _paper_words(field.name if section == "paper" else "")
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    shown = '""' if default == "" else "none" if default is None else str(default)
    variable = f"{PREFIX}{name.replace('.', '_')}".upper()
    told = [meaning, _choices(kind), f"Default: {shown}.", f"`{variable}`"]
    page.tagged(field.name, " ".join(filter(None, told)))


def _choices(kind: Any) -> str:
    kinds = get_args(kind) if type(None) in get_args(kind) else (kind,)
    found = [str(word) for each in kinds if get_origin(each) is Literal for word in get_args(each)]
    return f"One of {', '.join(found)}." if found else ""


def _paper_words(name: str) -> str:
    for line in (PaperSettings.__doc__ or "").splitlines():
        key, _, meaning = line.strip().partition(" ")
        if key == name and name:
            return meaning.strip() + "."
    return ""


def _usage(page: Page, parser: argparse.ArgumentParser, beside: Collection[str] = ()) -> None:
    """The usage as one writes it, without the options of OPTIONS; argparse words it anew in each Python."""
    parts = []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS or {"-h", *beside}.intersection(action.option_strings):
            continue
        tag = f"{action.option_strings[-1]} {_takes(action)}".strip() if action.option_strings else _takes(action)
        plain = action.required if action.option_strings else action.nargs != "?"
        # A positional that may be left out has its brackets already.
        parts.append(tag if plain or not action.option_strings else f"[{tag}]")
    first = f"{parser.prog} [options]" if beside else parser.prog
    page.code(*wrap(" ".join([first, *parts]), 70, subsequent_indent="    ", break_on_hyphens=False))


def _flags(parser: argparse.ArgumentParser) -> set[str]:
    return {flag for action in parser._actions for flag in action.option_strings}


def _options(page: Page, parser: argparse.ArgumentParser, beside: Collection[str] = ()) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or set(beside).intersection(action.option_strings):
            continue
        tag = f"{', '.join(action.option_strings)} {_takes(action)}".strip()
        page.tagged(tag, str(action.help or "") % vars(action) if action.help else "")


def _takes(action: argparse.Action) -> str:
    """What follows an option, or stands for a positional; in brackets what may be left out."""
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    metavar = str(action.metavar or choices)
    return "" if action.nargs == 0 else f"[{metavar}]" if action.nargs == "?" else metavar


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(dict(each.choices) for each in parser._actions if isinstance(each, argparse._SubParsersAction))
