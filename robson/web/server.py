"""A small HTTP door for readers on this machine: one request a connection, by h11, with a limit on everything."""

from ipaddress import ip_address

import h11
import structlog
import trio

from robson.domain.errors import ConfigurationError
from robson.web.pages import Page, Pages

CLIENTS_MAX = 16
LARGEST_HEAD_BYTES = 8192
# For the whole of a request, from the connection to the last byte of the answer.
REQUEST_SECONDS = 10.0
PORT_MOST = 65_535
RETRY_SECONDS = 5.0

_CHUNK_BYTES = 4096
_MISDIRECTED = 421

_log = structlog.get_logger("robson.web")


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT on this machine itself; ConfigurationError for any other."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdecimal() and int(port) <= PORT_MOST) or not _is_loopback(host):
        raise ConfigurationError(
            f"http.listen was {text!r}, which must be HOST:PORT on this machine, such as 127.0.0.1:9464"
        )
    return ("127.0.0.1" if host == "localhost" else host), int(port)


async def keep_door(address: tuple[str, int], pages: Pages) -> None:
    """Serve until cancelled; a port that is taken is tried again, and told once."""
    is_told = False
    while True:
        try:
            await serve_pages(address, pages)
        except OSError as error:
            if not is_told:
                _log.warning("http_port_not_had", host=address[0], port=address[1], reason=error.strerror or str(error))
            is_told = True
        await trio.sleep(RETRY_SECONDS)


async def serve_pages(
    address: tuple[str, int], pages: Pages, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled; started with the port once it listens. Raises OSError when the port cannot be had."""
    listeners = await trio.open_tcp_listeners(address[1], host=address[0])
    _log.info("http_listening", host=address[0], port=listeners[0].socket.getsockname()[1])
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(Reception(pages).receive, listeners)


class Reception:
    """Lets in a limited number of readers, each guarded from the others' faults."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._clients = 0

    async def receive(self, stream: trio.abc.Stream) -> None:
        """Answer one request and end the connection; who is slow, late or wrong is cut, alone."""
        if self._clients >= CLIENTS_MAX:
            await trio.aclose_forcefully(stream)
            return
        self._clients += 1
        try:
            with trio.move_on_after(REQUEST_SECONDS):
                await _converse(stream, self._pages)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except Exception:  # noqa: BLE001  one reader's fault must not reach another
            _log.exception("reader_failed")
        finally:
            self._clients -= 1
            await trio.aclose_forcefully(stream)


async def _converse(stream: trio.abc.Stream, pages: Pages) -> None:
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_BYTES)
    is_head = False
    try:
        head = await _head(stream, http)
        if head is None:
            return
        is_head = head.method == b"HEAD"
        page = await _page(head, pages)
    except h11.RemoteProtocolError as error:
        page = Page(error.error_status_hint, "text/plain; charset=utf-8", b"that was no request\n")
    headers = [
        ("Content-Type", page.content_type),
        ("Content-Length", str(len(page.content))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Connection", "close"),
    ]
    answer = http.send(h11.Response(status_code=page.status, headers=headers)) or b""
    if not is_head:
        answer += (http.send(h11.Data(data=page.content)) or b"") + (http.send(h11.EndOfMessage()) or b"")
    await stream.send_all(answer)


async def _head(stream: trio.abc.Stream, http: h11.Connection) -> h11.Request | None:
    while True:
        event = http.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        http.receive_data(bytes(await stream.receive_some(_CHUNK_BYTES)))


async def _page(head: h11.Request, pages: Pages) -> Page:
    hosts = [value.decode("ascii", "replace") for name, value in head.headers if name == b"host"]
    # A page of the web whose name was made to mean this machine must not read what is here.
    if len(hosts) != 1 or not _is_loopback(_without_port(hosts[0])):
        return Page(_MISDIRECTED, "text/plain; charset=utf-8", b"this is asked for by the address of this machine\n")
    return await pages.answer(head.method.decode("ascii", "replace"), head.target.decode("ascii", "replace"))


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
