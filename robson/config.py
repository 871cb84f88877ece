"""The operator's settings: flags over environment over robson.toml over defaults, and an unknown key is refused."""

import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, dataclass_transform, get_args, get_origin, get_type_hints

import msgspec

from robson.domain.errors import ConfigurationError, RuleError
from robson.domain.values import CAPITAL, PLAIN_DECIMAL, RISK_PERCENT, parse_amount

# Named in the contract; they are places, not keys.
RESERVED_VARIABLES = frozenset({"ROBSON_STATE_DIR", "ROBSON_SOCKET", "ROBSON_CONFIG", "ROBSON_CREDENTIALS_DIR"})
PREFIX = "ROBSON_"
# A client that follows the sequence may be so far behind and lose nothing.
KEEP_EVENTS_MIN = 1000
# A print can never be held back for longer: a stop may be behind it.
_FEED_LIMITS = {
    "stale_after_seconds": (0.5, 3600.0),
    "poll_seconds": (0.2, 60.0),
    "off_market_ticks": (1, 20),
    "off_market_seconds": (0.01, 2.0),
}
OFF_MARKET_PERCENT_MOST = 50


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of robson.toml."""


def _amounts(account: "Account") -> tuple[Decimal, Decimal]:
    try:
        return (
            parse_amount("capital", account.capital, CAPITAL),
            parse_amount("risk_percent", account.risk_percent, RISK_PERCENT),
        )
    except RuleError as error:
        raise ValueError(error.message) from error


def _off_market(feed: "Feed") -> Decimal:
    percent = feed.off_market_percent
    if not PLAIN_DECIMAL.fullmatch(percent) or Decimal(percent) > OFF_MARKET_PERCENT_MOST:
        raise ValueError(f"off_market_percent was {percent!r}, must be from 0 to {OFF_MARKET_PERCENT_MOST}")
    return Decimal(percent)


class Account(Section):
    """Defaults for arm: capital in quote, risk in percent of it; decimal strings."""

    capital: str = "10000"
    risk_percent: str = "1"

    def __post_init__(self) -> None:
        _amounts(self)

    @property
    def amounts(self) -> tuple[Decimal, Decimal]:
        """Capital and risk percent as numbers."""
        return _amounts(self)


class Feed(Section):
    """Where prices come from; `file`, `symbol` and `speed` serve replay, `seed` and `speed` synthetic.

    No source means binance for the daemon, and synthetic for the emulator. `poll_seconds` and `off_market_*` serve
    binance: a print further from the market than `off_market_percent` (0: never) is held back for so many prints or
    seconds.
    """

    source: Literal["binance", "synthetic", "replay"] | None = None
    price_source: Literal["trade", "book"] = "trade"
    stale_after_seconds: float = 10.0
    poll_seconds: float = 1.0
    off_market_percent: str = "0"
    off_market_ticks: int = 3
    off_market_seconds: float = 0.5
    file: str = ""
    symbol: str = ""
    speed: str = "1"
    seed: str = "robson"

    def __post_init__(self) -> None:
        for key, (low, high) in _FEED_LIMITS.items():
            value = getattr(self, key)
            if not low <= value <= high:
                raise ValueError(f"{key} was {value:g}, must be from {low:g} to {high:g}")
        _off_market(self)

    @property
    def off_market(self) -> Decimal:
        """The share of the price (percent) from which on a print is doubted; 0 is never."""
        return _off_market(self)


class Recovery(Section):
    """What becomes of a stop that was crossed while nobody saw the prices, when the price has recovered since.

    `exit` leaves the market at once; `forgive` goes on behind the stop as it stands now, and gives notice.
    """

    on_gap: Literal["exit", "forgive"] = "exit"


class Binance(Section):
    """The exchange's addresses; all three point at an emulator for a rehearsal."""

    rest_url: str = "https://api.binance.com"
    stream_url: str = "wss://stream.binance.com:9443"
    ws_api_url: str = "wss://ws-api.binance.com:443/ws-api/v3"


class Control(Section):
    """The control socket (empty: the default place), one for monitoring (empty: none), and who may do what there.

    `arm_users` and `panic_users` are names or uids with commas between; empty means everybody who can open the socket.
    """

    socket: str = ""
    read_only_socket: str = ""
    arm_users: str = ""
    panic_users: str = ""
    idle_seconds: float = 3600.0
    requests_per_second: int = 500


class Http(Section):
    """Where health, metrics and a dashboard are read over HTTP: ADDRESS:PORT on this machine, empty for nowhere.

    An address that other machines can reach is taken only with `expose`: a container's, behind a network policy.
    `dashboard` is a page for people at the same address: positions, stops, events.
    """

    listen: str = ""
    expose: bool = False
    dashboard: bool = True


class Journal(Section):
    """How much the journal keeps: the newest `keep_events`, 0 for all; older ones go to `archive/` beside it."""

    keep_events: int = 0

    def __post_init__(self) -> None:
        if self.keep_events and self.keep_events < KEEP_EVENTS_MIN:
            raise ValueError(f"keep_events was {self.keep_events}, must be 0 (keep all) or at least {KEEP_EVENTS_MIN}")


class Log(Section):
    """How much is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section):
    """All of robson.toml."""

    mode: Literal["paper", "live"] = "paper"
    account: Account = Account()
    feed: Feed = Feed()
    recovery: Recovery = Recovery()
    binance: Binance = Binance()
    control: Control = Control()
    http: Http = Http()
    journal: Journal = Journal()
    log: Log = Log()
    paper: dict[str, Any] = {}
    notify: dict[str, Any] = {}


def load(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """Read the settings; `flags` maps dotted keys such as `feed.source` to what the command line said.

    Raises ConfigurationError naming the file or variable, the key, its value and what is allowed.
    """
    tree = _read_file(path) if path is not None else {}
    where = str(path) if path is not None else "the defaults"
    settings = _convert(tree, where)
    overlay = _from_environment(environment)
    if overlay:
        tree = _merged(tree, overlay)
        settings = _convert(tree, f"{where} with the environment's {PREFIX}* variables", lax=True)
    chosen: dict[str, Any] = {}
    for key, value in flags.items():
        if value is not None:
            _put(chosen, key.split("."), value)
    if chosen:
        settings = _convert(_merged(tree, chosen), "the command line", lax=True)
    return settings


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(f"configuration file {path} could not be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"configuration file {path} is not valid TOML: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in RESERVED_VARIABLES:
            continue
        key = _key_of(name)
        if key is None:
            raise ConfigurationError(
                f"environment variable {name} is not a key of robson.toml: {PREFIX}<SECTION>_<KEY>, such as "
                f"{PREFIX}FEED_SOURCE"
            )
        _put(tree, key, value)
    return tree


def _key_of(name: str) -> list[str] | None:
    rest = name.removeprefix(PREFIX).lower()
    if rest == "mode":
        return ["mode"]
    section, _, key = rest.partition("_")
    kinds = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    kind = kinds.get(section)
    if section in {"paper", "notify"} and key:
        return [section, key]
    if isinstance(kind, type) and issubclass(kind, Section) and key in kind.__struct_fields__:
        return [section, key]
    return None


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = value


def _merged(tree: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    merged = dict(tree)
    for key, value in overlay.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def _convert(tree: dict[str, Any], where: str, *, lax: bool = False) -> Settings:
    try:
        return msgspec.convert(tree, type=Settings, strict=not lax)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {error}{_choices(str(error))}") from error


def _choices(fault: str) -> str:
    """The words that the key of a fault takes, as the end of a message; empty for keys that take no fixed words."""
    found = re.search(r"`\$\.([a-z_.]+)`$", fault)
    kind: Any = Settings
    for name in found[1].split(".") if found else ():
        kind = get_type_hints(kind).get(name) if isinstance(kind, type) else None
    parts = get_args(kind) if get_origin(kind) in {UnionType, Union} else (kind,)
    words = [word for part in parts if get_origin(part) is Literal for word in get_args(part)]
    return f", which must be one of {', '.join(words)}" if words else ""
