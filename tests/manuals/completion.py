"""Completion for bash, zsh and fish, made by shtab from the parsers; the ids of positions come from the daemon."""

import argparse
from typing import Any

import shtab

from robson.__main__ import build_parser as robson_parser
from robsonctl.options import build_parser as robsonctl_parser

SHELLS = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}

# One position a line: its id, then what tells it from others. Nothing when no daemon answers within a second.
_ASK = "robsonctl --timeout 1 --color never -o csv status 2>/dev/null"
_FUNCTIONS = {
    "bash": f"""\
_robsonctl_positions() {{
  local ids
  ids=$({_ASK} | sed 1d | cut -d, -f1)
  compgen -W "$ids" -- "$1"
}}
_robson_paths() {{
  compgen -f -- "$1"
}}""",
    "zsh": f"""\
_robsonctl_positions() {{
  local -a ids
  ids=(${{(f)"$({_ASK} | sed 1d | cut -d, -f1-4 | sed 's/,/:/; s/,/ /g')"}})
  _describe -V position ids
}}
_robson_paths() {{
  _files
}}""",
    "fish": f"""\
function _robsonctl_positions
  {_ASK} | sed 1d | cut -d, -f1-4 | sed 's/,/\\t/; s/,/ /g'
end
function _robson_paths
  __fish_complete_path (commandline -ct)
end""",
}
_IDS = {"position"}
_PATHS = {"socket", "config", "state_dir", "credentials_dir", "file", "cases", "replay"}


def completion(shell: str) -> dict[str, str]:
    """The two scripts of a shell by their files' names."""
    made = {}
    for parser in (robsonctl_parser(), robson_parser()):
        _mark(parser)
        text = shtab.complete(parser, shell=shell, preamble=_FUNCTIONS)  # type: ignore[arg-type]  # one a shell
        made[f"{shell}/{SHELLS[shell].format(parser.prog)}"] = _without_advice(text)
    return made


def _mark(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                _mark(below)
        elif action.dest in _IDS:
            _complete(action, "_robsonctl_positions")
        elif action.dest in _PATHS:
            _complete(action, "_robson_paths")


def _complete(action: Any, function: str) -> None:
    action.complete = {"bash": function, "zsh": function, "fish": f"({function})"}


def _without_advice(text: str) -> str:
    """The script without shtab's words on where to put it, which name other places than the packages do."""
    lines = text.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("# AUTOMATICALLY GENERATED"))
    after = next(place for place in range(first, len(lines)) if not lines[place].startswith("#"))
    head = "# Written by `make manuals` with shtab; a test keeps it in step with the code."
    return "\n".join([*lines[:first], head, *lines[after:]]).rstrip() + "\n"
