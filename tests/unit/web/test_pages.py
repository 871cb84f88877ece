"""Health and metrics over HTTP: the paths, what they say, and who is turned away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from prometheus_client.parser import text_string_to_metric_families

from robson.domain.errors import ConfigurationError
from robson.ports import Venue
from robson.web.pages import Page, Pages
from robson.web.server import CLIENTS_MAX, LARGEST_HEAD_BYTES, REQUEST_SECONDS, Reception, parse_address
from tests.faults import FaultyVenue
from tests.rig import Rig

DOCUMENT = Path(__file__).parents[3] / "docs" / "METRICS.md"


@asynccontextmanager
async def pages_of(tmp_path: Path) -> AsyncIterator[tuple[Rig, Pages]]:
    rig = Rig(tmp_path)
    async with rig.running():
        yield rig, Pages(rig.desk, "1.2.3", rig.record.open_intents)


def samples(page: Page) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    found = {}
    for family in text_string_to_metric_families(page.content.decode()):
        for sample in family.samples:
            found[(sample.name, *sample.labels.values())] = sample.value
    return found


async def test_the_paths(tmp_path: Path, autojump_clock: object) -> None:
    async with pages_of(tmp_path) as (_, pages):
        assert (await pages.answer("GET", "/livez")).status == 200
        assert (await pages.answer("GET", "/readyz")).status == 200
        verbose = await pages.answer("GET", "/readyz?verbose")
        assert (verbose.status, verbose.content_type) == (200, "application/json")
        assert b'"journal":{"ok":true' in verbose.content
        assert (await pages.answer("GET", "/")).status == 404
        assert (await pages.answer("POST", "/livez")).status == 405


async def test_what_is_not_ready_is_told_by_status_and_check(tmp_path: Path, autojump_clock: object) -> None:
    async with pages_of(tmp_path) as (rig, pages):
        rig.record.degrade("the disk is full")
        assert (await pages.answer("GET", "/readyz")).status == 503
        assert b"the disk is full" in (await pages.answer("GET", "/readyz?verbose")).content
        seen = samples(await pages.answer("GET", "/metrics"))
        assert seen["robson_check_ok", "journal"] == 0
        assert seen["robson_state", "degraded"] == 1
        assert (await pages.answer("GET", "/livez")).status == 200


async def test_every_metric_is_documented_and_its_unit_is_in_its_name(tmp_path: Path, autojump_clock: object) -> None:
    async with pages_of(tmp_path) as (_, pages):
        page = await pages.answer("GET", "/metrics")
    documented = {row.split("|")[1].strip(" `") for row in DOCUMENT.read_text().splitlines() if row.startswith("| `")}
    told = {family.name for family in text_string_to_metric_families(page.content.decode())}
    assert told == documented
    assert all(name.startswith("robson_") and name == name.lower() for name in told)


async def test_an_exit_in_doubt_is_a_number_above_zero_until_it_is_resolved(
    tmp_path: Path, autojump_clock: object
) -> None:
    made: list[FaultyVenue] = []

    def wrap(venue: Venue) -> Venue:
        made.append(FaultyVenue(venue))
        return made[0]

    rig = Rig(tmp_path, wrap=wrap)
    pages = Pages(rig.desk, "1.2.3", rig.record.open_intents)
    async with rig.running(), trio.open_nursery() as nursery:
        position_id = await rig.active()
        made[0].faults.append("reply_lost")
        made[0].hidden_until = trio.current_time() + 30
        nursery.start_soon(rig.close, position_id)
        await trio.sleep(5)
        seen = samples(await pages.answer("GET", "/metrics"))
        assert seen["robson_intents_in_doubt", "exit"] >= 1
        assert seen["robson_positions", "Exiting"] == 1
        await rig.until(position_id, "Closed")
        assert samples(await pages.answer("GET", "/metrics"))["robson_intents_in_doubt", "exit"] == 0


# --- the door --------------------------------------------------------------------------------------------------------


async def say(pages: Pages, raw: bytes) -> bytes:
    """Send raw bytes and read until the door closes the connection."""
    ours, theirs = trio.testing.memory_stream_pair()
    found = bytearray()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Reception(pages).receive, theirs)
        await ours.send_all(raw)
        try:
            while received := await ours.receive_some(4096):
                found += received
        except trio.BrokenResourceError:
            pass
    return bytes(found)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:9464\r\n\r\n", b"200"),
        (b"GET /livez HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n", b"200"),
        (b"HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        (b"DELETE /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b"405"),
        (b"GET /livez HTTP/1.1\r\nHost: trader.example\r\n\r\n", b"421"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost.trader.example\r\n\r\n", b"421"),
        (b"GET /livez HTTP/1.1\r\n\r\n", b"400"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /" + b"a" * LARGEST_HEAD_BYTES * 2 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"431"),
    ],
)
async def test_requests_and_what_is_none(tmp_path: Path, raw: bytes, status: bytes, autojump_clock: object) -> None:
    async with pages_of(tmp_path) as (_, pages):
        answer = await say(pages, raw)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b"Connection: close" in answer or b"connection: close" in answer
        if raw.startswith(b"HEAD"):
            assert answer.endswith(b"\r\n\r\n")


async def test_a_reader_that_dawdles_is_cut_alone(tmp_path: Path, autojump_clock: object) -> None:
    async with pages_of(tmp_path) as (_, pages):
        began = trio.current_time()
        assert await say(pages, b"GET /livez HT") == b""
        assert trio.current_time() - began == pytest.approx(REQUEST_SECONDS)


async def test_more_readers_than_the_limit_are_turned_away(tmp_path: Path, autojump_clock: object) -> None:
    async with pages_of(tmp_path) as (_, pages), trio.open_nursery() as nursery:
        reception = Reception(pages)
        silent = [trio.testing.memory_stream_pair() for _ in range(CLIENTS_MAX)]
        for _, theirs in silent:
            nursery.start_soon(reception.receive, theirs)
        await trio.testing.wait_all_tasks_blocked()
        ours, theirs = trio.testing.memory_stream_pair()
        await reception.receive(theirs)
        assert await ours.receive_some(100) == b""
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("text", ["127.0.0.1:9464", "localhost:0", "[::1]:80"])
def test_addresses_of_this_machine(text: str) -> None:
    assert parse_address(text)[0] in {"127.0.0.1", "::1"}


@pytest.mark.parametrize("text", ["0.0.0.0:9464", "9464", "trader.example:80", "127.0.0.1:99999", "127.0.0.1:²"])
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"http\.listen was"):
        parse_address(text)
