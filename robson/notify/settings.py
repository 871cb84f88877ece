"""Section `[notify]` of the configuration, and the secrets that belong to it, which come from files only."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from robson.domain.errors import ConfigurationError
from robson.domain.events import EVENT_TYPES, NOTICE_TYPES
from robson.domain.values import ExitReason, Value
from robson.venue.binance.secret import Secret

Treatment = Literal["on", "silent", "off"]

NTFY_TOKEN = "notify-ntfy-token"  # noqa: S105  the name of a file, as are the others
TELEGRAM_TOKEN = "notify-telegram-token"  # noqa: S105  a file name
WEBHOOK_KEY = "notify-webhook-key"
WEBHOOK_URL = "notify-webhook-url"
SMTP_PASSWORD = "notify-smtp-password"  # noqa: S105  a file name
PING_URL = "notify-ping-url"

BY_REASON = frozenset({"exit_triggered", "position_closed"})
_LIMITS = {
    "timeout_seconds": (1.0, 120.0),
    "max_age_seconds": (60.0, 7 * 86400.0),
    "ping_seconds": (10.0, 86400.0),
    "smtp_port": (1, 65535),
}
DIGEST_LEAST_SECONDS = 60.0
_ADDRESS = re.compile(r"[^\s<>@,;:\"]+@[^\s<>@,;:\"]+", re.ASCII)


class NotifySettings(Value, forbid_unknown_fields=True):
    """Where to send, what, and how often; a channel is on when its address is set. Times in seconds.

    ntfy_url ntfy_topic           a ntfy server and the topic there
    telegram_chat_id telegram_url whom the bot writes to; the server only for tests and proxies
    webhook_url                   a program's address (or file `notify-webhook-url`): JSON, signed
    smtp_*                        a mail server; `smtp_security` is starttls, tls or none
    ping_url ping_seconds         asked while the daemon is ready (or file `notify-ping-url`)
    digest_seconds                how often silent events are summed up; 0: each is sent, without a sound
    max_age_seconds               what is older is summed up instead of being sent singly
    timeout_seconds               how long one attempt may take
    events                        on, silent or off by event, notice, or `position_closed:REASON`
    """

    ntfy_url: str = "https://ntfy.sh"
    ntfy_topic: str = ""
    telegram_chat_id: str = ""
    telegram_url: str = "https://api.telegram.org"
    webhook_url: str = ""
    smtp_host: str = ""
    smtp_port: int = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_from: str = ""
    smtp_to: str = ""
    ping_url: str = ""
    ping_seconds: float = 60.0
    digest_seconds: float = 3600.0
    max_age_seconds: float = 6 * 3600.0
    timeout_seconds: float = 15.0
    events: dict[str, Treatment] = {}

    def __post_init__(self) -> None:
        for key, (low, high) in _LIMITS.items():
            value = getattr(self, key)
            if not low <= value <= high:
                raise ValueError(f"{key} was {value:g}, must be from {low:g} to {high:g}")
        if self.digest_seconds and not DIGEST_LEAST_SECONDS <= self.digest_seconds <= 7 * 86400:
            raise ValueError(f"digest_seconds was {self.digest_seconds:g}, must be 0 (none) or from 60 to 604800")
        for key in ("ntfy_url", "telegram_url", "webhook_url", "ping_url"):
            check_url(key, getattr(self, key))
        for name in self.events:
            _check_event(name)
        if self.smtp_host:
            _check_mail(self)


def check_url(key: str, url: str) -> None:
    """Accept nothing, or an http(s) address; the message of the ValueError does not repeat it, for it may be secret."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and not parts.username
    except ValueError:
        usable = False
    if url and (not usable or any(letter <= " " or letter > "~" for letter in url)):
        raise ValueError(f"{key} must be an http:// or https:// address without a user's name")


def _check_event(name: str) -> None:
    event, colon, reason = name.partition(":")
    known = event in EVENT_TYPES or event in NOTICE_TYPES
    if not known or (colon and (event not in BY_REASON or reason not in set(ExitReason))):
        raise ValueError(
            f"events named {name[:60]!r}, which is no event, notice, or position_closed:REASON or "
            f"exit_triggered:REASON with a reason of {', '.join(ExitReason)}"
        )


def _check_mail(settings: NotifySettings) -> None:
    if re.search(r"[\s\x00-\x1f\x7f]", settings.smtp_host):
        raise ValueError(f"smtp_host was {settings.smtp_host[:60]!r}, which is no host")
    for key in ("smtp_from", "smtp_to"):
        for address in getattr(settings, key).split(","):
            if not _ADDRESS.fullmatch(address.strip()):
                raise ValueError(f"{key} was {getattr(settings, key)[:80]!r}, must be a mail address")
    if "," in settings.smtp_from:
        raise ValueError("smtp_from must be one mail address")
    if settings.smtp_user and settings.smtp_security == "none" and not _is_loopback(settings.smtp_host):
        raise ValueError("smtp_security was none with smtp_user: the password would go over the network in the clear")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Keys(Value):
    """The secrets of the channels; what is not there is None."""

    ntfy_token: Any = None
    telegram_token: Any = None
    webhook_key: Any = None
    webhook_url: Any = None
    smtp_password: Any = None
    ping_url: Any = None


def read_settings(tree: Mapping[str, Any]) -> NotifySettings:
    """Section `[notify]`; ConfigurationError naming the key."""
    try:
        return msgspec.convert(dict(tree), type=NotifySettings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"[notify]: {error}{_hint(str(error))}") from None


def _hint(fault: str) -> str:
    """What would do, as the end of a message."""
    if fault.startswith("Invalid enum value"):
        kind = NotifySettings.__annotations__["smtp_security"] if "smtp_security" in fault else Treatment
        return f", which must be one of {', '.join(get_args(kind))}"
    if "unknown field" in fault and re.search(r"token|key|password|secret", fault):
        names = (NTFY_TOKEN, TELEGRAM_TOKEN, WEBHOOK_KEY, WEBHOOK_URL, SMTP_PASSWORD, PING_URL)
        return f"; secrets are files in the credentials directory (--credentials-dir): {', '.join(names)}"
    return ""


def read_keys(directory: Path | None) -> Keys:
    """The secrets that are there; ConfigurationError naming the file that is unreadable, empty or no address."""
    if directory is None:
        return Keys()
    keys = Keys(
        ntfy_token=_read(directory / NTFY_TOKEN),
        telegram_token=_read(directory / TELEGRAM_TOKEN),
        webhook_key=_read(directory / WEBHOOK_KEY),
        webhook_url=_read(directory / WEBHOOK_URL),
        smtp_password=_read(directory / SMTP_PASSWORD),
        ping_url=_read(directory / PING_URL),
    )
    for name, secret in ((WEBHOOK_URL, keys.webhook_url), (PING_URL, keys.ping_url)):
        if secret is not None:
            try:
                check_url(f"the file {directory / name}", secret.reveal().decode("latin-1"))
            except ValueError as error:
                raise ConfigurationError(str(error)) from None
    return keys


def _read(path: Path) -> Secret | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} could not be read: {error.strerror}") from error
    secret = Secret(content.strip())
    if not secret.reveal() or any(letter < ord(" ") for letter in secret.reveal()):
        raise ConfigurationError(f"{path} was empty or held more than one line")
    return secret
