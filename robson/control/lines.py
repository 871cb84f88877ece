"""Bytes into lines, with a limit; no input or output of its own."""

LINE_BYTES_MAX = 65_536

_LINE_FEED = b"\n"


class LineTooLong(Exception):
    """More than the limit came without a line feed; what came after cannot be told apart from it."""


class LineSplitter:
    """Collects chunks and gives whole lines, without their line feeds.

    It holds what was received and not yet taken: feed it one chunk at a time and take all lines in between. `taken`
    counts the lines.
    """

    def __init__(self, limit: int = LINE_BYTES_MAX) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self._searched = 0
        self.taken = 0

    def receive(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        self._bytes += chunk

    def next_line(self) -> bytes | None:
        """The next whole line, or None until more is received; raises LineTooLong beyond the limit."""
        end = self._bytes.find(_LINE_FEED, self._searched)
        if end > self._limit or (end < 0 and len(self._bytes) > self._limit):
            raise LineTooLong
        if end < 0:
            # Without this, a line that trickles in byte by byte is searched again and again.
            self._searched = len(self._bytes)
            return None
        line = bytes(self._bytes[:end])
        del self._bytes[: end + 1]
        self._searched = 0
        self.taken += 1
        return line

    @property
    def holds_more(self) -> bool:
        """Whether something was received that no line has taken yet."""
        return bool(self._bytes)

    def rest(self) -> bytes:
        """What came after the last line feed; for the end of the stream."""
        return bytes(self._bytes)
