"""A typed line as commands of words: quotes, backslashes, and `;` or a line feed between commands."""

from typing import NamedTuple

from robsonctl.exits import Ended, Exit


class Word(NamedTuple):
    """One word without its quotes, and where it begins in the line."""

    text: str
    start: int


class Lines(NamedTuple):
    """The commands of a line; `open_quote` is the quote that was never closed, or empty."""

    commands: list[list[Word]]
    open_quote: str
    # Whether the last word goes on at the end of the line, so that a completion continues it.
    unfinished: bool


def take_apart(text: str) -> Lines:
    """The text as commands of words, however unfinished it is; the last command may be empty."""
    reader = _Reader()
    for place, character in enumerate(text):
        reader.read(character, place)
    unfinished = reader.within
    if reader.within:
        reader.end_word()
    return Lines(reader.commands, reader.quote, unfinished)


class _Reader:
    def __init__(self) -> None:
        self.commands: list[list[Word]] = [[]]
        self.quote = ""
        self.within = False
        self._escaped = False
        self._letters: list[str] = []
        self._start = 0

    def read(self, character: str, place: int) -> None:
        if self._escaped:
            self._escaped = False
            self._take(character, place)
        elif self.quote:
            if character == self.quote:
                self.quote = ""
            else:
                self._take(character, place)
        elif character in "'\"":
            self.quote = character
            self._begin(place)
        elif character == "\\" and self.within:
            # At the beginning of a word it is a letter: `\x` is a command of the shell.
            self._escaped = True
        elif character in ";\n\r":
            self.end_word()
            self.commands.append([])
        elif character.isspace():
            self.end_word()
        else:
            self._take(character, place)

    def end_word(self) -> None:
        if self.within:
            self.commands[-1].append(Word("".join(self._letters), self._start))
        self._letters = []
        self.within = False

    def _begin(self, place: int) -> None:
        if not self.within:
            self.within = True
            self._start = place

    def _take(self, character: str, place: int) -> None:
        self._begin(place)
        self._letters.append(character)


def commands_of(text: str) -> list[list[str]]:
    """The commands of a finished line, without the empty ones; raises Ended (2) when a quote is still open."""
    found = take_apart(text)
    if found.open_quote:
        raise Ended(Exit.USAGE, f"the quote {found.open_quote} is not closed", code="usage")
    return [[word.text for word in words] for words in found.commands if words]
