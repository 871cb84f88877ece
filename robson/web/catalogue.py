"""Every metric: its name, kind, labels and meaning, and how it is read."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from robson.web import readings
from robson.web.readings import Reading
from robson.web.sources import Sources

Kind = Literal["gauge", "counter", "histogram"]


class Metric(NamedTuple):
    """One metric as it is published; its unit is in its name."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str
    read: Callable[[Sources], Reading]


CATALOGUE: tuple[Metric, ...] = (
    Metric(
        "robson_info",
        "gauge",
        ("version", "mode"),
        "The version that runs, and whether on paper or live; always 1",
        readings.build,
    ),
    Metric(
        "robson_state",
        "gauge",
        ("state",),
        "1 for the daemon's present state (recovering, degraded, live)",
        readings.daemon_state,
    ),
    Metric("robson_check_ok", "gauge", ("check",), "1 for each check of `health` that is in order", readings.checks),
    Metric(
        "robson_degraded",
        "gauge",
        (),
        "1 while the journal cannot be written: exits go on, nothing enters",
        readings.degraded,
    ),
    Metric("robson_panic_latched", "gauge", (), "1 while the panic latch holds", readings.panic_latched),
    Metric(
        "robson_venue_reachable",
        "gauge",
        (),
        "1 if the venue answered the last time it was asked about an order",
        readings.venue_reachable,
    ),
    Metric(
        "robson_time_to_protected_seconds",
        "gauge",
        (),
        "From the start of the process until every stop was rebuilt and watched; absent until then",
        readings.time_to_protected,
    ),
    Metric(
        "robson_journal_epoch",
        "gauge",
        (),
        "The number of this start; each start of the daemon on its journal is one more",
        readings.epoch,
    ),
    Metric(
        "robson_loop_delay_seconds",
        "histogram",
        (),
        "How late the event loop runs a task that is due, sampled twice a second",
        readings.loop_delay,
    ),
    Metric(
        "robson_log_records_dropped_total",
        "counter",
        (),
        "Log records that nobody took: the journal's socket was full, or the stream could not be written",
        readings.log_dropped,
    ),
    Metric("robson_positions", "gauge", ("state",), "Positions that are not Closed, by state", readings.positions),
    Metric(
        "robson_unprotected_positions",
        "gauge",
        ("cause",),
        "Positions in the market that lack something now: a fresh price (feed), a live monitor, a reachable venue, "
        "or the knowledge of what was sent (unwritten)",
        readings.unprotected,
    ),
    Metric(
        "robson_unprotected_seconds",
        "gauge",
        (),
        "Seconds without protection of the positions that are open now, earlier runs included",
        readings.unprotected_now,
    ),
    Metric(
        "robson_unprotected_seconds_total",
        "counter",
        (),
        "Seconds without protection in this run, all positions together",
        readings.unprotected_seconds,
    ),
    Metric(
        "robson_intents_in_doubt",
        "gauge",
        ("role",),
        "Orders that were sent and whose outcome is unknown now, by role (entry, exit)",
        readings.doubted,
    ),
    Metric(
        "robson_intents_open",
        "gauge",
        ("role",),
        "Orders that are not settled yet: pending, sent or in doubt",
        readings.open_orders,
    ),
    Metric(
        "robson_exits_failing",
        "gauge",
        (),
        "Positions whose exit has come no further three times in a row, or more often",
        readings.exits_failing,
    ),
    Metric(
        "robson_orders_total",
        "counter",
        ("role", "result"),
        "Orders that were settled in this run: filled, partly_filled, rejected, absent",
        readings.orders,
    ),
    Metric(
        "robson_slippage_basis_points",
        "histogram",
        ("role",),
        "How much worse an order filled than the price it was decided at: the signal's for an entry, that which hit "
        "the stop for an exit; less than zero is better",
        readings.slippage,
    ),
    Metric(
        "robson_tick_to_order_seconds",
        "histogram",
        (),
        "From the tick that hit a stop until the exit, durable, is handed to the venue",
        readings.tick_to_order,
    ),
    Metric(
        "robson_exit_stage_seconds",
        "histogram",
        ("stage",),
        "The way of an exit from the frame whose price hit its stop, by stage: decode, observe, decide, commit "
        "(durable), hand (to the venue), send (its first byte)",
        readings.exit_stages,
    ),
    Metric(
        "robson_feed_age_seconds",
        "gauge",
        ("symbol",),
        "Since the last streamed tick of a subscribed symbol",
        readings.feed_age,
    ),
    Metric(
        "robson_feed_stale",
        "gauge",
        ("symbol",),
        "1 while a subscribed symbol has had no streamed tick for too long",
        readings.feed_stale,
    ),
    Metric(
        "robson_feed_ticks_total",
        "counter",
        ("symbol",),
        "Streamed ticks of a symbol that were taken, since it was subscribed",
        readings.feed_ticks,
    ),
    Metric(
        "robson_feed_dropped_ticks_total",
        "counter",
        ("symbol",),
        "Ticks that were not newer than the last one, since the symbol was subscribed",
        readings.feed_dropped,
    ),
    Metric(
        "robson_feed_interruptions_total",
        "counter",
        ("symbol",),
        "How often a symbol's ticks were late or lost",
        readings.feed_interruptions,
    ),
    Metric(
        "robson_feed_reconnects_total",
        "counter",
        (),
        "How often another connection to the price stream took the place of one",
        readings.feed_reconnects,
    ),
    Metric(
        "robson_events_total", "counter", ("type",), "Events and notices written in this run, by type", readings.events
    ),
    Metric(
        "robson_journal_commit_seconds",
        "histogram",
        (),
        "How long a decision took until it was on disk",
        readings.commits,
    ),
    Metric("robson_journal_size_bytes", "gauge", ("file",), "The journal and the log beside it", readings.journal_size),
    Metric(
        "robson_disk_free_bytes",
        "gauge",
        (),
        "What the daemon may still write where its state is; `health` wants 50 MB",
        readings.disk_free,
    ),
    Metric("robson_journal_last_seq", "gauge", (), "The number of the newest event", readings.last_seq),
    Metric(
        "robson_subscribers", "gauge", (), "Clients of the control socket that follow the events", readings.subscribers
    ),
    Metric(
        "robson_subscriber_lag_events",
        "gauge",
        (),
        "By how many events the slowest subscriber is behind",
        readings.subscriber_lag,
    ),
    Metric(
        "robson_notifications_total",
        "counter",
        ("channel",),
        "Notifications that the other side took, by channel",
        readings.notifications,
    ),
    Metric(
        "robson_notifications_failed_total",
        "counter",
        ("channel",),
        "Attempts to notify that did not get through; they are repeated",
        readings.notifications_failed,
    ),
    Metric(
        "robson_notifications_given_up_total",
        "counter",
        ("channel",),
        "Notifications that the other side will never take",
        readings.notifications_given_up,
    ),
    Metric(
        "robson_notifications_backlog_events",
        "gauge",
        ("channel",),
        "Events that a channel has not dealt with",
        readings.notifications_backlog,
    ),
    Metric(
        "robson_pings_total",
        "counter",
        ("result",),
        "Pings that somebody else would miss: sent, failed, or withheld because the daemon was not ready",
        readings.pings,
    ),
    Metric(
        "robson_exchange_request_seconds",
        "histogram",
        ("endpoint",),
        "From the first byte of a request until its whole answer, or until nobody waited any longer",
        readings.request_seconds,
    ),
    Metric(
        "robson_exchange_requests_total",
        "counter",
        ("endpoint", "result"),
        "Calls by how they ended: answered, refused, limited, in_doubt, unreachable",
        readings.requests,
    ),
    Metric(
        "robson_exchange_used_weight",
        "gauge",
        ("budget",),
        "The weight used in the present minute, by the exchange's budgets",
        readings.weight_used,
    ),
    Metric(
        "robson_exchange_clock_offset_seconds",
        "gauge",
        (),
        "The exchange's clock less the machine's",
        readings.clock_offset,
    ),
)
