"""Writes packaging/man and packaging/completion: `python -m tests.manuals.write`."""

from pathlib import Path

from tests.manuals.completion import SHELLS, completion
from tests.manuals.pages import pages

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


def files() -> dict[Path, str]:
    """Every file and what it must hold."""
    made = {PACKAGING / "man" / name: text for name, text in pages().items()}
    for shell in SHELLS:
        made |= {PACKAGING / "completion" / name: text for name, text in completion(shell).items()}
    return made


def main() -> None:
    """Write them all."""
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(PACKAGING.parent))


if __name__ == "__main__":
    main()
