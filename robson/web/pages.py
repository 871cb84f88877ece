"""What there is to be read: health, metrics and the dashboard; each is made at most once a second."""

from collections.abc import Awaitable, Callable

from robson.domain.codec import encode
from robson.protocol.operations import Caller
from robson.protocol.requests import HealthRequest
from robson.web.dashboard import Dashboard
from robson.web.exchange import Asked, Reply
from robson.web.exposition import CONTENT_TYPE, exposition, registry_of
from robson.web.sources import Sources

KEPT_SECONDS = 1.0
# The operations ask who calls; over HTTP nobody knows.
_NOBODY = Caller(uid=-1, pid=0, gid=-1)
_THERE_ARE = b"there are /livez, /readyz, /readyz?verbose and /metrics\n"


class Pages:
    """Answers a path; `steady` is a clock in real seconds."""

    def __init__(self, sources: Sources, steady: Callable[[], float], *, dashboard: bool = True) -> None:
        self._sources = sources
        self._steady = steady
        self._registry = registry_of(sources)
        self._kept: dict[str, tuple[float, Reply]] = {}
        self._makers: dict[str, Callable[[], Awaitable[Reply]]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/readyz?verbose": self._readyz_verbose,
            "/metrics": self._metrics,
        }
        self._dashboard = Dashboard(sources, steady) if dashboard else None
        if self._dashboard is not None:
            self._makers |= self._dashboard.makers

    async def respond(self, asked: Asked) -> Reply:
        """The answer to a target; 404 for one that is not there, whose query is not looked at unless it is known."""
        target = asked.target
        path = target if target in self._makers else target.partition("?")[0]
        maker = self._makers.get(path)
        if maker is None:
            return (self._dashboard and await self._dashboard.respond(asked)) or Reply(404, _THERE_ARE)
        made_at, reply = self._kept.get(path, (-KEPT_SECONDS, None))
        if reply is None or self._steady() - made_at >= KEPT_SECONDS:
            reply = await maker()
            self._kept[path] = (self._steady(), reply)
        return reply

    async def _livez(self) -> Reply:
        return Reply(200, b"ok\n")

    async def _readyz(self) -> Reply:
        health = await self._sources.desk.health(HealthRequest(), _NOBODY)
        if health.ready:
            return Reply(200, b"ok\n")
        failed = ", ".join(name for name, check in health.checks.items() if not check.ok)
        return Reply(503, f"not ready: {failed}\n".encode())

    async def _readyz_verbose(self) -> Reply:
        health = await self._sources.desk.health(HealthRequest(), _NOBODY)
        return Reply(200 if health.ready else 503, encode(health) + b"\n", "application/json")

    async def _metrics(self) -> Reply:
        return Reply(200, exposition(self._registry), CONTENT_TYPE)
