"""The composition root: opens the adapters and nests the nurseries, closed from the inside out.

services (feed, executor, announcer) > positions > doors (control socket, signals)
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from socket import socket as Socket  # noqa: N812  beside the socket's path
from typing import TYPE_CHECKING, Protocol

import structlog
import trio
from uuid_utils import uuid4

from robson import __version__
from robson.config import Http, Settings
from robson.control.rules import Rules, doors_of, with_inherited
from robson.control.server import serve
from robson.daemon.desk import Desk
from robson.daemon.listening import listen
from robson.daemon.record import Record
from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.daemon.telling import notifier_of
from robson.daemon.window import Identity
from robson.detectors.registry import Registry
from robson.domain.errors import ConfigurationError, JournalUnusable, StorageError
from robson.executor.executor import Executor
from robson.executor.reach import keep_asking
from robson.feed.fanout import FanOut
from robson.feed.opening import OpenedFeed
from robson.ports import Clock, Market, MarketFeed
from robson.service.checks import LoopDelay, clock_check, disk_check
from robson.service.host import Host
from robson.service.signals import heed_signals
from robson.store.journal import SqliteJournal
from robson.store.lock import StateLock
from robson.store.seal import FileSeal, forget_seal
from robson.venues import OpenedVenue, open_venue

if TYPE_CHECKING:
    from robson.notify.opening import Outlets
    from robson.venue.binance.client import Client

# SIGTERM is answered within ten seconds; the order in flight gets most of them.
LAST_ORDERS_SECONDS = 8.0
FEED_RESTART_SECONDS = 5.0
DOOR_RETRY_SECONDS = 1.0
# An exchange that has not told its time by then is said to be out of reach.
REACH_SECONDS = 3.0

_log = structlog.get_logger("robson")


class Errand(Protocol):
    """The one thing that the daemon's parts are put together for when nobody may ask them for another."""

    def begin(self, supervisor: Supervisor) -> None:
        """Before anything moves: what is open is known, and nothing of it runs yet."""

    async def carry_out(self, supervisor: Supervisor) -> None:
        """Until this returns, or a signal cancels it, everything runs as ever."""


async def run(
    settings: Settings,
    opened: OpenedFeed,
    *,
    state: Path,
    socket: Path,
    host: Host | None = None,
    errand: Errand | None = None,
    outlets: "Outlets | None" = None,
) -> None:
    """Run the daemon until SIGTERM or SIGINT; open positions stay open in the journal.

    With an errand no door is opened, and it ends as soon as that is done: an order in flight is not waited for.
    Raises StorageError when there is no usable journal, ConfigurationError when the settings cannot be obeyed.
    """
    clock, feed = opened.clock, opened.feed
    doors = doors_of(settings.control, socket) if errand is None else []
    http = settings.http if errand is None else Http()
    with ExitStack() as held:
        lock = held.enter_context(StateLock.take(state, clock=clock))
        if lock.crashed is not None:
            _log.warning("stale_lock_taken_over", left_by=str(lock.crashed))
        journal, degraded = _open_journal(state / "robson.db", settings, clock)
        held.callback(journal.close)
        record = Record(journal, journal.recover(), clock, FileSeal(state))
        if degraded is not None:
            record.start_degraded(degraded)
        market = FanOut(feed, clock, settings.feed.stale_after_seconds, on_gap=settings.recovery.on_gap)
        venue = held.enter_context(open_venue(settings, opened, market, state=state))
        executor = Executor(venue.venue, clock, venue.hand)
        strategies = Registry.load()
        for left in strategies.left_out:
            _log.warning("strategy_left_out", strategy=left.name, origin=left.origin, reason=left.reason)
        around = Surroundings(
            clock=clock,
            venue=venue.venue,
            market=market,
            record=record,
            executor=executor,
            strategies=strategies,
            new_id=lambda: uuid4().hex,
            slippage=venue.slippage,
        )
        supervisor = Supervisor(around, keep_events=settings.journal.keep_events)
        supervisor.adopt_recovered(record.recovery)
        if errand is not None:
            errand.begin(supervisor)
        capital, risk_percent = settings.account.amounts
        desk = Desk(supervisor, Identity(__version__, settings.mode, capital, risk_percent))
        if outlets is not None:
            desk.notifier = notifier_of(outlets, desk, record, clock)
        places = {"state": str(state), "socket": str(socket)}
        _log.info("started", version=__version__, mode=settings.mode, feed=feed.source, **places)
        reading_door = _reading_door(http, desk, supervisor, opened, state)
        await _serve(settings, host or Host(), supervisor, desk, opened, venue, doors, reading_door, state, errand)
        supervisor.flush()
        if not supervisor.lives:
            forget_seal(state)
    _log.info("stopped", open_positions=len(supervisor.lives))


async def _serve(
    settings: Settings,
    host: Host,
    supervisor: Supervisor,
    desk: Desk,
    opened: OpenedFeed,
    venue: OpenedVenue,
    openings: list[tuple[Path, Rules]],
    reading_door: Callable[[], Awaitable[None]] | None,
    state: Path,
    errand: Errand | None,
) -> None:
    executor, loop_delay = supervisor.around.executor, LoopDelay()
    announcer = host.announcer(supervisor, desk, opened)
    reloader = host.reloader(settings, supervisor, desk, opened)
    checks = supervisor.around.checks
    if opened.exchange is not None:
        checks["clock"] = clock_check(opened.exchange.traffic.clock_offset_seconds)
    checks["disk"], checks["loop"] = disk_check(state), loop_delay.check
    async with trio.open_nursery() as services:
        services.start_soon(loop_delay.run)
        if opened.exchange is not None:
            services.start_soon(_keep, opened.exchange)
        if venue.admit is not None:
            services.start_soon(keep_asking, executor.reach, venue.admit)
        services.start_soon(_deliver, opened.feed, venue.market, supervisor.around.market.states)
        if venue.user_events is not None:
            services.start_soon(listen, supervisor, venue.user_events(executor.hint))
        services.start_soon(executor.run, supervisor.book)
        if desk.notifier is not None:
            services.start_soon(desk.notifier.run)
        async with trio.open_nursery() as positions:
            await positions.start(supervisor.run)
            async with trio.open_nursery() as doors:
                heavy = trio.Lock()
                for where, rules in with_inherited(openings, host.sockets):
                    await doors.start(_open_door, where, rules, desk, supervisor.around, heavy)
                if reading_door is not None:
                    doors.start_soon(reading_door)
                heed = partial(heed_signals, hangup=errand is None)
                await doors.start(heed, doors.cancel_scope, announcer, reloader)
                # Ready is who can be talked to, and told to reload.
                services.start_soon(announcer.run)
                if errand is not None:
                    await errand.carry_out(supervisor)
                    doors.cancel_scope.cancel()
            positions.cancel_scope.cancel()
        with trio.move_on_after(LAST_ORDERS_SECONDS if errand is None else 0):
            await executor.wait_idle()
        services.cancel_scope.cancel()


def _reading_door(
    http: Http, desk: Desk, supervisor: Supervisor, opened: OpenedFeed, state: Path
) -> Callable[[], Awaitable[None]] | None:
    """Health and metrics over HTTP, for whoever wants them; ConfigurationError for an address that is none."""
    if not http.listen:
        return None
    from robson.web.door import parse_address, serve_http  # noqa: PLC0415  its libraries are only for who has this door
    from robson.web.sources import Sources  # noqa: PLC0415

    def reconnects() -> int:
        return getattr(opened.feed, "reconnects", 0)

    traffic = opened.exchange.traffic if opened.exchange is not None else None
    address = parse_address(http.listen, expose=http.expose)
    sources = Sources(desk, supervisor, state, reconnects, traffic)
    return partial(serve_http, address, sources, dashboard=http.dashboard)


async def _keep(client: "Client") -> None:
    from robson.venue.binance.opening import keep  # noqa: PLC0415  its libraries are only for who has a network

    async with keep(client):
        await trio.sleep(REACH_SECONDS)
        if client.is_clock_doubtful:
            _log.warning(
                "exchange_out_of_reach",
                address=client.address,
                what="there are no prices: nothing enters, and no stop is watched, until it answers",
                hint="to try things out without a network: robson run --feed synthetic",
            )
        await trio.sleep_forever()


async def _open_door(
    place: Path | Socket,
    rules: Rules,
    desk: Desk,
    around: Surroundings,
    heavy: trio.Lock,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the control socket; a daemon that is degraded anyway protects its positions while there can be none."""
    try:
        await serve(place, desk, around.clock, rules, heavy=heavy, task_status=task_status)
    except StorageError as error:
        if around.record.degraded is None:
            raise
        _log.error("no_control_socket", reason=str(error))
    else:
        return
    task_status.started()
    while True:
        await trio.sleep(DOOR_RETRY_SECONDS)
        with suppress(StorageError):
            await serve(place, desk, around.clock, rules, heavy=heavy)


async def _deliver(feed: MarketFeed, market: Market, symbols: Callable[[], Iterable[str]]) -> None:
    """Keep the feed running: what ends it makes symbols stale, never the daemon, and what was missed is made up for."""
    while True:
        try:
            await feed.run(market)
        except ConfigurationError as error:
            # A tape that is corrupt from here on stays so: positions live on with a stale feed.
            _log.error("feed_ended", source=feed.source, error=str(error))
            await trio.sleep_forever()
        except Exception:  # noqa: BLE001  whatever broke the feed must not take the positions with it
            _log.exception("feed_failed", source=feed.source)
            for symbol in symbols():
                market.interrupted(symbol, "the feed has failed")
        else:
            _log.warning("feed_ended", source=feed.source)
            await trio.sleep_forever()
        await trio.sleep(FEED_RESTART_SECONDS)


def _open_journal(path: Path, settings: Settings, clock: Clock) -> tuple[SqliteJournal, str | None]:
    """The journal, and why it is only readable if it is."""
    machine = machine_id()
    try:
        journal = SqliteJournal.open(path, mode=settings.mode, clock=clock, machine_id=machine, version=__version__)
        journal.make_room()
    except JournalUnusable as error:
        if not path.exists():
            raise
        try:
            journal = SqliteJournal.open(
                path,
                mode=settings.mode,
                clock=clock,
                machine_id=machine,
                version=__version__,
                read_only=True,
                because=str(error),
            )
        except JournalUnusable:
            raise error from None
        _log.error("journal_read_only", reason=str(error))
        return journal, str(error)
    return journal, None


def machine_id() -> str:
    """What tells this machine from others; empty where the system has no id."""
    for place in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            return Path(place).read_text().strip()
        except OSError:
            continue
    return ""
