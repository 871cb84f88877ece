"""Pipe mode: JSON lines in, JSON lines out, both untouched."""

import json
import os
import select
import socket
import sys

from robsonctl.connection import Daemon
from robsonctl.exits import Exit
from robsonctl.output import complain, flush, write

_CHUNK_BYTES = 65_536


class Pipe:
    """Carries standard input to the daemon and its lines to standard output, each as it comes."""

    def __init__(self, connected: socket.socket, stdin: int) -> None:
        self._socket = connected
        self._stdin: int | None = stdin
        self._unsent = bytearray()
        self._unread = bytearray()
        self._asked = 0
        self._answered = 0
        self._failed = 0
        self._line_begun = False

    def run(self) -> int:
        """Exit 0 only if every request got an ok."""
        self._socket.setblocking(False)
        while self._turn():
            pass
        if self._answered < self._asked:
            complain(
                f"{self._asked - self._answered} of {self._asked} requests were not answered: their outcome is unknown",
                code="connection_lost",
                hint="look with `robsonctl status` before you repeat what changes something",
            )
            return Exit.OUTCOME_UNKNOWN
        return Exit.REFUSED if self._failed else Exit.OK

    def _turn(self) -> bool:
        """Wait for whatever can go on; False at the daemon's end of its lines."""
        # What the daemon has not taken yet is bounded: nothing more is read before it has gone.
        readable: list[int | socket.socket] = [self._socket]
        if self._stdin is not None and not self._unsent:
            readable.append(self._stdin)
        ready, sendable, _ = select.select(readable, [self._socket] if self._unsent else [], [])
        if self._stdin is not None and self._stdin in ready:
            self._take_input(os.read(self._stdin, _CHUNK_BYTES))
        if sendable:
            self._send()
        return self._socket not in ready or self._take_replies()

    def _take_input(self, chunk: bytes) -> None:
        self._unsent += chunk
        self._count(chunk)
        if not chunk:
            self._stdin = None
            self._shut()

    def _count(self, chunk: bytes) -> None:
        """Count the requests, which are the lines that are not blank; a chunk may end anywhere."""
        for number, part in enumerate(chunk.split(b"\n")):
            self._line_begun = self._line_begun and number == 0
            if part.strip() and not self._line_begun:
                self._asked += 1
                self._line_begun = True

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            # The daemon closed: what it said before is still to be read.
            self._unsent.clear()
            self._stdin = None
            return
        del self._unsent[:sent]
        if self._stdin is None:
            self._shut()

    def _shut(self) -> None:
        if not self._unsent:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                return

    def _take_replies(self) -> bool:
        try:
            chunk = self._socket.recv(_CHUNK_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self._unread += chunk
        *lines, rest = bytes(self._unread).split(b"\n")
        self._unread = bytearray(rest)
        for line in lines:
            # Event lines have none.
            verdict = json.loads(line).get("ok")
            if verdict is not None:
                self._answered += 1
                self._failed += not verdict
            write(line.decode() + "\n")
        flush()
        return bool(chunk)


def pipe(daemon: Daemon) -> int:
    """Carry standard input's lines to the daemon and back."""
    return Pipe(daemon.connected(), sys.stdin.fileno()).run()
