"""Run the daemon: look after positions until told to stop."""

import argparse
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import structlog
import trio

from robson import app, config, log, places
from robson.clock import RunClock
from robson.domain.errors import ConfigurationError, StorageError
from robson.feed.opening import OpenedFeed, open_replay, open_synthetic
from robson.service.host import Host
from robson.store.moments import latest_moment
from robson.venue.instruments import builtin_instrument

if TYPE_CHECKING:
    from robson.notify.opening import Outlets
    from robson.venue.binance.credentials import Credentials

EXIT_STORAGE = 74
EXIT_CONFIGURATION = 78
# Whoever wants invented prices has to say so.
DEFAULT_SOURCE: Literal["binance"] = "binance"

_log = structlog.get_logger("robson")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `robson run`; each wins over the environment, which wins over the file."""
    parser.add_argument("--config", metavar="FILE", help="robson.toml")
    parser.add_argument("--state-dir", metavar="DIR", help="where the journal and the paper account live")
    parser.add_argument("--socket", metavar="PATH", help="the control socket")
    parser.add_argument("--credentials-dir", metavar="DIR", help="where the exchange's keys are, one file each")
    parser.add_argument("--mode", metavar="MODE", help="paper (default) or live")
    parser.add_argument(
        "--feed", metavar="SOURCE", help="binance (default: public prices, no key), synthetic or replay"
    )
    parser.add_argument("--file", metavar="FILE", help="what replay plays")
    parser.add_argument("--symbol", metavar="SYMBOL", help="the pair of a replay file whose name does not tell it")
    parser.add_argument("--speed", metavar="N", help='tape seconds per second, or "max"')
    parser.add_argument("--seed", metavar="TEXT", help="which synthetic market, and which paper luck")
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT; 78 when the settings cannot be obeyed, 74 when there is no usable journal."""
    return exit_code(partial(_run, arguments))


def _run(arguments: argparse.Namespace) -> int:
    settings = settings_of(arguments)
    log.configure(settings.log.level)
    state = places.state_directory(arguments.state_dir, os.environ, here=Path.cwd())
    look_after(arguments, settings, state, host=_host(partial(settings_of, arguments)))
    return 0


def look_after(
    arguments: argparse.Namespace,
    settings: config.Settings,
    state: Path,
    *,
    host: Host | None = None,
    errand: app.Errand | None = None,
) -> None:
    """Put everything together and run it: until a signal comes, or until the errand is done."""
    socket = places.socket_path(arguments.socket, os.environ, settings, state)
    opened = _open_feed(settings, state, _credentials(arguments, settings))
    _create(state)
    outlets = _outlets(arguments, settings, opened)
    work = partial(app.run, settings, opened, state=state, socket=socket, host=host, errand=errand, outlets=outlets)
    # What is loaded now stays: searched through each time for garbage, it would hold up the loop for 50 ms or more.
    gc.collect()
    gc.freeze()
    trio.run(work, clock=opened.trio_clock)


def exit_code(work: Callable[[], int]) -> int:
    """The exit code of a piece of work, 78 or 74 where it could not be done; what was wrong is said."""
    try:
        return work()
    except ConfigurationError as error:
        return _refuse(error, EXIT_CONFIGURATION)
    except StorageError as error:
        return _refuse(error, EXIT_STORAGE)
    except BaseExceptionGroup as group:
        matched = group.subgroup((ConfigurationError, StorageError))
        if matched is None:
            raise
        first = _first(matched)
        return _refuse(first, EXIT_CONFIGURATION if isinstance(first, ConfigurationError) else EXIT_STORAGE)


def _host(read: Callable[[], config.Settings]) -> Host:
    if not sys.stderr.isatty():
        # Until somebody listens: a reload during the start is none, and not the end.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    host = Host.from_environment(os.environ, read)
    if host.watchdog_seconds is not None:
        # Killed for a hung loop, it says where it hung; frames only, no values.
        faulthandler.enable()
    return host


def settings_of(arguments: argparse.Namespace) -> config.Settings:
    """The settings, from flags, environment and file; ConfigurationError names what cannot be obeyed."""
    path = arguments.config or os.environ.get("ROBSON_CONFIG")
    flags = {
        "mode": arguments.mode,
        "feed.source": arguments.feed,
        "feed.file": arguments.file,
        "feed.symbol": arguments.symbol,
        "feed.speed": arguments.speed,
        "feed.seed": arguments.seed,
        "log.level": arguments.log_level,
    }
    return config.load(Path(path) if path else None, os.environ, flags)


def _credentials(arguments: argparse.Namespace, settings: config.Settings) -> "Credentials | None":
    """The exchange's keys, without which there is no live mode; paper needs none and reads none."""
    if settings.mode != "live":
        return None
    from robson.venue.binance.credentials import credentials_directory, load_credentials
    from robson.venue.binance.opening import check_encrypted, check_rest_url
    from robson.venue.binance.private_memory import keep_private

    check_rest_url(settings.binance.rest_url)
    check_encrypted(settings.binance)
    keep_private()
    return load_credentials(credentials_directory(arguments.credentials_dir, os.environ))


def _outlets(arguments: argparse.Namespace, settings: config.Settings, opened: OpenedFeed) -> "Outlets | None":
    """Where notifications go; nowhere on a tape, whose events are long past and whose time is nobody else's."""
    from robson.venue.binance.credentials import credentials_directory

    directory = credentials_directory(arguments.credentials_dir, os.environ)
    if not settings.notify and directory is None:
        return None
    from robson.notify.opening import open_outlets

    outlets = open_outlets(settings.notify, directory, opened.clock)
    if outlets is not None and opened.trio_clock is not None:
        _log.warning("no_notifications_on_a_tape", hint="they are sent on the machine's own clock only")
        return None
    return outlets


def _open_feed(settings: config.Settings, state: Path, credentials: "Credentials | None") -> OpenedFeed:
    feed = settings.feed
    source = feed.source or DEFAULT_SOURCE
    if settings.mode == "live" and source != "binance":
        raise ConfigurationError(
            f"mode was live with feed.source {source}: orders on the exchange need its own prices, binance"
        )
    if feed.price_source != "trade" and source != "binance":
        raise ConfigurationError(f"feed.price_source was {feed.price_source}, which only binance gives")
    match source:
        case "replay":
            if not feed.file:
                raise ConfigurationError("feed.source was replay without feed.file: name what to play (--file)")
            return open_replay([Path(feed.file)], speed=feed.speed, symbol=feed.symbol.upper() or None)
        case "synthetic":
            return _open_synthetic(feed, state)
        case "binance":
            # The libraries of a network cost a tenth of a second, which a daemon without one need not pay.
            from robson.feed.binance.opening import open_prices
            from robson.venue.binance.opening import make_client

            clock = RunClock()
            client = make_client(settings.binance, credentials, clock)
            return OpenedFeed(open_prices(feed, settings.binance, client), clock, None, client)


def _open_synthetic(feed: config.Feed, state: Path) -> OpenedFeed:
    return open_synthetic(builtin_instrument, seed=feed.seed, speed=feed.speed, not_before=latest_moment(state))


def _create(state: Path) -> None:
    try:
        places.create_state_directory(state)
    except OSError as error:
        raise StorageError(f"the state directory {state} could not be created: {error.strerror}") from error


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _refuse(error: BaseException, code: int) -> int:
    print(f"robson: {error}", file=sys.stderr)
    return code
