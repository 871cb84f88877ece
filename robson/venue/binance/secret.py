"""A secret that shows itself to nobody who does not ask for it by name."""

import hmac
from typing import NoReturn


class Secret:
    """Bytes that appear in no repr, message, log or pickle; `reveal` is the one way to them."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def reveal(self) -> bytes:
        """The content; keep it out of local variables."""
        return self._content

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._content, other._content)

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")
