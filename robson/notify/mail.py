"""The channel by mail: the dialogue over Trio's streams, in the clear only where the operator said so."""

import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import trio

from robson.notify.dialogue import AnswerReader, Envelope, Login, Say, Upgrade, converse
from robson.notify.message import REASON_CHARACTERS, Message, Unsent, clean
from robson.notify.settings import NotifySettings
from robson.venue.binance.secret import Secret

_CHUNK = 4096


class Mail:
    """One message, one connection."""

    name = "smtp"

    def __init__(self, settings: NotifySettings, password: Secret | None, tls: ssl.SSLContext) -> None:
        self._settings, self._password, self._tls = settings, password, tls
        self._recipients = tuple(address.strip() for address in settings.smtp_to.split(","))

    async def send(self, message: Message) -> None:
        """Hand one message to the mail server; raises Refused or Unsent."""
        reason = ""
        try:
            await self._deliver(message)
        except (OSError, trio.BrokenResourceError, ssl.SSLError, UnicodeError) as error:
            root = error.__cause__ or error
            reason = clean(f"{type(root).__name__}: {root}", REASON_CHARACTERS)
        else:
            return
        raise Unsent(reason)

    async def _deliver(self, message: Message) -> None:
        settings = self._settings
        stream: trio.abc.Stream = await trio.open_tcp_stream(settings.smtp_host, settings.smtp_port)
        try:
            if settings.smtp_security == "tls":
                stream = self._secured(stream)
            login = None
            if settings.smtp_user and self._password is not None:
                login = Login(user=settings.smtp_user, password=self._password.reveal())
            dialogue = converse(self._envelope(message), login, security=settings.smtp_security, host="localhost")
            reader = AnswerReader()
            step = next(dialogue)
            with suppress(StopIteration):
                while True:
                    match step:
                        case Say(content=content):
                            if content:
                                await stream.send_all(content)
                            while (answer := reader.feed(b"")) is None:
                                chunk = bytes(await stream.receive_some(_CHUNK))
                                if not chunk:
                                    raise Unsent("the server closed the connection")
                                if (answer := reader.feed(chunk)) is not None:
                                    break
                            step = dialogue.send(answer)
                        case Upgrade():
                            if not reader.is_empty:
                                raise Unsent("the server spoke before TLS began: somebody may be in between")
                            stream = self._secured(stream)
                            step = next(dialogue)
            # It was taken; whether the goodbye arrives matters to nobody.
            with suppress(OSError, trio.BrokenResourceError), trio.move_on_after(1):
                await stream.send_all(b"QUIT\r\n")
        finally:
            await trio.aclose_forcefully(stream)

    def _secured(self, stream: trio.abc.Stream) -> trio.SSLStream[trio.abc.Stream]:
        return trio.SSLStream(stream, self._tls, server_hostname=self._settings.smtp_host, https_compatible=True)

    def _envelope(self, message: Message) -> Envelope:
        sender = self._settings.smtp_from.strip()
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"] = sender, ", ".join(self._recipients)
        mail["Subject"] = clean(message.title, 200)
        mail["Date"] = format_datetime(message.at)
        # The same whenever it is sent again: mailboxes show a message only once.
        mail["Message-ID"] = f"<{message.message_id}.robson@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        if message.priority == "urgent":
            mail["X-Priority"], mail["Importance"] = "1", "high"
        mail.set_content(f"{message.text}\n", cte="quoted-printable")
        return Envelope(sender=sender, recipients=self._recipients, content=mail.as_bytes())
