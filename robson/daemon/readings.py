"""What the daemon reads off itself: its checks, the prices as they are now, and what its journal holds."""

from collections.abc import Sequence

from robson.daemon.doubts import orders_check
from robson.daemon.record import Record
from robson.daemon.supervisor import Supervisor
from robson.daemon.surroundings import Surroundings
from robson.domain.values import plain
from robson.ports.journal import JournalSize, Twin
from robson.protocol import oversight_results as told
from robson.protocol import results as give


def health_checks(supervisor: Supervisor) -> dict[str, give.Check]:
    """Everything that must be in order, by name."""
    around, after = supervisor.around, supervisor.protected_after
    stale = [symbol for symbol, feed in around.market.states().items() if feed.stale]
    unwatched = [
        life.position.position_id
        for life in supervisor.lives.values()
        if life.position.state_name == "Active" and not life.is_watched
    ]
    return {
        "recovery": give.Check(
            ok=after is not None,
            detail="stops are being rebuilt"
            if after is None
            else f"every stop is rebuilt, {after:.3f} s after the start",
        ),
        "journal": give.Check(
            ok=around.record.degraded is None, detail=around.record.degraded or around.record.remark or "writable"
        ),
        "copies": _copies(around.record.twin),
        "feed": give.Check(ok=not stale, detail=f"stale: {', '.join(stale)}" if stale else "fresh"),
        "venue": give.Check(ok=around.executor.reachable, detail=around.executor.reach.trouble or "answering"),
        "monitors": give.Check(
            ok=not unwatched,
            detail=f"not watched: {', '.join(unwatched)}" if unwatched else "every stop is watched",
        ),
        "orders": orders_check(around, supervisor.lives),
        "entries": _entries(around.record),
        **{name: check() for name, check in around.checks.items()},
    }


def _copies(twin: Twin | None) -> give.Check:
    """Not in order while another daemon has a copy of the journal, or may have one on another machine."""
    if twin is None:
        return give.Check(ok=True, detail="no other daemon has this journal")
    return give.Check(ok=twin.in_use is False, detail=twin.told)


def _entries(record: Record) -> give.Check:
    """Always in order: that nothing enters is the operator's wish, and exits go on."""
    latches = [name for name, is_set in (("panic latched", record.latched), ("paused", record.paused)) if is_set]
    return give.Check(ok=True, detail=" and ".join(latches) or "allowed")


def price_lines(around: Surroundings) -> Sequence[give.PriceLine]:
    """The newest price of each streamed symbol that has one, by symbol."""
    now = around.clock.now()
    return [
        give.PriceLine(
            event="price",
            at=now,
            data={
                "symbol": symbol,
                "price": plain(feed.last_price),
                "age_seconds": round(feed.age_seconds, 3),
                "stale": feed.stale,
            },
        )
        for symbol, feed in sorted(around.market.states().items())
        if feed.last_price is not None
    ]


def journal_result(size: JournalSize, *, writable: bool, epoch: int) -> told.JournalResult:
    """What the journal holds, as clients see it."""
    backup = size.last_backup
    seen = None
    if backup is not None:
        seen = told.BackupView(file=backup.file, at=backup.at, last_seq=backup.last_seq, size_bytes=backup.size)
    return told.JournalResult(
        place=size.place,
        writable=writable,
        size_bytes=size.size,
        oldest_seq=size.oldest_seq,
        last_seq=size.last_seq,
        events=size.events,
        positions=size.positions,
        open_positions=size.open_positions,
        orders=size.orders,
        open_orders=size.open_orders,
        fills=size.fills,
        replies=size.replies,
        archives=size.archives,
        epoch=epoch,
        last_backup=seen,
    )
