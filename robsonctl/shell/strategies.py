"""The shipped strategies and their parameters, for completion; a test keeps them in step with the daemon's own."""

from typing import NamedTuple


class Parameter(NamedTuple):
    """One parameter: its default (empty: switched off) and what it may be."""

    name: str
    default: str
    meaning: str
    choices: tuple[str, ...] = ()


_MINUTES = ("1", "3", "5", "15", "30", "60", "120", "240", "360", "480", "720", "1440")
_INTERVAL = Parameter("interval_minutes", "15", "the length of the candles that are watched", _MINUTES)
_STOP = (
    Parameter("level", "2", "which support or resistance level is the technical stop"),
    Parameter("tolerance_percent", "0.1", "how close swing points lie that make one level"),
)
_FIXED = Parameter("stop_percent", "", "a fixed stop distance in percent of the entry")

STRATEGIES: dict[str, tuple[str, tuple[Parameter, ...]]] = {
    "signal": ("waits for the `signal` command", ()),
    "immediate": ("enters at the first fresh price", (*_STOP, _FIXED)),
    "delay": (
        "enters after a number of seconds",
        (Parameter("seconds", "5", "how long to wait before the signal"), *_STOP, _FIXED),
    ),
    "sma_cross": (
        "enters when two averages of closes cross",
        (
            Parameter("fast", "9", "candles in the fast average"),
            Parameter("slow", "21", "candles in the slow average"),
            _INTERVAL,
            *_STOP,
        ),
    ),
    "breakout": (
        "enters when a candle closes beyond those before it",
        (Parameter("n", "20", "how many candles make the extreme"), _INTERVAL, *_STOP),
    ),
}
ALIASES = {"test": "delay"}

# Pairs that most people know by heart; the daemon's own are offered before them.
SYMBOLS = (
    *("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "AVAXUSDT", "DOTUSDT", "LINKUSDT"),
    *("LTCUSDT", "BCHUSDT", "TRXUSDT", "UNIUSDT", "ATOMUSDT", "ETCUSDT", "FILUSDT", "NEARUSDT", "APTUSDT", "ARBUSDT"),
)
