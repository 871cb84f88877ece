"""The screens in docs/SHELL.md are what the shell shows."""

from pathlib import Path

from robsonctl.shell.own import OWN
from tests.end_to_end.daemon import daemon
from tests.end_to_end.screens import BLOCK, PAGE, captured, shape


def test_the_page_shows_the_screens_of_the_shell(tmp_path: Path) -> None:
    documented = {block[2]: block[3] for block in BLOCK.finditer(PAGE.read_text("utf-8"))}
    with daemon(tmp_path / "state", "--feed", "synthetic", "--seed", "shell") as running:
        screens = captured(running, tmp_path / "home")
    assert documented.keys() == screens.keys()
    for name, screen in screens.items():
        assert shape(documented[name]) == shape(screen), f"{name}: python -m tests.end_to_end.screens"


def test_every_command_of_the_shells_own_is_in_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert not [name for name in OWN if f"`{name}" not in text]
