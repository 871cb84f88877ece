"""The composition root: opens the adapters and nests the nurseries, closed from the inside out.

services (feed, executor) > positions > doors (control socket, signals)
"""

import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import msgspec
import structlog
import trio
from uuid_utils import uuid4

from robson import __version__
from robson.config import Http, Settings
from robson.control.server import serve
from robson.daemon.desk import Desk
from robson.daemon.record import Record
from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.daemon.window import Identity
from robson.detectors.registry import Registry
from robson.domain.errors import ConfigurationError, JournalUnusable, StorageError
from robson.domain.market import Tick
from robson.executor.executor import Executor
from robson.feed.fanout import FanOut
from robson.feed.opening import OpenedFeed
from robson.ports import Clock, Market, MarketFeed
from robson.store.journal import SqliteJournal
from robson.store.lock import StateLock
from robson.store.seal import FileSeal, forget_seal
from robson.venue.paper import PaperVenue
from robson.venue.settings import PaperSettings
from robson.web.sources import Sources

# SIGTERM is answered within ten seconds; the order in flight gets most of them.
LAST_ORDERS_SECONDS = 8.0
FEED_RESTART_SECONDS = 5.0
DOOR_RETRY_SECONDS = 1.0

_log = structlog.get_logger("robson")


class _PaperMarket:
    """Ticks on their way to the fan-out, seen by the paper venue first: it liquidates on them."""

    def __init__(self, market: FanOut, venue: PaperVenue) -> None:
        self._market = market
        self._venue = venue

    def observe(self, tick: Tick) -> bool:
        """Take one tick."""
        self._venue.observe(tick.symbol, tick.price)
        return self._market.observe(tick)

    def interrupted(self, symbol: str, reason: str) -> None:
        """Ticks of the symbol are late or lost."""
        self._market.interrupted(symbol, reason)


async def run(settings: Settings, opened: OpenedFeed, *, state: Path, socket: Path) -> None:
    """Run the daemon until SIGTERM or SIGINT; open positions stay open in the journal.

    Raises StorageError when there is no usable journal, ConfigurationError when the settings cannot be obeyed.
    """
    clock, feed = opened.clock, opened.feed
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
        paper = PaperVenue.open(
            state / "paper-account.db",
            clock=clock,
            prices=market.prices,
            settings=paper_settings(settings),
            seed=seed_number(settings.feed.seed),
        )
        held.callback(paper.close)
        executor = Executor(paper, clock)
        strategies = Registry.load()
        for left in strategies.left_out:
            _log.warning("strategy_left_out", strategy=left.name, origin=left.origin, reason=left.reason)
        around = Surroundings(
            clock=clock,
            venue=paper,
            market=market,
            record=record,
            executor=executor,
            strategies=strategies,
            new_id=lambda: uuid4().hex,
        )
        supervisor = Supervisor(around, keep_events=settings.journal.keep_events)
        supervisor.adopt_recovered(record.recovery)
        capital, risk_percent = settings.account.amounts
        desk = Desk(supervisor, Identity(__version__, settings.mode, capital, risk_percent))
        _log.info(
            "started", version=__version__, mode=settings.mode, feed=feed.source, state=str(state), socket=str(socket)
        )
        http = partial(
            _open_http, settings.http, Sources(desk, supervisor, state, lambda: getattr(feed, "reconnects", 0))
        )
        await _serve(supervisor, desk, feed, _PaperMarket(market, paper), socket, http)
        supervisor.flush_stops()
        if not supervisor.lives:
            forget_seal(state)
    _log.info("stopped", open_positions=len(supervisor.lives))


async def _serve(
    supervisor: Supervisor,
    desk: Desk,
    feed: MarketFeed,
    market: Market,
    socket: Path,
    http: Callable[[], Awaitable[None]],
) -> None:
    executor = supervisor.around.executor
    async with trio.open_nursery() as services:
        services.start_soon(_deliver, feed, market, supervisor.around.market.states)
        services.start_soon(executor.run, supervisor.book)
        async with trio.open_nursery() as positions:
            await positions.start(supervisor.run)
            async with trio.open_nursery() as doors:
                await doors.start(_open_door, socket, desk, supervisor.around)
                await doors.start(_until_told, doors.cancel_scope)
                doors.start_soon(http)
            positions.cancel_scope.cancel()
        with trio.move_on_after(LAST_ORDERS_SECONDS):
            await executor.wait_idle()
        services.cancel_scope.cancel()


async def _open_door(
    socket: Path, desk: Desk, around: Surroundings, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the control socket; a daemon that is degraded anyway protects its positions while there can be none."""
    try:
        await serve(socket, desk, around.clock, task_status=task_status)
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
            await serve(socket, desk, around.clock)


async def _open_http(settings: Http, sources: Sources) -> None:
    if settings.address is not None:
        from robson.web.door import serve_http  # noqa: PLC0415  its libraries are only for who wants to be looked at

        await serve_http(settings, sources)


async def _until_told(
    doors: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for number in signals:
            _log.info("told_to_stop", signal=signal.Signals(number).name)
            doors.cancel()
            return


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
        return SqliteJournal.open(path, mode=settings.mode, clock=clock, machine_id=machine, version=__version__), None
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


def paper_settings(settings: Settings) -> PaperSettings:
    """Section `[paper]`, checked; ConfigurationError names the key, its value and what is allowed."""
    try:
        return msgspec.convert(settings.paper, type=PaperSettings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"section [paper]: {error}") from error


def machine_id() -> str:
    """What tells this machine from others; empty where the system has no id."""
    for place in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            return Path(place).read_text().strip()
        except OSError:
            continue
    return ""


def seed_number(seed: str) -> int:
    """A seed as a number."""
    return int.from_bytes(seed.encode()[:16].ljust(1, b"\0"), "big")
