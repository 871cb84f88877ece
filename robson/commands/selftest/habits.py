"""What the operator of a self-test does: on which pairs, how hastily, with how many positions at a time."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """One way to work.

    `capital` is of each position (quote). `stop_percents` of the price are the stop distances that signals have.
    `pause_seconds` is the most that a hand rests between two acts; `acts` is what it does then, and how often.
    `same_side` is how often a pair that is in the market is armed on the side that is there: one pair, one side.
    `mends`: what has ended in Error is closed again. `repeats_at_work`: requests whose reply a kill has swallowed are
    sent once more beside everything else, not before it.
    """

    pairs: tuple[str, ...]
    hands: int
    open_most: int
    pause_seconds: float
    acts: Mapping[str, int]
    capital: str = "2000"
    # Near enough to be hit within seconds, some far enough to stay.
    stop_percents: tuple[str, ...] = ("0.105", "0.12", "0.15", "0.2", "0.3", "1.5")
    same_side: float = 0.9
    mends: bool = False
    repeats_at_work: bool = False


PAPER = Habits(
    pairs=("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"),
    hands=5,
    open_most=14,
    pause_seconds=0.04,
    acts={"arm": 30, "signal": 30, "close": 4, "disarm": 3, "rest": 33},
)
# A request takes real time here, and an order in doubt twelve seconds: many positions side by side on many pairs.
LIVE = Habits(
    pairs=(
        *("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT"),
        *("LTCUSDT", "LINKUSDT", "AVAXUSDT", "BCHUSDT", "DOTUSDT", "UNIUSDT", "ATOMUSDT", "NEARUSDT"),
        *("SUIUSDT", "AAVEUSDT", "TRXUSDT", "BTCUSDC", "ETHUSDC", "SOLUSDC"),
    ),
    hands=12,
    open_most=60,
    pause_seconds=0.4,
    acts={"arm": 35, "signal": 40, "close": 10, "disarm": 2, "rest": 13},
    mends=True,
    repeats_at_work=True,
)
