"""The dashboard in a real browser: it lives, says what is wrong, fits a phone, can be read by ear and by keyboard."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import BUILD, Tab, axe_source, missing, tab
from tests.end_to_end.daemon import Daemon, daemon
from tests.end_to_end.rehearsal import rehearsing
from tests.end_to_end.test_docs import free_address

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

PICTURES = BUILD / "pictures"
SCREENS = {
    "desktop": (1280, 900, {}),
    "desktop-dark": (1280, 900, {"dark": True}),
    "tablet": (780, 1024, {}),
    "phone": (390, 844, {"phone": True}),
    "phone-dark": (390, 844, {"phone": True, "dark": True}),
}
TAB_KEY = 9


@pytest.fixture
def address() -> str:
    return free_address()


@pytest.fixture
def running(tmp_path: Path, address: str) -> Iterator[Daemon]:
    with daemon(
        tmp_path / "state", "--feed", "synthetic", "--speed", "10", env={"ROBSON_HTTP_LISTEN": address}
    ) as made:
        for symbol, side in (("BTCUSDT", "long"), ("ETHUSDT", "short")):
            position_id = made.arm(symbol, side, "immediate", params={"stop_percent": "9"})
            made.wait_event("entry_filled", position_id=position_id)
        made.arm("SOLUSDT")
        yield made


@pytest.fixture
async def page(running: Daemon, address: str, tmp_path: Path) -> AsyncIterator[Tab]:
    async with tab(tmp_path / "profile") as made:
        await made.open(f"http://{address}/")
        yield made


async def is_narrow(page: Tab) -> bool:
    found: bool = await page.value("document.documentElement.scrollWidth <= window.innerWidth")
    return found


@pytest.mark.parametrize("name", SCREENS)
async def test_it_fits_each_screen_and_the_console_is_silent(page: Tab, name: str) -> None:
    width, height, options = SCREENS[name]
    await page.show(width, height, **options)
    await page.until("document.querySelectorAll('img').length === 2")
    await page.until("Array.from(document.images).every((image) => image.complete && image.naturalWidth > 0)")
    assert await is_narrow(page), "the page is wider than the screen"
    await page.picture(PICTURES / f"{name}.png")
    assert page.complaints == []


async def test_events_and_figures_follow_without_a_reload(page: Tab, running: Daemon) -> None:
    await page.value("window.isTheSame = true")
    rows = await page.value("document.querySelectorAll('main tbody tr').length")
    armed = running.arm("XRPUSDT")
    await page.until(f"document.getElementById('lines').textContent.includes('{armed[:8]}')")
    await page.until(f"document.querySelectorAll('main tbody tr').length === {rows + 1}")
    assert await page.value("window.isTheSame") is True
    assert page.complaints == []


async def test_panic_and_a_lost_daemon_are_said_and_found_again(page: Tab, running: Daemon) -> None:
    running.ok("panic")
    await page.until("document.querySelector('[role=alert]')?.textContent.includes('PANIC is latched')")
    await page.show(1280, 900)
    await page.picture(PICTURES / "panic.png")
    assert page.complaints == []
    running.kill()
    await page.until("document.getElementById('lost').textContent.includes('lost')")
    await page.picture(PICTURES / "lost.png")
    running.start()
    await page.until("document.getElementById('lost').textContent === ''")
    assert await page.value("document.querySelector('[role=alert]').textContent.includes('PANIC')")


async def test_stale_prices_are_said(tmp_path: Path, address: str) -> None:
    arguments = ("--feed", "synthetic")
    settings = {"ROBSON_HTTP_LISTEN": address, "ROBSON_FEED_STALE_AFTER_SECONDS": "0.5"}
    with daemon(tmp_path / "state", *arguments, env=settings) as running:
        position_id = running.arm("BTCUSDT", "long", "immediate", params={"stop_percent": "9"})
        running.wait_event("entry_filled", position_id=position_id)
        async with tab(tmp_path / "profile") as page:
            await page.open(f"http://{address}/")
            # A synthetic market pauses now and then for longer than half a second.
            await page.until("document.body.textContent.includes('Stale prices: BTCUSDT')")
            await page.picture(PICTURES / "stale.png")


async def test_real_money_and_an_order_in_doubt_are_seen_at_once(tmp_path: Path, address: str) -> None:
    with rehearsing(tmp_path, daemon_env={"ROBSON_HTTP_LISTEN": address}) as live:
        position_id = live.entered("short")
        async with tab(tmp_path / "profile") as page:
            await page.open(f"http://{address}/")
            assert await page.value("document.querySelector('header.live .mode').textContent") == "LIVE"
            # The exit's answer is lost, and nobody finds the order for a while.
            live.emulator.arm("query_lag", seconds=8)
            live.emulator.arm("drop_reply", endpoint="POST /sapi/v1/margin/order")
            live.cross(position_id)
            await page.until("document.querySelector('main .doubt') !== null")
            for name in ("desktop", "phone"):
                width, height, options = SCREENS[name]
                await page.show(width, height, **options)
                assert await is_narrow(page)
                inner = "document.querySelector('main .wide')"
                assert await page.value(f"{inner}.scrollWidth <= {inner}.clientWidth"), "the table is cut"
                await page.picture(PICTURES / f"doubt-{name}.png")
            assert page.complaints == []
        live.closed(position_id)


async def test_without_script_it_is_the_same_table(running: Daemon, address: str, tmp_path: Path) -> None:
    async with tab(tmp_path / "profile") as page:
        await page.ask("Emulation.setScriptExecutionDisabled", value=True)
        await page.open(f"http://{address}/")
        assert await page.value("document.querySelectorAll('main tbody tr').length") == 3
        await page.picture(PICTURES / "no-script.png")


async def test_it_can_be_used_by_keyboard_and_the_place_is_kept(page: Tab) -> None:
    await page.press("Tab", code=TAB_KEY)
    assert await page.value("document.activeElement.className") == "skip"
    for _ in range(3):
        await page.press("Tab", code=TAB_KEY)
    kept = await page.value("document.activeElement.getAttribute('href')")
    assert str(kept).startswith("#chart-")
    await page.value(
        "new Promise((done) => stream.addEventListener('look', () => setTimeout(done, 500), {once: true}))"
    )
    assert await page.value("document.activeElement.getAttribute('href')") == kept


@pytest.mark.parametrize("name", SCREENS)
async def test_axe_finds_nothing(page: Tab, running: Daemon, name: str) -> None:
    source = axe_source()
    if source is None:
        pytest.skip("axe-core could not be fetched from npm")
    width, height, options = SCREENS[name]
    await page.show(width, height, **options)
    await page.value(source + ";0")
    await page.until("document.querySelectorAll('main tbody tr').length === 3")
    assert await violations(page) == []
    running.ok("panic")
    await page.until("document.querySelector('[role=alert]') !== null")
    await page.until("document.querySelectorAll('main tbody tr').length === 0")
    assert await violations(page) == []


async def violations(page: Tab) -> list[tuple[str, str, list[str]]]:
    """What axe finds of the page as it is now."""
    found = json.loads(await page.value("axe.run().then((result) => JSON.stringify(result.violations))"))
    return [(each["id"], each["impact"], [node["html"] for node in each["nodes"]][:3]) for each in found]
