"""The door: who may come in, on which address, and what happens when that is taken: it is tried again, nothing else."""

from collections.abc import Callable
from ipaddress import ip_address
from time import monotonic

import structlog
import trio

from robson.config import Http
from robson.web.exchange import Exchange, Reply
from robson.web.pages import Pages
from robson.web.sources import Sources

# So many are served at a time; as many again are told that there are too many, and the others are cut.
CONNECTIONS_MAX = 16
RETRY_SECONDS = 1.0
RETRY_MOST_SECONDS = 30.0
LOOP_LOOK_SECONDS = 0.5

_log = structlog.get_logger("robson.http")


async def serve_http(settings: Http, sources: Sources) -> None:
    """Serve the pages until cancelled; returns at once where no address is set.

    An address that cannot be had is told of and tried again for as long as it takes; it never ends the daemon.
    """
    if settings.address is None:
        return
    host, port = settings.address
    if not ip_address(host).is_loopback:
        _log.warning("http_open_to_others", host=host, hint="anybody who can reach it may read health and metrics")
    names = frozenset({"localhost", *(name.strip().lower() for name in settings.names.split(",") if name.strip())})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_note_loop_delay, sources)
        door = Door(Pages(sources, monotonic), names)
        while True:
            try:
                await trio.serve_listeners(door.admit, await _listen(host, port))
            except Exception:  # noqa: BLE001  positions do not depend on who reads metrics
                _log.exception("http_door_failed", pause_seconds=RETRY_SECONDS)
            await trio.sleep(RETRY_SECONDS)


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    failures = 0
    while True:
        try:
            listeners = await trio.open_tcp_listeners(port, host=host, backlog=CONNECTIONS_MAX)
        except OSError as error:
            pause = min(RETRY_MOST_SECONDS, RETRY_SECONDS * 2.0 ** min(failures, 16))
            failures += 1
            _log.error("http_not_listening", host=host, port=port, error=str(error), pause_seconds=pause)
            await trio.sleep(pause)
            continue
        _log.info("http_listening", host=host, port=listeners[0].socket.getsockname()[1])
        return listeners


async def _note_loop_delay(sources: Sources) -> None:
    while True:
        due = trio.current_time() + LOOP_LOOK_SECONDS
        await trio.sleep_until(due)
        sources.loop_delay.note(trio.current_time() - due)


class Door:
    """Lets in a limited number of clients, each guarded from the others' faults; `steady` is in real seconds."""

    def __init__(self, pages: Pages, names: frozenset[str], steady: Callable[[], float] = monotonic) -> None:
        self._pages = pages
        self._names = names
        self._steady = steady
        self._clients = 0

    async def admit(self, stream: trio.SocketStream) -> None:
        """Serve one client to its end."""
        self._clients += 1
        try:
            exchange = Exchange(stream, self._respond, self._names, self._steady)
            if self._clients <= CONNECTIONS_MAX:
                await exchange.run()
            elif self._clients <= 2 * CONNECTIONS_MAX:
                await exchange.turn_away()
        except Exception as fault:  # noqa: BLE001  one client's fault must not reach another
            _log.error("http_client_failed", exc_info=fault)
        finally:
            self._clients -= 1
            await trio.aclose_forcefully(stream)

    async def _respond(self, target: str) -> Reply:
        try:
            return await self._pages.respond(target)
        except Exception as fault:  # noqa: BLE001  told to the client and the log, and to nobody else
            _log.error("http_page_failed", exc_info=fault)
            return Reply(500, b"this page could not be made; the log says why\n")
