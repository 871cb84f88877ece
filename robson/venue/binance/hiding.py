"""Taking secrets out of what others say: a server, or a proxy before it, may repeat the request that it was sent."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

MASK = b"(hidden)"

# Whoever repeats a request repeats its signature by this name.
_SIGNATURE = re.compile(rb"(?<=signature=)(?:[^&\s\"'<>\\]|\\/)+")


def signature_of(query: bytes) -> bytes:
    """The signature at the end of a signed query, as it is sent; empty where there is none."""
    return query.rpartition(b"&signature=")[2] if b"&signature=" in query else b""


def masked(content: bytes, secrets: Iterable[bytes]) -> bytes:
    """The content without these secrets, percent-encoded or not, and without anything that is called a signature."""
    for secret in secrets:
        for form in {secret, unquote_to_bytes(secret)} - {b""}:
            content = content.replace(form, MASK)
    return _SIGNATURE.sub(MASK, content) if b"signature=" in content else content
