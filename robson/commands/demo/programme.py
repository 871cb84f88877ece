"""What is played: which market, how fast, and which positions are armed when."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal
from pathlib import Path

from robson.clock import parse_speed
from robson.domain.errors import ConfigurationError
from robson.domain.values import HUNDRED, Side, plain
from robson.feed.tape import Tape
from robson.feed.tape_row import to_datetime
from robson.venue.instruments import BUILTIN_INSTRUMENTS

# How long a tape plays at the speed that is chosen for it, in real seconds.
_TAPE_SECONDS = 15
_SPEED_MOST = 1000
# How much of a tape is looked at beforehand.
_ROWS_SEARCHED = 100_000
_STOP_PERCENT_LEAST, _STOP_PERCENT_MOST = Decimal("0.1"), Decimal(5)
_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Arm:
    """One position to arm."""

    symbol: str
    side: Side
    strategy: str
    params: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The command for robsonctl."""
        params = (word for param in self.params for word in ("--param", param))
        return ("arm", self.symbol, self.side.value, "--strategy", self.strategy, *params)


@dataclass(frozen=True, slots=True)
class Act:
    """Positions that live side by side; `ends_at` is when the tape has no more time for them."""

    arms: tuple[Arm, ...]
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Programme:
    """Everything about one demonstration; `feed` are options of `robson run`."""

    title: str
    feed: tuple[str, ...]
    acts: tuple[Act, ...]
    remark: str = ""


def synthetic(seed: str, speed: str) -> Programme:
    """A long and a short in an invented market; raises ConfigurationError for a bad speed."""
    return Programme(
        title=f"a SYNTHETIC market (seed {seed}) at {_checked(speed)} times real speed",
        feed=("--feed", "synthetic", "--seed", seed, "--speed", speed),
        acts=(
            Act(
                arms=(
                    Arm("BTCUSDT", Side.LONG, "immediate"),
                    Arm("ETHUSDT", Side.SHORT, "delay", ("seconds=5",)),
                )
            ),
        ),
    )


def recorded(path: Path, speed: str | None, symbol: str | None) -> Programme:
    """A long and a short on recorded trades: side by side on two symbols, one after the other on one.

    Raises ConfigurationError or CorruptTape when the file or the speed cannot be used.
    """
    tape = Tape(path.absolute(), symbol)
    survey = _survey(tape)
    known = [name for name in tape.symbols if name in BUILTIN_INSTRUMENTS]
    if not known:
        raise ConfigurationError(
            f"{path} holds {', '.join(tape.symbols)}, and none of them is among the pairs known without a venue"
        )
    if speed is None:
        speed = str(min(max(round(survey.seconds / _TAPE_SECONDS), 1), _SPEED_MOST))
    long = Arm(known[0], Side.LONG, "immediate", (survey.stop(known[0]),))
    short = Arm(known[-1], Side.SHORT, "delay", ("seconds=5", survey.stop(known[-1])))
    if len(known) > 1:
        acts: tuple[Act, ...] = (Act((long, short), survey.ends_at(Decimal(1))),)
    else:
        acts = (Act((long,), survey.ends_at(Decimal("0.5"))), Act((short,), survey.ends_at(Decimal(1))))
    chosen = ("--symbol", symbol) if symbol else ()
    return Programme(
        title=f"{survey.seconds:.0f} s of recorded trades ({path.name}) at {_checked(speed)} times real speed",
        feed=("--feed", "replay", "--file", str(tape.path), *chosen, "--speed", speed),
        acts=acts,
        remark=(
            "So short a tape has no candles to find a technical stop in: stop_percent puts it near enough to be hit.\n"
            "A near stop makes a large position, so the fees weigh more here than they should."
        ),
    )


def _checked(speed: str) -> str:
    if speed == "max":
        raise ConfigurationError("speed was 'max', at which the market is over before the second position is armed")
    parse_speed(speed)
    return speed


@dataclass(frozen=True, slots=True)
class _Survey:
    """What the beginning of a tape is like; `is_whole` says that its end was seen."""

    starts_at: datetime
    seconds: float
    is_whole: bool
    ranges: dict[str, Decimal]

    def ends_at(self, share: Decimal) -> datetime | None:
        """When so much of the tape has been played; None when it goes on for longer than a demonstration."""
        return self.starts_at + timedelta(seconds=self.seconds * float(share)) if self.is_whole else None

    def stop(self, symbol: str) -> str:
        """A stop near enough to be hit: a tape this short has no candles to find a technical stop in."""
        percent = (self.ranges[symbol] / 4).quantize(_HUNDREDTH, ROUND_UP)
        return f"stop_percent={plain(min(max(percent, _STOP_PERCENT_LEAST), _STOP_PERCENT_MOST))}"


def _survey(tape: Tape) -> _Survey:
    prices: dict[str, list[Decimal]] = defaultdict(list)
    last_us, is_whole = tape.starts_at_us, True
    for number, row in enumerate(tape, start=1):
        last_us = row.at_us
        prices[row.tick.symbol].append(row.tick.price)
        if number == _ROWS_SEARCHED:
            is_whole = False
            break
    return _Survey(
        starts_at=to_datetime(tape.starts_at_us),
        seconds=(last_us - tape.starts_at_us) / 1e6,
        is_whole=is_whole,
        ranges={symbol: (max(seen) - min(seen)) * HUNDRED / min(seen) for symbol, seen in prices.items()},
    )
