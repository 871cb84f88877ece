"""A mail's way to its server as a dialogue without input or output: what to say, judged by what was answered."""

from base64 import b64encode
from collections.abc import Generator
from typing import Literal

from robson.domain.values import Value
from robson.notify.message import REASON_CHARACTERS, Refused, Unsent, clean

LINE_BYTES_MAX = 2048
ANSWER_LINES_MAX = 100


class Answer(Value):
    """One reply of the server: its code, and the text of its lines."""

    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return clean(f"{self.code} {' '.join(self.lines)}", REASON_CHARACTERS)


class Say(Value):
    """Bytes to send (none: only listen), after which one answer is read."""

    content: bytes = b""


class Upgrade(Value):
    """Go on over TLS; nothing is said or heard."""


Step = Say | Upgrade


class Envelope(Value):
    """Who writes to whom, and the message as it goes over the wire."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Login(Value):
    """What the server is to know of us."""

    user: str
    password: bytes


class AnswerReader:
    """Cuts bytes into answers; raises Unsent for what is no SMTP."""

    def __init__(self) -> None:
        self._unread = b""
        self._lines: list[str] = []

    def feed(self, chunk: bytes) -> Answer | None:
        """Take bytes (none to look again); the next whole answer, None while there is none."""
        self._unread += chunk
        while b"\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\n")
            text = line.rstrip(b"\r").decode("utf-8", "replace")
            if not (text[:3].isascii() and text[:3].isdecimal() and text[3:4] in {"", " ", "-"}):
                raise Unsent(f"the server's answer was {clean(text, 60)!r}, which is no SMTP")
            self._lines.append(text[4:])
            if len(self._lines) > ANSWER_LINES_MAX:
                break
            if text[3:4] != "-":
                lines, self._lines = tuple(self._lines), []
                return Answer(code=int(text[:3]), lines=lines)
        if len(self._unread) > LINE_BYTES_MAX or len(self._lines) > ANSWER_LINES_MAX:
            raise Unsent("the server's answer was too long")
        return None

    @property
    def is_empty(self) -> bool:
        """Whether everything that came was read."""
        return not self._unread and not self._lines


def converse(
    envelope: Envelope, login: Login | None, *, security: Literal["starttls", "tls", "none"], host: str
) -> Generator[Step, Answer, None]:
    """Deliver one message; ends once the server has taken it. Raises Refused or Unsent.

    Only what the server says of the message itself is final: a mailbox or a password can be put right.
    """
    _expect((yield Say()), 220)
    offers = yield from _greet(host)
    if security == "starttls":
        if "STARTTLS" not in offers:
            raise Unsent("the server offers no STARTTLS, and nothing is sent in the clear instead")
        _expect((yield Say(content=b"STARTTLS\r\n")), 220)
        yield Upgrade()
        offers = yield from _greet(host)
    if login is not None:
        yield from _log_in(login, offers.get("AUTH", "").split())
    _expect((yield Say(content=f"MAIL FROM:<{envelope.sender}>\r\n".encode())), 250)
    for recipient in envelope.recipients:
        _expect((yield Say(content=f"RCPT TO:<{recipient}>\r\n".encode())), 250, 251, 252)
    _expect((yield Say(content=b"DATA\r\n")), 354, final=True)
    _expect((yield Say(content=stuffed(envelope.content))), 250, final=True)


def stuffed(content: bytes) -> bytes:
    """A message with CRLF line ends, dots doubled and its end marked."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n").split(b"\n")
    return b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines) + b".\r\n"


def _greet(host: str) -> Generator[Step, Answer, dict[str, str]]:
    answer = _expect((yield Say(content=f"EHLO {host}\r\n".encode())), 250)
    offers = {}
    for line in answer.lines[1:]:
        name, _, rest = line.partition(" ")
        offers[name.upper()] = rest.upper()
    return offers


def _log_in(login: Login, ways: list[str]) -> Generator[Step, Answer, None]:
    user = login.user.encode()
    if "PLAIN" in ways:
        secret = b64encode(b"\0" + user + b"\0" + login.password)
        _expect((yield Say(content=b"AUTH PLAIN " + secret + b"\r\n")), 235, quiet=True)
    elif "LOGIN" in ways:
        _expect((yield Say(content=b"AUTH LOGIN\r\n")), 334)
        _expect((yield Say(content=b64encode(user) + b"\r\n")), 334, quiet=True)
        _expect((yield Say(content=b64encode(login.password) + b"\r\n")), 235, quiet=True)
    else:
        raise Unsent("the server offers neither AUTH PLAIN nor AUTH LOGIN")


def _expect(answer: Answer, *codes: int, final: bool = False, quiet: bool = False) -> Answer:
    if answer.code in codes:
        return answer
    # A server may repeat what it was sent: of a login only the code is told.
    told = f"SMTP {answer.code} to the login" if quiet else f"SMTP {answer}"
    if final and 500 <= answer.code < 600:  # noqa: PLR2004  the class of final failures
        raise Refused(told)
    raise Unsent(told)
