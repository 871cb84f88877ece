"""Each command of robsonctl in one line and by example: its help, the shell, completion and the manual read it here.

Plain text without imports: reading the protocol's structs would cost a script more than all the rest.
"""

from typing import NamedTuple


class Example(NamedTuple):
    """A line to copy, and what it does."""

    line: str
    words: str


class Usage(NamedTuple):
    """What a command does, and lines to copy."""

    summary: str
    examples: tuple[Example, ...]


COMMANDS: dict[str, Usage] = {
    "status": Usage(
        "The daemon's state, the feeds and the positions: the open ones, all of them, or one.",
        (
            Example("robsonctl status", "what is open"),
            Example("robsonctl status --watch 1", "again every second until Ctrl-C"),
            Example("robsonctl status --all -o csv > positions.csv", "every position, for a spreadsheet"),
        ),
    ),
    "show": Usage(
        "One position, whole: what `status` shows of it, its orders with their fills, and its events.",
        (
            Example("robsonctl show 9da4", "the position whose id begins so"),
            Example("robsonctl show 9da4 --json | jq .orders", "its orders, for a script"),
        ),
    ),
    "why": Usage(
        "Why a position entered and left as it did: tick, stop, decision, order and fill, with latencies and slippage.",
        (Example("robsonctl why 9da4", "the chain from price to fill"),),
    ),
    "chart": Usage(
        "The prices that a position has seen since its entry, and its stop, in a bounded number of points.",
        (
            Example("robsonctl chart 9da4", "in the terminal, as wide as it is"),
            Example("robsonctl chart 9da4 -o chart.svg", "as a file; .png as well, with the extra robson[png]"),
            Example("robsonctl chart 9da4 -o csv", "its points, for a spreadsheet"),
        ),
    ),
    "plan": Usage(
        "What a signal would buy or sell, and what it would put at stake; nothing is done, no feed is needed.",
        (
            Example("robsonctl plan BTCUSDT long --entry 95000 --stop 93500", "with the daemon's capital and risk"),
            Example(
                "robsonctl plan ETHUSDT short --entry 3300 --stop 3350 --capital 5000 --risk 0.5", "with one's own"
            ),
        ),
    ),
    "events": Usage(
        "Events and notices as the journal keeps them, ascending, without gaps.",
        (
            Example("robsonctl events -n 20", "the last 20"),
            Example("robsonctl events --position 9da4 --from 1", "all of one position"),
            Example("robsonctl events --follow -o jsonl", "new ones as they come, for a script"),
        ),
    ),
    "watch": Usage(
        "repeat status until Ctrl-C",
        (Example("robsonctl watch 5", "every five seconds"),),
    ),
    "arm": Usage(
        "Arm a position: from now on it waits for its strategy's one signal.",
        (
            Example("robsonctl arm BTCUSDT", "a long that waits for `robsonctl signal`"),
            Example(
                "robsonctl arm ETHUSDT short --strategy delay --param seconds=60", "a short that enters in a minute"
            ),
            Example(
                "robsonctl arm BTCUSDT long --capital 5000 --risk 0.5 --key monday-1", "at most once, from a script"
            ),
        ),
    ),
    "signal": Usage(
        "Give an Armed position its entry signal.",
        (Example("robsonctl signal 9da4 --entry 95000 --stop 93500", "the stop gives the size"),),
    ),
    "disarm": Usage("Take back an Armed position.", (Example("robsonctl disarm 9da4", "nothing was bought or sold"),)),
    "close": Usage(
        "Take a position out of the market.",
        (Example("robsonctl close 9da4", "exit 5 when it is still on its way"),),
    ),
    "adjust": Usage(
        "Tighten the trailing stop of an Active position; it is never loosened.",
        (Example("robsonctl adjust 9da4 --stop 94200", "a long's stop goes up to 94200"),),
    ),
    "adopt": Usage(
        "Take over what the pair's account holds already (long) or owes (short), behind a trailing stop; "
        "no order is sent.",
        (Example("robsonctl adopt BTCUSDT long --quantity 0.05 --stop 93500", "what the account holds already"),),
    ),
    "release": Usage(
        "Hand a position back: no order is sent, its stop is watched no more, "
        "and what it holds or owes is the trader's.",
        (Example("robsonctl release 9da4", "it is yours from now on, without a stop"),),
    ),
    "panic": Usage(
        "Latch first, so that nothing enters any more; then disarm what is Armed and close what is in the market.",
        (
            Example("robsonctl panic", "shows what it will do, and asks"),
            Example("robsonctl panic --preview", "only shows what it would do"),
            Example("robsonctl panic --yes", "from a script: does not ask"),
            Example("robsonctl panic --direct", "the daemon is dead: runs `robson panic` in its place"),
        ),
    ),
    "resume": Usage("Release the panic latch.", (Example("robsonctl resume", "signals may enter again"),)),
    "pause": Usage(
        "Let nothing enter any more: signals are refused. Positions stay, stops are watched, exits go on.",
        (Example("robsonctl pause", "positions stay, exits go on"),),
    ),
    "unpause": Usage(
        "Let signals enter again; the panic latch is another matter.",
        (Example("robsonctl unpause", "after `robsonctl pause`"),),
    ),
    "health": Usage(
        "Whether the daemon lives and is ready, check by check.",
        (Example("robsonctl health || mail -s 'Robson is not well' you", "exit 1 unless it is live and ready"),),
    ),
    "hello": Usage(
        "Which daemon this is: protocol, version, mode and state.", (Example("robsonctl hello", "paper or live?"),)
    ),
    "ping": Usage("Whether the daemon answers at all.", (Example("robsonctl ping --timeout 1", "exit 69 if not"),)),
    "journal": Usage(
        "How much the journal holds, how large it is, and when it was last copied by `robson backup`.",
        (Example("robsonctl journal", "when was the last backup?"),),
    ),
    "notify": Usage(
        "Notifications: try every channel once, or see how far each is.",
        (
            Example("robsonctl notify test", "one message over each channel, and what came of it"),
            Example("robsonctl notify status", "backlog, last delivery and failures of each"),
        ),
    ),
    "schema": Usage(
        "The JSON Schema (2020-12) of every request line, or of what the daemon sends.",
        (Example("robsonctl schema events > events.schema.json", "to check event lines with"),),
    ),
    "version": Usage(
        "the versions of robsonctl and of the daemon", (Example("robsonctl version", "also without a daemon"),)
    ),
    "help": Usage("how a command is used", (Example("robsonctl help arm", "the same as robsonctl arm --help"),)),
}


def examples_block(examples: tuple[Example, ...]) -> str:
    """Examples one a line, each with its words beside it, or below it where the line is long."""
    return "\n".join(["examples:", *(f"  {line}\n      {words}" for line, words in examples)])
