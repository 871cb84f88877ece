"""What is sent, what a channel is, and how sending fails."""

import unicodedata
from datetime import datetime
from typing import Literal, Protocol

from robson.domain.values import Value

Priority = Literal["urgent", "normal", "low"]

TITLE_CHARACTERS = 120
TEXT_CHARACTERS = 1500
REASON_CHARACTERS = 200


class Message(Value):
    """One notification; `message_id` stays the same however often it is sent, so that a receiver can know it again."""

    message_id: str
    at: datetime
    title: str
    text: str
    priority: Priority = "normal"
    event: str = ""
    seq: int | None = None
    position_id: str | None = None
    mode: str = "paper"


class Refused(Exception):
    """The other side will never take this message."""


class Unsent(Exception):
    """The message did not get through this time; `retry_after` (s) is what the other side asked for."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Channel(Protocol):
    """A way to the operator."""

    @property
    def name(self) -> str:
        """Its name in the configuration, the journal and the metrics."""

    async def send(self, message: Message) -> None:
        """Hand one message over; raises Refused or Unsent, and waits for as long as it is let."""


def clean(text: str, limit: int, *, lines: bool = False) -> str:
    """Text without what steers a terminal, a header or a reader's direction; line feeds only with `lines`."""
    kept = "".join(
        letter if (lines and letter == "\n") or unicodedata.category(letter)[0] != "C" else " " for letter in text
    )
    # Line and paragraph separators are no control characters and break a line all the same.
    kept = kept.replace("\u2028", " ").replace("\u2029", " ")
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"
