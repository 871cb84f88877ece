"""Text from elsewhere, made harmless for a terminal."""

import re
import unicodedata
from collections.abc import Iterator

# Our own colours are the only sequences that pass: none of them hides text, moves the cursor or asks the terminal.
_COLOUR = re.compile(r"(\x1b\[(?:[012]|3[1-7]|9[1-7]|1;4[1-6])?m)")
_PLAIN = "\x1b[0m"
# Controls, formats (that turn the direction of writing, or have no width), surrogates, and the separators of lines.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def harmless(text: str) -> str:
    """The text with everything that a terminal would obey shown as an escape; line feeds, tabs and colours stay."""
    if text.isascii() and text.isprintable():
        return text
    parts = _COLOUR.split(text)
    shown = "".join(part if number % 2 else "".join(map(_shown, part)) for number, part in enumerate(parts))
    # A colour that was left on would be that of all that follows.
    return shown + _PLAIN if len(parts) > 1 and not shown.endswith(_PLAIN) else shown


def bare(text: str) -> str:
    """The same on one line and without colours, for places that are painted by name."""
    return "".join(map(_shown, text.replace("\n", " ").replace("\t", " ")))


def folded(text: str, columns: int) -> str:
    """The lines of a text folded between words where they are wider than the window; a longer word stays whole."""
    return "\n".join(part for line in text.splitlines() for part in _parts(line, columns))


def _parts(line: str, columns: int) -> Iterator[str]:
    indent = "  " if columns > 30 else ""
    part = ""
    for word in re.split(r"(?<=\S) ", line):
        if part and width(part) + 1 + width(word) > columns:
            yield part
            part = indent + word
        else:
            part = f"{part} {word}" if part else word
    yield part


def width(text: str) -> int:
    """How many columns a line takes, colours not counted."""
    plain = _COLOUR.sub("", text)
    if plain.isascii():
        return len(plain)
    from prompt_toolkit.utils import get_cwidth

    return get_cwidth(plain)


def _shown(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in _UNSAFE:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
