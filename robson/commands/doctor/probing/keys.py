"""Readings of the credentials directory: names, modes and kinds, never contents."""

import os
import stat
from pathlib import Path

from robson.commands.doctor.judging.keys import KeyFile, Keys
from robson.domain.errors import ConfigurationError
from robson.venue.binance.credentials import API_KEY, API_SECRET, ED25519_KEY, Credentials, load_credentials
from robson.venue.binance.signing import Ed25519Signer


def read_keys(directory: Path | None) -> Keys:
    """What is there, and whether it can be used."""
    files = []
    for name in (API_KEY, API_SECRET, ED25519_KEY):
        if directory is not None and (directory / name).exists():
            found = (directory / name).stat()
            mode = stat.S_IMODE(found.st_mode) if _is_open(directory) else stat.S_IMODE(found.st_mode) & 0o700
            files.append(KeyFile(name=name, mode=mode, is_ours=found.st_uid in {os.geteuid(), 0}))
    try:
        credentials = load_credentials(directory)
    except ConfigurationError as error:
        return Keys(directory=str(directory or ""), files=files, fault=str(error))
    kind = "Ed25519 key" if isinstance(credentials.signer, Ed25519Signer) else "HMAC key"
    return Keys(directory=str(directory), files=files, kind=kind)


def load(directory: Path | None, mode: str) -> Credentials | None:
    """The keys in live mode; None on paper, or when they cannot be used (the check says why)."""
    if mode != "live":
        return None
    try:
        return load_credentials(directory)
    except ConfigurationError:
        return None


def _is_open(directory: Path) -> bool:
    """Whether others get to the files of a directory at all, whatever the files' own modes say."""
    return bool(stat.S_IMODE(directory.stat().st_mode) & 0o011)
