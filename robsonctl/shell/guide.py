"""`help` in the shell: every command in a line, one command with its examples."""

import textwrap
from collections.abc import Iterator

from robsonctl.shell.lines import Grammar
from robsonctl.shell.own import OWN

_GROUPS = {
    "look": ("status", "show", "why", "chart", "events", "watch", "plan", "health", "journal"),
    "trade": ("arm", "signal", "disarm", "close", "adjust", "adopt", "release"),
    "hold back": ("panic", "resume", "pause", "unpause"),
}
_KEYS = """\
Tab completes, also live positions by their symbol; a unique beginning of a command, an option or an id will do.
Ctrl-C drops the line, or the waiting for an answer; Ctrl-R searches the history; `;` stands between two commands.
A line that begins with a space is not kept in the history."""


def overview(grammar: Grammar, columns: int) -> str:
    """Every command with what it does, in groups."""
    named = {name for names in _GROUPS.values() for name in names}
    rest = [name for name in (*grammar.verbs, *OWN) if name not in named]
    lines: list[str] = []
    for title, names in (*_GROUPS.items(), ("more", tuple(dict.fromkeys(rest)))):
        lines.append(title)
        lines += [_row(grammar, name, columns) for name in names if name in grammar.verbs or name in OWN]
    return "\n".join([*lines, "", *_wrapped(_KEYS, columns), "`help COMMAND` tells more, with examples."])


def topic(grammar: Grammar, name: str) -> str:
    """One command: usage, options, examples."""
    parts = []
    if name in OWN:
        own = OWN[name]
        parts.append(f"usage: {own.usage}\n\n{own.summary}")
        parts += ["\n".join(f"  {choice:<6}{meaning}" for choice, meaning in own.choices)] if own.choices else []
        examples = "\n".join(f"  {line}\n      {words}" for line, words in own.examples)
        parts += [f"examples:\n{examples}"] if examples else []
    if name in grammar.verbs and name not in {"watch", "help"}:
        # Examples are written for a command line; here the name of the program is not typed.
        parts.append(grammar.verbs[name].format_help().rstrip().replace("  robsonctl ", "  "))
    return "\n\n".join(parts)


def _row(grammar: Grammar, name: str, columns: int) -> str:
    own = OWN.get(name)
    told = own.summary if own and name != "events" else (grammar.verbs[name].description or "")
    told = told[:1].lower() + told[1:].split(";")[0].rstrip(".")
    room = max(10, columns - 13)
    return f"  {name:<9} {told if len(told) <= room else told[: room - 1] + '…'}"


def _wrapped(text: str, columns: int) -> Iterator[str]:
    for line in text.splitlines():
        yield from textwrap.wrap(line, max(20, columns - 1)) or [""]
