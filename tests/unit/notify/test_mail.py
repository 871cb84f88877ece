"""The channel by mail against a real mail server in a process of its own, and against what is none."""

import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from robson.notify.dialogue import AnswerReader, stuffed
from robson.notify.mail import Mail
from robson.notify.message import Refused, Unsent
from robson.notify.settings import NotifySettings
from robson.venue.binance.secret import Secret
from tests.unit.notify.test_http import MESSAGE, PATIENCE_SECONDS

SERVER = Path(__file__).with_name("mail_server.py")
PLAIN: dict[str, Any] = {"smtp_security": "none"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "server.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@asynccontextmanager
async def mail_server(
    certificate: Path | str = "-", answer: str = "250 OK", *options: str
) -> AsyncIterator[tuple[int, Any]]:
    """Port and process of a mail server for the block."""
    command = [sys.executable, str(SERVER), str(certificate), answer, *options]
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            process = await nursery.start(
                lambda task_status: trio.run_process(  # noqa: ASYNC105  the nursery awaits it
                    command, stdout=subprocess.PIPE, capture_stdout=False, check=False, task_status=task_status
                )
            )
            assert process.stdout is not None
            yield int((await process.stdout.receive_some(100)).split()[0]), process.stdout
            nursery.cancel_scope.cancel()


def mail(port: int, certificate: Path | None = None, **settings: Any) -> Mail:
    given = NotifySettings(
        smtp_host="127.0.0.1", smtp_port=port, smtp_from="bot@example.org", smtp_to="a@example.org, b@example.org",
        **settings,
    )  # fmt: skip
    tls = ssl.create_default_context(cafile=certificate)
    return Mail(given, Secret(b"pa ss") if given.smtp_user else None, tls)


async def taken(lines: Any) -> dict[str, Any]:
    text = b""
    while b"\n" not in text:
        text += await lines.receive_some(65_536)
    got: dict[str, Any] = json.loads(text)
    return got


async def test_a_mail_goes_out_over_starttls_with_a_login(certificate: Path) -> None:
    hostile = msgspec.structs.replace(MESSAGE, title="closed\r\nBcc: c@example.org", text=".\n.dots\nBcc: x")
    async with mail_server(certificate) as (port, lines):
        await mail(port, certificate, smtp_user="robson").send(hostile)
        got = await taken(lines)
    assert (got["tls"], got["login"], got["to"]) == (True, True, ["a@example.org", "b@example.org"])
    head, _, body = got["content"].partition("\r\n\r\n")
    assert "Message-ID: <paper-webhook-7.robson@example.org>" in head
    assert "\r\nBcc:" not in head
    assert "Importance: high" in head
    assert body.replace("\r\n", "\n").strip() == ".\n.dots\nBcc: x"


@pytest.mark.parametrize("options", [("login",), ("tls",), ("tls", "login")], ids=" ".join)
async def test_a_mail_goes_out_with_tls_from_the_start_and_where_only_login_is_offered(
    certificate: Path, options: tuple[str, ...]
) -> None:
    security = {"smtp_security": "tls"} if "tls" in options else {}
    async with mail_server(certificate, "250 OK", *options) as (port, lines):
        await mail(port, certificate, smtp_user="robson", **security).send(MESSAGE)
        got = await taken(lines)
    assert (got["tls"], got["login"]) == (True, True)
    assert "Subject: " + MESSAGE.title in got["content"]


@pytest.mark.parametrize("options", [("login",), ()], ids=["login", "plain"])
async def test_no_way_of_logging_in_shows_a_password_that_is_wrong(options: tuple[str, ...]) -> None:
    async with mail_server("-", "250 OK", *options) as (port, _):
        with pytest.raises(Unsent) as caught:
            await mail(port, smtp_user="another", **PLAIN).send(MESSAGE)
    assert str(caught.value) == "SMTP 535 to the login"


async def test_tls_from_the_start_is_not_given_up_for_a_foreign_certificate_or_a_server_without(
    certificate: Path,
) -> None:
    async with mail_server(certificate, "250 OK", "tls") as (port, _):
        with pytest.raises(Unsent, match="(?i)certificate"):
            await mail(port, smtp_security="tls").send(MESSAGE)
    async with mail_server() as (port, _):
        with pytest.raises(Unsent, match="(?i)ssl"):
            await mail(port, certificate, smtp_security="tls").send(MESSAGE)


async def test_without_starttls_or_with_a_foreign_certificate_nothing_is_sent(certificate: Path) -> None:
    async with mail_server() as (port, _):
        with pytest.raises(Unsent, match="no STARTTLS"):
            await mail(port).send(MESSAGE)
    async with mail_server(certificate) as (port, _):
        with pytest.raises(Unsent, match="(?i)certificate"):
            await mail(port).send(MESSAGE)


@pytest.mark.parametrize(("answer", "kind"), [("554 spam", Refused), ("451 later", Unsent)])
async def test_what_the_server_says_of_a_message_is_final_with_5(answer: str, kind: type[Exception]) -> None:
    async with mail_server(answer=answer) as (port, _):
        with pytest.raises(kind, match=answer):
            await mail(port, **PLAIN).send(MESSAGE)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad\r\n", b"220-" + b"x" * 5000, b"421 busy\r\n"])
async def test_what_is_no_mail_server_is_a_failure_in_words(greeting: bytes) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.send_all(greeting)
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        with pytest.raises(Unsent):
            await mail(listener.socket.getsockname()[1], **PLAIN).send(MESSAGE)
        nursery.cancel_scope.cancel()


async def test_a_server_that_says_nothing_is_left_by_its_cancel_scope_and_a_closed_port_is_told() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    with trio.move_on_after(0.05) as scope:
        await mail(port, **PLAIN).send(MESSAGE)
    assert scope.cancelled_caught
    await listener.aclose()
    with pytest.raises(Unsent):
        await mail(port, **PLAIN).send(MESSAGE)


def test_dots_are_doubled_and_answers_are_cut_at_their_last_line() -> None:
    assert stuffed(b"a\n.b\n") == b"a\r\n..b\r\n.\r\n"
    reader = AnswerReader()
    assert reader.feed(b"250-a\r\n250") is None
    answer = reader.feed(b" b\r\n220 x\r\n")
    assert answer is not None
    assert (answer.code, answer.lines) == (250, ("a", "b"))
    assert not reader.is_empty
