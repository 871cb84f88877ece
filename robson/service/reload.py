"""Settings that are read again while the daemon runs: those that may change do, or nothing does."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from robson.config import Settings
from robson.domain.errors import ConfigurationError

Apply = Callable[[Settings], None]
# What may change while the daemon runs; everything else needs a restart.
CHANGEABLE = ("account.capital", "account.risk_percent", "feed.stale_after_seconds", "log.level", "recovery.on_gap")


class Reloader:
    """Holds the settings in force; `read` reads them anew, `apply` makes new ones effective."""

    def __init__(self, settings: Settings, read: Callable[[], Settings], apply: Apply) -> None:
        self._settings = settings
        self._read = read
        self._apply = apply

    def reload(self) -> list[str]:
        """Read and apply; the keys that have changed. Raises ConfigurationError, and then nothing has."""
        fresh = self._read()
        changed = differences(self._settings, fresh)
        fixed = [key for key in changed if key not in CHANGEABLE]
        if fixed:
            raise ConfigurationError(f"{', '.join(fixed)} may not change while the daemon runs: restart it for that")
        self._apply(fresh)
        self._settings = fresh
        return changed


def differences(before: Settings, after: Settings) -> list[str]:
    """The dotted keys whose values differ, in order; never the values, which may be secret."""
    one, other = _flat(msgspec.to_builtins(before)), _flat(msgspec.to_builtins(after))
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
