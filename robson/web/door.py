"""The door: who may come in, on which address, and what happens when that is taken: it is tried again, nothing else."""

from collections.abc import Callable
from ipaddress import ip_address
from time import monotonic

import structlog
import trio

from robson.domain.errors import ConfigurationError
from robson.web.exchange import Asked, Exchange, Reply
from robson.web.pages import Pages
from robson.web.sources import Sources

# So many are served at a time; as many again are told that there are too many, and the others are cut.
CONNECTIONS_MAX = 16
RETRY_SECONDS = 1.0
RETRY_MOST_SECONDS = 30.0
LOOP_LOOK_SECONDS = 0.5
PORT_MOST = 65_535

_log = structlog.get_logger("robson.http")


def parse_address(text: str, *, expose: bool = False) -> tuple[str, int]:
    """ADDRESS:PORT on this machine itself, with `expose` any address; port 0 for any free one.

    Raises ConfigurationError for everything else.
    """
    host, _, port = text.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if address is not None and port.isascii() and port.isdecimal() and int(port) <= PORT_MOST:
        if expose or address.is_loopback:
            return host, int(port)
        raise ConfigurationError(
            f"http.listen was {text!r}, which other machines can reach: say `expose = true` in [http] as well if they "
            "may, or listen on 127.0.0.1"
        )
    raise ConfigurationError(
        f"http.listen was {text!r}, which must be ADDRESS:PORT on this machine, such as 127.0.0.1:9464"
    )


async def serve_http(address: tuple[str, int], sources: Sources, *, dashboard: bool = True) -> None:
    """Serve the pages until cancelled.

    An address that cannot be had is told of and tried again for as long as it takes; it never ends the daemon.
    """
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_note_loop_delay, sources)
        door = Door(Pages(sources, monotonic, dashboard=dashboard))
        while True:
            try:
                await trio.serve_listeners(door.admit, await _listen(*address))
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
        tell = _log.info if ip_address(host).is_loopback else _log.warning
        tell("http_listening", host=host, port=listeners[0].socket.getsockname()[1])
        return listeners


async def _note_loop_delay(sources: Sources) -> None:
    while True:
        due = trio.current_time() + LOOP_LOOK_SECONDS
        await trio.sleep_until(due)
        sources.loop_delay.note(trio.current_time() - due)


class Door:
    """Lets in a limited number of clients, each guarded from the others' faults; `steady` is in real seconds."""

    def __init__(self, pages: Pages, steady: Callable[[], float] = monotonic) -> None:
        self._pages = pages
        self._steady = steady
        self._clients = 0

    async def admit(self, stream: trio.SocketStream) -> None:
        """Serve one client to its end."""
        self._clients += 1
        try:
            exchange = Exchange(stream, self._respond, self._steady)
            if self._clients <= CONNECTIONS_MAX:
                await exchange.run()
            elif self._clients <= 2 * CONNECTIONS_MAX:
                await exchange.turn_away()
        except Exception as fault:  # noqa: BLE001  one client's fault must not reach another
            _log.error("http_client_failed", exc_info=fault)
        finally:
            self._clients -= 1
            await trio.aclose_forcefully(stream)

    async def _respond(self, asked: Asked) -> Reply:
        try:
            return await self._pages.respond(asked)
        except Exception as fault:  # noqa: BLE001  told to the client and the log, and to nobody else
            _log.error("http_page_failed", exc_info=fault)
            return Reply(500, b"this page could not be made; the log says why\n")
