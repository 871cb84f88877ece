"""The way to the daemon: which socket, and one request after another on it, with a time limit."""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from stat import S_ISSOCK
from types import TracebackType
from typing import TYPE_CHECKING, Self

from robsonctl.exits import Ended, Exit
from robsonctl.wire import Question, View, line_of, mutating, result_of, safe

if TYPE_CHECKING:
    from robson.protocol.replies import ErrorBody
    from robson.protocol.requests import Request

_SOCKET_NAME = "robson.sock"
_SYSTEM_SOCKET = "/run/robson/robson.sock"
_CHUNK_BYTES = 65_536

_NOT_FOUND_CODES = frozenset({"unknown_position"})


class Refused(Ended):
    """The daemon said no."""

    def __init__(self, error: "ErrorBody | View") -> None:
        match error.code:
            case code if code in _NOT_FOUND_CODES:
                exit_code = Exit.NOT_FOUND
            case "too_many_clients":
                exit_code = Exit.UNREACHABLE
            case _:
                exit_code = Exit.REFUSED
        super().__init__(exit_code, safe(error.message), code=safe(error.code), hint=safe(error.hint or ""))


def find_socket(option: str | None, environment: Mapping[str, str], directory: str | os.PathLike[str]) -> str:
    """The path of the socket that was named, else of the first that exists of those a daemon would make.

    Raises Ended (69) when none exists, naming the places.
    """
    named = option or environment.get("ROBSON_SOCKET")
    if named:
        return named
    places = list(_places(environment, os.fspath(directory)))
    for place in places:
        if _is_socket(place):
            return place
    raise Ended(
        Exit.UNREACHABLE,
        "no daemon's socket was found at " + ", ".join(places),
        hint="start one with `robson run`, or name its socket with --socket or ROBSON_SOCKET",
    )


def _is_socket(path: str) -> bool:
    try:
        return S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _places(environment: Mapping[str, str], directory: str) -> Iterator[str]:
    if state := environment.get("ROBSON_STATE_DIR"):
        yield f"{state}/{_SOCKET_NAME}"
    parent = directory
    while True:
        if os.path.isfile(f"{parent}/pyproject.toml") and os.path.isfile(f"{parent}/robson/__init__.py"):
            yield os.path.join(parent, "state", _SOCKET_NAME)
            break
        if (above := os.path.dirname(parent)) == parent:
            break
        parent = above
    if home := environment.get("XDG_STATE_HOME"):
        yield f"{home}/robson/{_SOCKET_NAME}"
    elif home := environment.get("HOME"):
        yield f"{home}/.local/state/robson/{_SOCKET_NAME}"
    yield _SYSTEM_SOCKET


class Daemon:
    """One connection to the daemon; it is looked for and made at the first request."""

    def __init__(self, locate: Callable[[], str | os.PathLike[str]], timeout_seconds: float | None = None) -> None:
        self._locate = locate
        self._timeout_seconds = timeout_seconds
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave; what is under way in the daemon goes on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._received.clear()

    def interrupt(self) -> None:
        """Wake whoever waits for the daemon, from another thread: there it is as if Ctrl-C had been typed."""
        self._interrupted = True
        connected = self._socket
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def ask(self, request: "Question | Request", *, seconds: float = 10.0) -> bytes:
        """Send a request and return its result's JSON, untouched.

        `seconds` is how long to wait unless the operator said otherwise. Raises Refused, or Ended with 69 (not done:
        the daemon is not there) or 75 (a mutation that was sent and not answered).
        """
        self.send(request)
        line = self._await_reply(request, self._timeout_seconds or seconds)
        result = result_of(line)
        if isinstance(result, View):
            raise Refused(result)
        return result

    def send(self, request: "Question | Request") -> None:
        """Send a request without waiting."""
        line = line_of(request)
        try:
            self.connected().sendall(line)
        except BrokenPipeError:
            # The daemon may have said why before it closed; the reader will find it, or the end.
            return
        except OSError as fault:
            raise Ended(
                Exit.UNREACHABLE, f"the request could not be sent: {fault.strerror or fault}", code="unreachable"
            ) from fault

    def lines(self) -> Iterator[bytes]:
        """Whatever the daemon sends from now on, line by line, until it closes."""
        while line := self._line(None):
            yield line

    def connected(self) -> socket.socket:
        """The open socket; raises Ended (69) when nobody answers."""
        if self._interrupted:
            raise KeyboardInterrupt
        if self._socket is None:
            path = self._locate()
            caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                caller.settimeout(self._timeout_seconds or 10.0)
                caller.connect(os.fspath(path))
            except OSError as fault:
                caller.close()
                raise _unreachable(path, fault) from fault
            self._socket = caller
        return self._socket

    def _await_reply(self, request: "Question | Request", seconds: float) -> bytes:
        try:
            line = self._line(time.monotonic() + seconds)
        except TimeoutError:
            raise self._unanswered(request, f"the daemon did not answer within {seconds:g} s") from None
        except KeyboardInterrupt:
            if mutating(request) is not None:
                raise self._unanswered(request, "interrupted before the answer", Exit.INTERRUPTED) from None
            raise
        if not line:
            raise self._unanswered(request, "the daemon closed the connection before it answered")
        return line

    def _line(self, deadline: float | None) -> bytes:
        """The next line, empty at the end; raises TimeoutError."""
        connected = self.connected()
        while (end := self._received.find(b"\n")) < 0:
            if deadline is None:
                connected.settimeout(None)
            else:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                connected.settimeout(left)
            try:
                chunk = connected.recv(_CHUNK_BYTES)
            except ConnectionError:
                chunk = b""
            if self._interrupted:
                raise KeyboardInterrupt
            if not chunk:
                return b""
            self._received += chunk
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _unanswered(self, request: "Question | Request", what: str, exit_code: Exit = Exit.OUTCOME_UNKNOWN) -> Ended:
        # A late answer to this request must not be taken for the next one's.
        self.close()
        key = mutating(request)
        if key is None:
            return Ended(Exit.UNREACHABLE, what, code="no_answer", hint="`robsonctl health` tells more")
        return Ended(
            exit_code,
            f"{what}: the outcome is unknown",
            code="outcome_unknown",
            hint=f"look with `robsonctl status`; the same command with `--key {key}` is done at most once",
        )


def _unreachable(path: str | os.PathLike[str], fault: OSError) -> Ended:
    return Ended(
        Exit.UNREACHABLE,
        f"no daemon answers at {path}: {fault.strerror or fault}",
        code="unreachable",
        hint="is `robson run` running, and may you use its socket?",
    )
