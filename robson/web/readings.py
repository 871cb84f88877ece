"""How each metric is read, at the moment of the scrape, from what the daemon knows anyway."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress

from robson.daemon.doubts import failing, in_doubt
from robson.daemon.readings import health_checks
from robson.domain.events import EVENT_TYPES, NOTICE_TYPES
from robson.domain.values import Role
from robson.log import dropped_records
from robson.metrics import Distribution
from robson.protocol.results import DaemonState
from robson.web.sources import Sources

# The values of one metric, each with its labels in the order of the catalogue.
Reading = Iterable[tuple[tuple[str, ...], float | Distribution]]

STATES = ("Armed", "Entering", "Active", "Exiting", "Error")
DAEMON_STATES: tuple[DaemonState, ...] = ("recovering", "degraded", "live")
CAUSES = ("feed", "monitor", "unwritten", "venue")
ENDED = ("filled", "partly_filled", "rejected", "absent")
JOURNAL_FILES = ("robson.db", "robson.db-wal")


def _one(value: float | Distribution | None) -> Reading:
    return [] if value is None else [((), value)]


# --- the daemon ------------------------------------------------------------------------------------------------------


def build(sources: Sources) -> Reading:
    """Always one."""
    return [((sources.desk.identity.version, sources.desk.identity.mode), 1)]


def daemon_state(sources: Sources) -> Reading:
    """One for the present state, zero for the others."""
    present = sources.desk.state()
    return [((state,), state == present) for state in DAEMON_STATES]


def checks(sources: Sources) -> Reading:
    """By the name that it has in `health`."""
    return [((name,), check.ok) for name, check in health_checks(sources.supervisor).items()]


def degraded(sources: Sources) -> Reading:
    """Whether the journal cannot be written, so that exits only go on."""
    return _one(sources.around.record.degraded is not None)


def panic_latched(sources: Sources) -> Reading:
    """Whether the latch holds."""
    return _one(sources.around.record.latched)


def venue_reachable(sources: Sources) -> Reading:
    """Whether the venue answered the last time."""
    return _one(sources.around.executor.reachable)


def time_to_protected(sources: Sources) -> Reading:
    """Nothing until then."""
    return _one(sources.supervisor.protected_after)


def epoch(sources: Sources) -> Reading:
    """The number of this start of the journal's."""
    return _one(sources.around.record.epoch)


def loop_delay(sources: Sources) -> Reading:
    """As the door's own task has noted it."""
    return _one(sources.loop_delay)


def log_dropped(_sources: Sources) -> Reading:
    """Of this process."""
    return _one(dropped_records())


# --- positions and orders --------------------------------------------------------------------------------------------


def positions(sources: Sources) -> Reading:
    """Every state but Closed, with zero where there is none."""
    counted = Counter(life.position.state_name for life in sources.supervisor.lives.values())
    return [((state,), counted[state]) for state in STATES]


def unprotected(sources: Sources) -> Reading:
    """By what is missing; one position may lack several things."""
    counted = sources.supervisor.vigil.causes()
    return [((cause,), counted[cause]) for cause in CAUSES]


def unprotected_now(sources: Sources) -> Reading:
    """Of the positions that are open now, earlier runs included."""
    vigil = sources.supervisor.vigil
    return _one(sum(vigil.seconds(position_id) for position_id in sources.supervisor.lives))


def unprotected_seconds(sources: Sources) -> Reading:
    """Of this run."""
    return _one(sources.supervisor.vigil.seconds_of_run())


def doubted(sources: Sources) -> Reading:
    """By role."""
    counted = Counter(intent.order.role for intent in in_doubt(sources.around))
    return [((role.value,), counted[role]) for role in Role]


def open_orders(sources: Sources) -> Reading:
    """By role."""
    counted = Counter(intent.order.role for intent in sources.around.record.open_intents())
    return [((role.value,), counted[role]) for role in Role]


def exits_failing(sources: Sources) -> Reading:
    """Three times in a row, or more."""
    return _one(len(failing(sources.supervisor.lives.values())))


def orders(sources: Sources) -> Reading:
    """By role and how they ended, with zero where none has."""
    settled = sources.around.tally.settled
    return [((role.value, end), settled[role.value, end]) for role in Role for end in ENDED]


def slippage(sources: Sources) -> Reading:
    """By role."""
    return [((role,), noted) for role, noted in sources.around.tally.slippage.items()]


def tick_to_order(sources: Sources) -> Reading:
    """As the order book has noted it."""
    return _one(sources.supervisor.book.tick_to_order)


def exit_stages(sources: Sources) -> Reading:
    """By stage."""
    return [((stage,), noted) for stage, noted in sources.supervisor.book.stage_seconds.items()]


# --- prices ----------------------------------------------------------------------------------------------------------


def feed_age(sources: Sources) -> Reading:
    """By symbol."""
    return [((symbol,), feed.age_seconds) for symbol, feed in sources.around.market.states().items()]


def feed_stale(sources: Sources) -> Reading:
    """By symbol."""
    return [((symbol,), feed.stale) for symbol, feed in sources.around.market.states().items()]


def feed_ticks(sources: Sources) -> Reading:
    """By symbol, since it was subscribed."""
    return [((symbol,), feed.ticks) for symbol, feed in sources.around.market.states().items()]


def feed_dropped(sources: Sources) -> Reading:
    """By symbol, since it was subscribed."""
    return [((symbol,), feed.dropped) for symbol, feed in sources.around.market.states().items()]


def feed_interruptions(sources: Sources) -> Reading:
    """By symbol, with zero where there was none: an increase is seen only from a number that was there."""
    market = sources.around.market
    counted = {**dict.fromkeys(market.states(), 0), **market.interruptions}
    return [((symbol,), count) for symbol, count in counted.items()]


def feed_reconnects(sources: Sources) -> Reading:
    """Zero where the feed has no connection."""
    return _one(sources.reconnects())


# --- the journal and who follows it ----------------------------------------------------------------------------------


def events(sources: Sources) -> Reading:
    """By type, events and notices, with zero for what has not happened."""
    rows = sources.around.record.rows
    return [((kind,), rows[kind]) for kind in (*EVENT_TYPES, *NOTICE_TYPES)]


def commits(sources: Sources) -> Reading:
    """As the record has noted them."""
    return _one(sources.around.record.commits)


def journal_size(sources: Sources) -> Reading:
    """By file; one that is not there has no size."""
    return list(_sizes(sources))


def _sizes(sources: Sources) -> Iterator[tuple[tuple[str, ...], float]]:
    for name in JOURNAL_FILES:
        with suppress(OSError):
            yield (name,), (sources.state / name).stat().st_size


def disk_free(sources: Sources) -> Reading:
    """Nothing where the disk cannot be asked."""
    with suppress(OSError):
        found = os.statvfs(sources.state)
        return _one(found.f_bavail * found.f_frsize)
    return []


def last_seq(sources: Sources) -> Reading:
    """The newest row's number."""
    return _one(sources.around.record.last_seq)


def subscribers(sources: Sources) -> Reading:
    """Of the control socket."""
    return _one(len(sources.desk.followers))


def subscriber_lag(sources: Sources) -> Reading:
    """The one that is furthest behind."""
    newest = sources.around.record.last_seq
    return _one(max((newest + 1 - follower.next_seq for follower in sources.desk.followers), default=0))


# --- notifications ---------------------------------------------------------------------------------------------------


def _channels(sources: Sources, number: str) -> Reading:
    """One number of each channel; nothing where none is set up."""
    notifier = sources.desk.notifier
    return [] if notifier is None else [((courier.name,), getattr(courier, number)) for courier in notifier.couriers]


def notifications(sources: Sources) -> Reading:
    """By channel."""
    return _channels(sources, "delivered")


def notifications_failed(sources: Sources) -> Reading:
    """By channel."""
    return _channels(sources, "failed")


def notifications_given_up(sources: Sources) -> Reading:
    """By channel."""
    return _channels(sources, "given_up")


def notifications_backlog(sources: Sources) -> Reading:
    """By channel."""
    return _channels(sources, "backlog")


def pings(sources: Sources) -> Reading:
    """By what became of them; nothing where there are none."""
    ping = sources.desk.notifier.ping if sources.desk.notifier is not None else None
    if ping is None:
        return []
    return [(("sent",), ping.sent), (("failed",), ping.failed), (("withheld",), ping.withheld)]


# --- the exchange ----------------------------------------------------------------------------------------------------


def request_seconds(sources: Sources) -> Reading:
    """By endpoint; nothing without an exchange."""
    traffic = sources.traffic
    return [] if traffic is None else [((endpoint,), noted) for endpoint, noted in traffic.seconds.items()]


def requests(sources: Sources) -> Reading:
    """By endpoint and end; nothing without an exchange."""
    return [] if sources.traffic is None else list(sources.traffic.ends.items())


def weight_used(sources: Sources) -> Reading:
    """By budget; nothing without an exchange."""
    used = {} if sources.traffic is None else sources.traffic.weights_used()
    return [((budget,), weight) for budget, weight in used.items()]


def clock_offset(sources: Sources) -> Reading:
    """Nothing before the first reading."""
    return _one(None if sources.traffic is None else sources.traffic.clock_offset_seconds())
