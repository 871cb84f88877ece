"""The channels over HTTP: ntfy, Telegram, a program's own address, and the ping that says that all is well."""

import hmac
import json
import logging
import re
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Any

import httpx
import msgspec

from robson.domain.values import Value
from robson.notify.message import REASON_CHARACTERS, Message, Refused, Unsent, clean
from robson.ports.clock import Clock
from robson.venue.binance.connections import said
from robson.venue.binance.hiding import masked
from robson.venue.binance.secret import Secret

ANSWER_BYTES_MAX = 16 * 1024
# These judge the message; what others refuse (a key, an address) the operator may put right, so they are tried again.
FINAL = frozenset({400, 405, 406, 410, 411, 413, 414, 415, 422, 431})
RETRY_AFTER_MOST_SECONDS = 3600.0
# Shorter pieces of an address are words.
SECRET_PIECE_BYTES = 8

_NTFY_PRIORITY = {"urgent": 5, "normal": 3, "low": 2}


class _Answer(Value):
    """What is understood of a failure's body; Telegram puts its pause there."""

    parameters: dict[str, Any] = {}


class Http:
    """Sends one request at a time, follows nobody elsewhere and reads a limited answer; one TLS context for all."""

    def __init__(self, clock: Clock, tls: ssl.SSLContext | None = None) -> None:
        # httpx logs each address, token and all.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).disabled = True
        self._clock = clock
        self._tls = tls or httpx.create_ssl_context(trust_env=False)

    async def ask(
        self,
        method: str,
        url: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        secrets: tuple[bytes, ...] = (),
    ) -> None:
        """One request; raises Refused or Unsent in words without the secrets or the address."""
        reason = ""
        try:
            async with (
                httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=None, follow_redirects=False) as client,  # noqa: S113  the caller's cancel scope is the limit
                client.stream(
                    method, url, content=content, headers={"User-Agent": "robson", **(headers or {})}
                ) as answer,
            ):
                body = b""
                # A whole answer: one that is cut off may be another's than the server's.
                async for chunk in answer.aiter_raw():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        break
                self._judge(answer, body, secrets)
                return
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError, UnicodeError) as error:
            reason = _told(said(error).encode(), secrets)
        # Raised here and not above: a chained error of httpx would carry the request, and with it the token.
        raise Unsent(reason)

    def _judge(self, answer: httpx.Response, body: bytes, secrets: tuple[bytes, ...]) -> None:
        status = answer.status_code
        if 200 <= status < 300:  # noqa: PLR2004  the class of successes
            return
        told = _told(body, secrets)
        reason = f"HTTP {status}: {told}" if told else f"HTTP {status}"
        if status in FINAL:
            raise Refused(reason)
        raise Unsent(reason, self._pause(answer.headers.get("Retry-After", ""), body))

    def _pause(self, header: str, body: bytes) -> float | None:
        seconds: float | None = None
        if header.isascii() and header.isdecimal():
            seconds = float(header[:9])
        elif header:
            try:
                seconds = (parsedate_to_datetime(header) - self._clock.now()).total_seconds()
            except (ValueError, TypeError):
                seconds = None
        if seconds is None:
            try:
                asked = msgspec.json.decode(body, type=_Answer).parameters.get("retry_after")
            except msgspec.DecodeError:
                asked = None
            seconds = float(asked) if isinstance(asked, (int, float)) else None
        return None if seconds is None else min(max(seconds, 0.0), RETRY_AFTER_MOST_SECONDS)


class Ntfy:
    """A ntfy server; published as JSON, so that nothing of a text is ever a header."""

    name = "ntfy"

    def __init__(self, http: Http, url: str, topic: str, token: Secret | None) -> None:
        self._http, self._url, self._topic, self._token = http, url, topic, token

    async def send(self, message: Message) -> None:
        """Publish one message; raises Refused or Unsent."""
        fields = {
            "topic": self._topic,
            "title": message.title,
            "message": message.text,
            "priority": _NTFY_PRIORITY[message.priority],
        }
        headers = {"X-Robson-Id": message.message_id}
        secrets: tuple[bytes, ...] = ()
        if self._token is not None:
            secrets = (self._token.reveal(),)
            headers["Authorization"] = f"Bearer {secrets[0].decode('latin-1')}"
        await self._http.ask("POST", self._url, content=_json(fields), headers=headers, secrets=secrets)


class Telegram:
    """A bot's sendMessage, and nothing else: no command is ever read from there."""

    name = "telegram"

    def __init__(self, http: Http, url: str, chat_id: str, token: Secret) -> None:
        self._http, self._url, self._chat_id, self._token = http, url, chat_id, token

    async def send(self, message: Message) -> None:
        """Write one message to the chat, as plain text; raises Refused or Unsent."""
        fields = {
            "chat_id": self._chat_id,
            "text": f"{message.title}\n{message.text}",
            "disable_notification": message.priority == "low",
            "link_preview_options": {"is_disabled": True},
        }
        secret = self._token.reveal()
        url = f"{self._url.rstrip('/')}/bot{secret.decode('latin-1')}/sendMessage"
        headers = {"Content-Type": "application/json"}
        await self._http.ask("POST", url, content=_json(fields), headers=headers, secrets=(secret,))


class Webhook:
    """A program's address: JSON, signed over the time of sending and the body."""

    name = "webhook"

    def __init__(self, http: Http, clock: Clock, url: Secret, key: Secret | None) -> None:
        self._http, self._clock, self._url, self._key = http, clock, url, key

    async def send(self, message: Message) -> None:
        """Post one message; raises Refused or Unsent."""
        body = msgspec.json.encode(message)
        stamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": message.message_id,
            "X-Robson-Timestamp": stamp,
        }
        url = self._url.reveal()
        secrets = parts_of(url)
        if self._key is not None:
            secrets += (self._key.reveal(),)
            headers["X-Robson-Signature"] = f"sha256={signature(self._key.reveal(), stamp, body)}"
        await self._http.ask("POST", url.decode("latin-1"), content=body, headers=headers, secrets=secrets)


def signature(key: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256, in hex, of the timestamp (Unix seconds), a full stop and the body."""
    return hmac.new(key, timestamp.encode() + b"." + body, sha256).hexdigest()


def parts_of(url: bytes) -> tuple[bytes, ...]:
    """What of a secret address must not be told, the longest first: a server repeats what came after its name."""
    target = b"/" + url.partition(b"://")[2].partition(b"/")[2]
    pieces = (target, *re.split(rb"[/?&=#]", target))
    return (url, *sorted((p for p in pieces if len(p) >= SECRET_PIECE_BYTES), key=len, reverse=True))


def _json(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=True).encode()


def _told(text: bytes, secrets: tuple[bytes, ...]) -> str:
    return clean(masked(text, secrets).decode("utf-8", "replace"), REASON_CHARACTERS).strip()
