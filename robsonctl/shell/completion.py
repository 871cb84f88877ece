"""Completion in prompt-toolkit's terms."""

from collections.abc import Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from robsonctl.shell.lines import Grammar
from robsonctl.shell.offers import offers
from robsonctl.shell.picture import Picture
from robsonctl.shell.words import take_apart


class Completions(Completer):
    """Offers what may stand at the cursor."""

    def __init__(self, grammar: Grammar, picture: Picture) -> None:
        self._grammar = grammar
        self._picture = picture

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """The offers for the word at the cursor; on an empty line only when Tab asks for them."""
        before = document.text_before_cursor
        found = take_apart(before)
        words = found.commands[-1]
        if not words and not complete_event.completion_requested:
            return
        *finished, last = [word.text for word in words] if found.unfinished else [*(word.text for word in words), ""]
        start = words[-1].start - len(before) if found.unfinished else 0
        name, equals, value = last.partition("=")
        if last.startswith("--") and equals:
            # `--strategy=sma` is `--strategy` and a value.
            finished, last, start = [*finished, name], value, -len(value)
        for offer in offers(self._grammar, self._picture, finished, last):
            if offer.text != last:
                yield Completion(offer.text, start, display=offer.shown or offer.text, display_meta=offer.meta)
