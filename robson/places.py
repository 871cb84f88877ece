"""Where the journal and the socket are: flags over environment over a checkout's own place over the user's."""

from collections.abc import Mapping
from pathlib import Path

from robson.config import Settings


def state_directory(flag: str | None, environment: Mapping[str, str], *, here: Path) -> Path:
    """Where the journal lives: flag, $ROBSON_STATE_DIR, $STATE_DIRECTORY, a checkout's ./state, the XDG state home."""
    if flag:
        return Path(flag)
    for name in ("ROBSON_STATE_DIR", "STATE_DIRECTORY"):
        # systemd may list several directories; the first one is ours.
        first = environment.get(name, "").split(":")[0] if name == "STATE_DIRECTORY" else environment.get(name, "")
        if first:
            return Path(first)
    for directory in (here, *here.parents):
        if is_checkout(directory):
            return directory / "state"
    base = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".local/state")
    return Path(base) / "robson"


def is_checkout(directory: Path) -> bool:
    """Whether a directory is a source checkout of Robson."""
    return (directory / "pyproject.toml").is_file() and (directory / "robson" / "__init__.py").is_file()


def socket_path(flag: str | None, environment: Mapping[str, str], settings: Settings, state: Path) -> Path:
    """Where the socket is: flag, $ROBSON_SOCKET, [control] socket, $RUNTIME_DIRECTORY, the state directory."""
    for chosen in (flag, environment.get("ROBSON_SOCKET"), settings.control.socket):
        if chosen:
            return Path(chosen)
    runtime = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(runtime) / "robson.sock" if runtime else state / "robson.sock"


def create_state_directory(path: Path) -> None:
    """Make the state directory (0700) if it is missing; raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
