"""What the keys may do, and who else can read them."""

from collections.abc import Sequence

from robson.commands.doctor.check import Check, doubtful, fine, wrong
from robson.domain.values import Value
from robson.venue.binance.lending import KeyPermissions

_GROUP, _OTHERS = 0o070, 0o007


class KeyFile(Value):
    """A file of the credentials directory; its content is not here."""

    name: str
    mode: int
    is_ours: bool = True


class Keys(Value):
    """The credentials directory and what is in it; `fault` says why they cannot be used."""

    directory: str
    files: Sequence[KeyFile] = ()
    kind: str = ""
    fault: str = ""


def judge_keys(keys: Keys) -> Check:
    """Whether they are there, and readable for the daemon alone."""
    name = "credentials"
    if keys.fault:
        return wrong(name, keys.fault, "one file each, mode 0600, in --credentials-dir or $CREDENTIALS_DIRECTORY")
    for file in keys.files:
        if file.mode & _OTHERS:
            path = f"{keys.directory}/{file.name}"
            return wrong(name, f"{path} could be read by everybody (mode {file.mode:04o})", f"chmod 0600 {path}")
    for file in keys.files:
        path = f"{keys.directory}/{file.name}"
        if file.mode & _GROUP:
            return doubtful(name, f"{path} could be read by its group (mode {file.mode:04o})", f"chmod 0600 {path}")
        if not file.is_ours:
            return doubtful(name, f"{path} belonged to another user", "give it to the user that the daemon runs as")
    listed = ", ".join(f"{file.name} ({file.mode:04o})" for file in keys.files)
    return fine(name, f"{keys.kind} in {keys.directory}: {listed}")


def judge_permissions(key: KeyPermissions) -> Check:
    """Margin and orders on, withdrawals off, and bound to addresses."""
    name = "key"
    if key.withdraws:
        return wrong(name, "the API key was allowed to withdraw", "switch withdrawals off: Robson never needs them")
    missing = [
        what
        for what, allowed in (
            ("reading", key.reads),
            ("margin loans (enableMargin)", key.trades_margin),
            ("spot and margin trading", key.trades_spot_and_margin),
        )
        if allowed is False
    ]
    if missing:
        return wrong(name, f"the API key was not allowed: {', '.join(missing)}", "switch it on for this key")
    if None in {key.withdraws, key.reads, key.trades_margin, key.trades_spot_and_margin}:
        hint = "look at the key's page: reading, margin and trading on, withdrawals off"
        return doubtful(name, "the exchange did not say all that the API key may do", hint)
    allowed = "reading, margin and trading on, withdrawals off"
    if not key.is_bound_to_addresses:
        return doubtful(name, f"{allowed}, from any address", "bind the key to this machine's address")
    return fine(name, f"{allowed}, bound to addresses")
