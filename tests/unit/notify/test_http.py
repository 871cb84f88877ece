"""The channels over HTTP against real servers on loopback, and what each outage is made of."""

import json
import socket
from collections.abc import Callable
from random import Random

import pytest
import trio
import trio.testing

from robson.notify import courier
from robson.notify.courier import Story
from robson.notify.http import Http, Ntfy, Telegram, Webhook, parts_of, signature
from robson.notify.message import Channel, Message, Refused, Unsent
from robson.notify.settings import NotifySettings
from robson.venue.binance.secret import Secret
from tests.rig import START
from tests.unit.notify.servers import http_server
from tests.unit.notify.test_courier import Desk

PATIENCE_SECONDS = 60


class NoonClock:
    def now(self):
        return START

    def monotonic(self):
        return 0.0


MESSAGE = Message(
    message_id="paper-webhook-7", at=START, title="paper BTCUSDT long 0123 closed +1.00", text="all", priority="urgent"
)
TOKEN = "12345:AAsecretsecret"


def http() -> Http:
    return Http(NoonClock())


def webhook(url: str) -> Webhook:
    return Webhook(http(), NoonClock(), Secret(url.encode()), Secret(b"key"))


async def test_ntfy_gets_json_with_a_priority_and_the_token() -> None:
    async with http_server() as server:
        await Ntfy(http(), server.url, "robson", Secret(b"tk_1")).send(MESSAGE)
    (got,) = server.got
    assert json.loads(got.body) == {"topic": "robson", "title": MESSAGE.title, "message": "all", "priority": 5}
    assert got.headers["authorization"] == "Bearer tk_1"


async def test_telegram_is_written_to_as_plain_text() -> None:
    async with http_server() as server:
        await Telegram(http(), server.url, "42", Secret(TOKEN.encode())).send(MESSAGE)
    (got,) = server.got
    assert got.target == f"/bot{TOKEN}/sendMessage"
    body = json.loads(got.body)
    assert (body["chat_id"], body["text"]) == ("42", f"{MESSAGE.title}\nall")
    assert "parse_mode" not in body


async def test_a_webhook_is_signed_over_time_and_body_and_carries_its_id() -> None:
    async with http_server() as server:
        await webhook(server.url + "/hook").send(MESSAGE)
    (got,) = server.got
    stamp = got.headers["x-robson-timestamp"]
    assert stamp == str(int(START.timestamp()))
    assert got.headers["x-robson-signature"] == "sha256=" + signature(b"key", stamp, got.body)
    assert got.headers["idempotency-key"] == json.loads(got.body)["message_id"] == "paper-webhook-7"


def test_the_signature_is_the_one_that_others_compute() -> None:
    # printf '1.{}' | openssl dgst -sha256 -hmac key
    assert signature(b"key", "1", b"{}") == "1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((429, {"Retry-After": "7"}, b""), 7.0),
        ((429, {}, b'{"ok":false,"parameters":{"retry_after":9}}'), 9.0),
        ((503, {"Retry-After": "999999"}, b""), 3600.0),
        ((503, {"Retry-After": "Thu, 01 Jan 2026 00:10:30 GMT"}, b""), 30.0),
        ((503, {"Retry-After": "soon"}, b""), None),
        ((500, {}, b"broken"), None),
        ((401, {}, b""), None),
        ((302, {"Location": "http://127.0.0.1:9/"}, b""), None),
    ],
)
async def test_what_may_pass_is_unsent_with_the_pause_that_was_asked_for(answer: object, seconds: float | None) -> None:
    async with http_server(answer) as server:
        with pytest.raises(Unsent) as caught:
            await webhook(server.url).send(MESSAGE)
    assert caught.value.retry_after == seconds
    assert len(server.got) == 1


@pytest.mark.parametrize("status", [400, 410, 413, 422])
async def test_what_judges_the_message_is_final(status: int) -> None:
    async with http_server((status, {}, b"no such thing")) as server:
        with pytest.raises(Refused, match=f"HTTP {status}: no such thing"):
            await webhook(server.url).send(MESSAGE)


CHANNELS = {
    "ntfy": lambda url: Ntfy(http(), url, "robson", Secret(b"tk_AAsecretsecret")),
    "telegram": lambda url: Telegram(http(), url, "42", Secret(TOKEN.encode())),
    "webhook": lambda url: webhook(f"{url}/AAsecretsecret"),
}
each_channel = pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS.keys())


@each_channel
@pytest.mark.parametrize("way", ["cut", "close"])
async def test_an_answer_that_breaks_off_is_no_delivery(channel: Callable[[str], Channel], way: str) -> None:
    async with http_server(way) as server:
        with pytest.raises(Unsent) as caught:
            await channel(server.url).send(MESSAGE)
    assert "secretsecret" not in str(caught.value)


@each_channel
async def test_a_channel_gets_through_every_kind_of_outage_with_one_message(
    channel: Callable[[str], Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "BACKOFF_SECONDS", 0.01)
    outage = ["close", "cut", (500, {}, b"tk_AAsecretsecret"), (429, {"Retry-After": "0"}, b""), (302, {}, b"")]
    desk = Desk()
    async with http_server(*outage) as server:
        made = channel(server.url)
        async with trio.open_nursery() as nursery:
            story = Story(desk.journal, lambda: desk.last_seq, desk.wait)
            settings = NotifySettings(timeout_seconds=PATIENCE_SECONDS)
            carrying = courier.Courier(made, story, settings, clock=desk.clock, mode="paper", random=Random(1))
            nursery.start_soon(carrying.run)
            await trio.testing.wait_all_tasks_blocked()
            desk.say("exit_failing", "panic_latched")
            with trio.fail_after(PATIENCE_SECONDS):
                while carrying.delivered < 2:  # noqa: ASYNC110  it tells nobody
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()
    assert (carrying.failed, carrying.given_up, carrying.trouble, carrying.backlog) == (len(outage), 0, None, 0)
    bodies = [got.body for got in server.got]
    # The same message until it is taken, then the next.
    assert len(bodies) == len(outage) + 2
    assert set(bodies[:-1]) == {bodies[0]} != {bodies[-1]}


async def test_a_refused_connection_an_unknown_name_and_no_tls_are_told_apart() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unsent, match="Connect"):
            await webhook(f"http://127.0.0.1:{taken.getsockname()[1]}").send(MESSAGE)
    with pytest.raises(Unsent, match="Connect"):
        await webhook("http://no-such-host.invalid/").send(MESSAGE)
    async with http_server() as server:
        with trio.fail_after(PATIENCE_SECONDS), pytest.raises(Unsent, match="(?i)ssl|tls"):
            await webhook(server.url.replace("http:", "https:")).send(MESSAGE)


async def test_a_token_that_the_server_repeats_is_hidden() -> None:
    async with http_server((500, {}, f"no {TOKEN}\r\n\x1b[31m".encode())) as server:
        with pytest.raises(Unsent) as caught:
            await Telegram(http(), server.url, "42", Secret(TOKEN.encode())).send(MESSAGE)
    told = str(caught.value)
    assert TOKEN not in told
    assert "(hidden)" in told
    assert "\x1b" not in told


async def test_an_address_that_the_server_repeats_in_part_is_hidden() -> None:
    async with http_server((404, {}, b"no /hooks/AAsecretsecret?key=BBsecretsecret, nor AAsecretsecret")) as server:
        with pytest.raises(Unsent) as caught:
            await webhook(server.url + "/hooks/AAsecretsecret?key=BBsecretsecret").send(MESSAGE)
    assert str(caught.value) == "HTTP 404: no (hidden), nor (hidden)"


@pytest.mark.parametrize("url", [b"http://host", b"http://host/", b"http://host/a/b", b"http://host/a?b"])
def test_an_address_without_a_secret_hides_no_words(url: bytes) -> None:
    assert parts_of(url) == (url,)
