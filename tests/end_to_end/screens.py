"""The screens that docs/SHELL.md shows: `python -m tests.end_to_end.screens` captures them anew from a real shell."""

import re
import tempfile
from pathlib import Path

from tests.end_to_end.daemon import ROOT, Daemon, daemon
from tests.end_to_end.terminal import Person, person

PAGE = ROOT / "docs" / "SHELL.md"
BLOCK = re.compile(r"(<!-- screen: (\w+) -->\n```text\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)


def shown(sitting: Person) -> str:
    """The screen, with a run of empty lines as one."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(sitting.display()).strip("\n")) + "\n"


def shape(screen: str) -> set[str]:
    """The words of a screen without what differs each time: ids, numbers, times, and where a line is folded."""
    screen = re.sub(r"\b[0-9a-f]{8}(?:[0-9a-f]{24})?\b", "ID", screen)
    screen = re.sub(r"[▲▼] ?[+-]?\d", "±0", screen)
    screen = re.sub(r"\d+(?:[.:]\d+)*(?:ms|s|m\d+s)?", "N", screen)
    return set(screen.split()) - {"ock", "trying", "next", "try", "in", "N", "s", "↓", "more"}


def captured(running: Daemon, home: Path) -> dict[str, str]:
    """Every screen by its name."""
    screens: dict[str, str] = {}
    with person(running, home) as sitting:
        sitting.see_toolbar("PAPER")
        sitting.see_prompt()
        sitting.enter("arm BTCUSDT --strategy immediate")
        sitting.see("entry_filled")
        sitting.see_toolbar("1 active.*PnL [▲▼]")
        sitting.enter("status")
        sitting.see(r"last \d")
        sitting.see_prompt()
        sitting.see_toolbar("PAPER")
        screens["status"] = shown(sitting)
        sitting.enter("arm ETHUSDT short")
        sitting.see_toolbar("1 armed 1 active")
        sitting.type("\x0c")
        sitting.wait_for(lambda: sitting.screen.cursor.y == 0, "a clear screen")
        sitting.type("show ")
        sitting.see_now(r"BTCUSDT long Active [▲▼]")
        sitting.see_toolbar("feed .*PnL [▲▼]")
        screens["completion"] = shown(sitting)
        sitting.type("\x03")
        sitting.see_prompt()
        sitting.type("\x0carm SOLUSDT --strategy ")
        sitting.see_now("breakout")
        sitting.see_now("robson.paper.> arm SOLUSDT --strategy")
        sitting.see_toolbar("feed .*PnL [▲▼]")
        screens["strategies"] = shown(sitting)
        sitting.type("\x03")
        sitting.see_prompt()
        sitting.enter("watch 1")
        sitting.see_now("q leaves")
        sitting.see_now(r"ETHUSDT +short +Armed +last \d")
        sitting.see_toolbar("feed .*PnL [▲▼]")
        screens["watch"] = shown(sitting)
        sitting.type("q")
        sitting.see_prompt()
        running.kill()
        sitting.see_toolbar(r"○ Connection refused")
        sitting.type("\x0c")
        sitting.wait_for(lambda: sitting.screen.cursor.y == 0, "a clear screen")
        sitting.enter("stauts")
        sitting.see_now("did you mean status")
        sitting.see_prompt()
        sitting.see_toolbar(r"○ Connection refused")
        screens["away"] = shown(sitting)
    return screens


def main() -> None:
    """Put the screens of now into the page."""
    with (
        tempfile.TemporaryDirectory(prefix="rsh-") as folder,
        daemon(Path(folder) / "state", "--feed", "synthetic", "--seed", "shell") as running,
    ):
        screens = captured(running, Path(folder) / "home")
    text = PAGE.read_text("utf-8")
    PAGE.write_text(BLOCK.sub(lambda block: block[1] + screens[block[2]] + block[4], text), "utf-8")


if __name__ == "__main__":
    main()
