"""The commands that only the shell has, or has in another form."""

from typing import NamedTuple


class Own(NamedTuple):
    """What a command of the shell does, what it takes, and lines to copy."""

    summary: str
    usage: str
    choices: tuple[tuple[str, str], ...] = ()
    examples: tuple[tuple[str, str], ...] = ()


OWN = {
    "watch": Own(
        "a command again and again on the full screen; q leaves",
        "watch [SECONDS] [COMMAND …]",
        examples=(
            ("watch", "status, every two seconds"),
            ("watch 5 status --all", "every five seconds"),
            ("watch 1 show 9da4", "one position; arrows, PgUp and PgDn scroll, q leaves"),
        ),
    ),
    "events": Own(
        "events above the prompt as they happen; other arguments list them",
        "events on | warn | off",
        (
            ("on", "all but stops that followed the price"),
            ("warn", "only what a person should look at"),
            ("off", "none"),
        ),
        (
            ("events warn", "above the prompt only what a person should look at"),
            ("events -n 20", "list the last 20"),
        ),
    ),
    "\\x": Own(
        "one field under the other instead of wide tables",
        "\\x [auto | on | off]",
        (("auto", "where a table is wider than the window"), ("on", "always"), ("off", "never")),
        (("\\x", "the other way from now on"), ("\\x auto", "as the width of the window asks for")),
    ),
    "again": Own(
        "repeat the last change whose outcome is unknown, with the same key: it is done at most once",
        "again",
        examples=(("again", "after `the outcome is unknown`, once `status` has been looked at"),),
    ),
    "help": Own(
        "how a command is used",
        "help [COMMAND]",
        examples=(("help", "every command"), ("help arm", "one command, with examples")),
    ),
    "exit": Own("leave the shell; so do `quit` and Ctrl-D", "exit"),
    "quit": Own("leave the shell", "quit"),
}
