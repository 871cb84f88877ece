"""The channels of a configuration: which are on, with which secrets; what is missing is said at start."""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from robson.domain.errors import ConfigurationError
from robson.notify.http import Http, Ntfy, Telegram, Webhook
from robson.notify.mail import Mail
from robson.notify.message import Channel
from robson.notify.ping import Ping
from robson.notify.settings import (
    SMTP_PASSWORD,
    TELEGRAM_TOKEN,
    WEBHOOK_KEY,
    Keys,
    NotifySettings,
    read_keys,
    read_settings,
)
from robson.ports.clock import Clock
from robson.venue.binance.secret import Secret


class Outlets:
    """Where notifications can go."""

    def __init__(self, settings: NotifySettings, channels: list[Channel], http: Http, ping: Secret | None) -> None:
        self.settings, self.channels, self.http, self.ping = settings, channels, http, ping

    def ping_of(self, is_ready: Callable[[], Awaitable[bool]]) -> Ping | None:
        """The ping, where an address for it is set."""
        if self.ping is None:
            return None
        seconds, timeout = self.settings.ping_seconds, self.settings.timeout_seconds
        return Ping(self.http, self.ping, seconds=seconds, timeout_seconds=timeout, is_ready=is_ready)


def open_outlets(tree: dict[str, object], directory: Path | None, clock: Clock) -> Outlets | None:
    """Read `[notify]` and its secrets; None when nothing is set up. Raises ConfigurationError."""
    settings, keys = read_settings(tree), read_keys(directory)
    ping = keys.ping_url or (Secret(settings.ping_url.encode()) if settings.ping_url else None)
    webhook = keys.webhook_url or (Secret(settings.webhook_url.encode()) if settings.webhook_url else None)
    if not (settings.ntfy_topic or settings.telegram_chat_id or webhook or settings.smtp_host or ping):
        return None
    tls = httpx.create_ssl_context(trust_env=False)
    http = Http(clock, tls)
    return Outlets(settings, list(_channels(settings, keys, webhook, http, tls, clock)), http, ping)


def _channels(
    settings: NotifySettings, keys: Keys, webhook: Secret | None, http: Http, tls: ssl.SSLContext, clock: Clock
) -> list[Channel]:
    channels: list[Channel] = []
    if settings.ntfy_topic:
        channels.append(Ntfy(http, settings.ntfy_url, settings.ntfy_topic, keys.ntfy_token))
    if settings.telegram_chat_id:
        if keys.telegram_token is None:
            raise _missing("telegram_chat_id", TELEGRAM_TOKEN)
        channels.append(Telegram(http, settings.telegram_url, settings.telegram_chat_id, keys.telegram_token))
    if webhook is not None:
        if keys.webhook_key is None:
            raise _missing("webhook_url", WEBHOOK_KEY)
        channels.append(Webhook(http, clock, webhook, keys.webhook_key))
    if settings.smtp_host:
        if settings.smtp_user and keys.smtp_password is None:
            raise _missing("smtp_user", SMTP_PASSWORD)
        channels.append(Mail(settings, keys.smtp_password, tls))
    return channels


def _missing(key: str, name: str) -> ConfigurationError:
    return ConfigurationError(
        f"[notify] {key} was set without the file {name} in the credentials directory (--credentials-dir)"
    )
