"""What `[notify]` and its files refuse: by key, with the value, the limit and what would do; never with a secret."""

from pathlib import Path
from typing import Any

import pytest

from robson.domain.errors import ConfigurationError
from robson.notify.opening import open_outlets
from robson.notify.settings import NotifySettings, read_keys, read_settings
from tests.rig import SimulatedClock

MAIL = {"smtp_host": "mail.example.org", "smtp_from": "bot@example.org", "smtp_to": "a@example.org"}
TOKEN = "tk_AAsecretsecret"


def refusal(**settings: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(settings)
    told = str(caught.value)
    assert told.startswith("[notify]: ")
    return told


@pytest.mark.parametrize(
    ("key", "least", "most"),
    [
        ("timeout_seconds", "1", "120"),
        ("max_age_seconds", "60", "604800"),
        ("ping_seconds", "10", "86400"),
        ("smtp_port", "1", "65535"),
    ],
)
def test_a_number_has_its_limits_and_both_ends_are_allowed(key: str, least: str, most: str) -> None:
    # As a file has it, and as the environment does.
    assert read_settings({key: int(least)}) != read_settings({key: most})
    for beyond in (int(least) - 1, int(most) + 1):
        assert f"{key} was {beyond:g}, must be from {float(least):g} to {float(most):g}" in refusal(**{key: beyond})


def test_a_digest_is_off_or_not_too_often() -> None:
    assert read_settings({"digest_seconds": 0}).digest_seconds == 0
    assert read_settings({"digest_seconds": "60"}).digest_seconds == 60
    for beyond in (59, -1, 604801):
        assert f"digest_seconds was {beyond}, must be 0 (none) or from 60 to 604800" in refusal(digest_seconds=beyond)


@pytest.mark.parametrize("number", ["nan", "soon", ""])
def test_what_is_no_number_is_refused_with_its_key(number: str) -> None:
    assert "timeout_seconds" in refusal(timeout_seconds=number)


def test_a_word_is_refused_with_those_that_there_are() -> None:
    assert refusal(smtp_security="ssl").endswith(
        "Invalid enum value 'ssl' - at `$.smtp_security`, which must be one of starttls, tls, none"
    )
    assert refusal(events={"panic_latched": "loud"}).endswith("which must be one of on, silent, off")


@pytest.mark.parametrize("name", ["panic", "panic_latched:trailing_stop", "position_closed:bored", ""])
def test_an_event_that_there_is_not_is_named(name: str) -> None:
    told = refusal(events={name: "on"})
    assert f"events named {name!r}, which is no event" in told
    assert "trailing_stop, operator_close" in told


def test_events_notices_and_reasons_are_known() -> None:
    events = {"position_armed": "off", "panic_latched": "silent", "position_closed:operator_close": "on"}
    assert read_settings({"events": events}).events == events


def test_a_key_that_there_is_not_is_named_and_a_secret_is_sent_where_it_belongs() -> None:
    assert "unknown field `ntfy_tpoic`" in refusal(ntfy_tpoic="robson")
    told = refusal(ntfy_token=TOKEN)
    assert TOKEN not in told
    assert "secrets are files in the credentials directory (--credentials-dir): notify-ntfy-token" in told


@pytest.mark.parametrize("key", ["ntfy_url", "telegram_url", "webhook_url", "ping_url"])
@pytest.mark.parametrize(
    "url",
    [f"ftp://host/{TOKEN}", f"http://{TOKEN}:x@host/", f"https:///{TOKEN}", TOKEN, f"http://host:0/{TOKEN}",
     f"http://host:99999/{TOKEN}", f"http://host/{TOKEN} x", f"http://[{TOKEN}/", f"http://host/{TOKEN}é"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_repeated(key: str, url: str) -> None:
    told = refusal(**{key: url})
    assert f"{key} must be an http:// or https:// address" in told
    assert TOKEN not in told


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"smtp_host": "mail example"}, "smtp_host was 'mail example', which is no host"),
        ({"smtp_from": ""}, "smtp_from was '', must be a mail address"),
        ({"smtp_from": "bot"}, "smtp_from was 'bot', must be a mail address"),
        ({"smtp_from": "a@b.org,c@d.org"}, "smtp_from must be one mail address"),
        ({"smtp_to": "a@example.org, "}, "smtp_to was 'a@example.org, ', must be a mail address"),
        ({"smtp_to": "a@example.org>\r\nBcc: <x@y.org"}, "must be a mail address"),
        ({"smtp_user": "robson", "smtp_security": "none"}, "the password would go over the network in the clear"),
    ],
)
def test_a_mail_server_is_looked_at_as_a_whole(wrong: dict[str, str], told: str) -> None:
    assert read_settings(MAIL).smtp_port == 587
    assert told in refusal(**{**MAIL, **wrong})


def test_in_the_clear_a_login_is_allowed_on_this_machine_alone() -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        read_settings({**MAIL, "smtp_host": host, "smtp_user": "robson", "smtp_security": "none"})


@pytest.mark.parametrize(
    ("settings", "file"),
    [
        ({"telegram_chat_id": "1"}, "notify-telegram-token"),
        ({"webhook_url": "https://host/"}, "notify-webhook-key"),
        ({**MAIL, "smtp_user": "robson"}, "notify-smtp-password"),
    ],
)
def test_a_secret_that_is_missing_is_named_with_its_key(settings: dict[str, object], file: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"was set without the file {file} in the credentials directory"):
        open_outlets(settings, tmp_path, SimulatedClock())
    (tmp_path / file).write_text("secret\n")
    outlets = open_outlets(settings, tmp_path, SimulatedClock())
    assert outlets is not None
    assert len(outlets.channels) == 1


@pytest.mark.parametrize("content", [b"", b" \n", b"one\ntwo\n", b"with\x00nul"])
def test_a_file_holds_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "notify-ntfy-token").write_bytes(content)
    with pytest.raises(ConfigurationError, match="notify-ntfy-token was empty or held more than one line") as caught:
        read_keys(tmp_path)
    assert "two" not in str(caught.value)


def test_a_file_that_cannot_be_read_or_holds_no_address_is_named(tmp_path: Path) -> None:
    (tmp_path / "notify-webhook-url").write_text(f"gopher://{TOKEN}")
    with pytest.raises(
        ConfigurationError, match=r"notify-webhook-url must be an http:// or https:// address"
    ) as caught:
        read_keys(tmp_path)
    assert TOKEN not in str(caught.value)
    (tmp_path / "notify-ping-url").mkdir()
    with pytest.raises(ConfigurationError, match="notify-ping-url could not be read: Is a directory"):
        read_keys(tmp_path)


def test_a_file_s_address_goes_before_the_key_s_and_nothing_set_up_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "notify-ping-url").write_text("https://file/\n")
    outlets = open_outlets({"ping_url": "https://key/"}, tmp_path, SimulatedClock())
    assert outlets is not None
    assert outlets.ping is not None
    assert outlets.ping.reveal() == b"https://file/"
    assert outlets.channels == []
    assert open_outlets({}, None, SimulatedClock()) is None
    assert read_settings({}) == NotifySettings()
