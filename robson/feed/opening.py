"""Open a feed together with the clock that it needs the whole run to be on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from robson.clock import RunClock, TapeClock, parse_speed
from robson.domain.instrument import Instrument
from robson.feed.replay import ReplayFeed, first_moment
from robson.feed.synthetic import SyntheticFeed
from robson.feed.tape import CorruptTape, Tape
from robson.ports.feed import MarketFeed

if TYPE_CHECKING:
    from robson.venue.binance.client import Client


@dataclass(frozen=True)
class OpenedFeed:
    """A feed, the run's clock, and what `trio.run` must get as `clock` (None: Trio's own).

    `exchange` is the client through which the feed asks, for whoever else asks the same exchange; it is to be kept.
    """

    feed: MarketFeed
    clock: RunClock
    trio_clock: TapeClock | None
    exchange: "Client | None" = None


def open_replay(
    files: Sequence[Path],
    *,
    speed: str = "1",
    symbol: str | None = None,
    on_corrupt: Callable[[CorruptTape], None] | None = None,
) -> OpenedFeed:
    """Recorded trades on their own clock; call it before `trio.run`.

    `speed` is a number or `max`. `symbol` names the pair of CSV files whose name does not. Raises
    ConfigurationError (CorruptTape for a bad line), which names the file and what is wrong with it.
    """
    tape_speed = parse_speed(speed)
    tapes = [Tape(path, symbol, on_corrupt=on_corrupt) for path in files]
    clock = TapeClock(first_moment(tapes), tape_speed)
    return OpenedFeed(ReplayFeed(tapes, clock), RunClock(clock), clock)


def open_synthetic(
    instrument: Callable[[str], Instrument],
    *,
    seed: str = "robson",
    speed: str = "1",
    not_before: datetime | None = None,
) -> OpenedFeed:
    """An invented market that begins now; at speed 1 the run stays on the machine's own clock.

    At another speed it begins at `not_before` if that is later, so that time goes on where a faster run has left it.
    `instrument` raises RuleError for symbols that it does not know. Raises ConfigurationError for a bad speed.
    """
    tape_speed = parse_speed(speed)
    if tape_speed == 1:
        clock = RunClock()
        return OpenedFeed(SyntheticFeed(seed, instrument, clock, None), clock, None)
    now = RunClock().now()
    tape = TapeClock(now if not_before is None else max(now, not_before), tape_speed, begun=True)
    clock = RunClock(tape)
    return OpenedFeed(SyntheticFeed(seed, instrument, clock, tape), clock, tape)
