"""The keys that the emulator accepts: those in a directory, or a pair that it makes there itself."""

import base64
import binascii
import hashlib
import hmac
import importlib
import os
import secrets
from pathlib import Path
from typing import Any, Protocol

from robson.domain.errors import ConfigurationError

KEY_FILE = "binance-api-key"
SECRET_FILE = "binance-api-secret"  # noqa: S105  a file's name
PEM_FILE = "binance-ed25519.pem"


class Verifier(Protocol):
    """Knows whether a signature belongs to a payload."""

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Whether the signature, already percent-decoded, is that of exactly these bytes."""


class HmacVerifier:
    """HMAC-SHA256 with the shared secret; the hexadecimal digits may be of either case."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Whether the signature is that of exactly these bytes."""
        expected = hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.lower().encode())


class Ed25519Verifier:
    """Ed25519 with the public half of the key in a PEM file."""

    def __init__(self, public_key: Any, error: type[Exception]) -> None:
        self._public_key = public_key
        self._error = error

    @classmethod
    def read(cls, pem: bytes, path: Path) -> "Ed25519Verifier":
        """Take a private or public key (PKCS#8 or SubjectPublicKeyInfo); ConfigurationError when that cannot be."""
        try:
            serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
            ed25519 = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
            wrong = importlib.import_module("cryptography.exceptions").InvalidSignature
        except ImportError as error:
            raise ConfigurationError(f"{path} needs the package cryptography, which was not installed") from error
        try:
            if b"PRIVATE" in pem:
                key = serialization.load_pem_private_key(pem, password=None).public_key()
            else:
                key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{path} did not hold a key in PEM form without a password: {error}") from error
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise ConfigurationError(f"{path} held a key of another kind than Ed25519")
        return cls(key, wrong)

    def accepts(self, payload: bytes, signature: str) -> bool:
        """Whether the signature, in base64, is that of exactly these bytes."""
        try:
            self._public_key.verify(base64.b64decode(signature, validate=True), payload)
        except (binascii.Error, ValueError, self._error):
            return False
        return True


class Credentials:
    """One API key with what verifies its signatures."""

    def __init__(self, key: str, verifier: Verifier) -> None:
        self.key = key
        self.verifier = verifier

    def knows(self, key: str) -> bool:
        """Whether this is the key, compared in constant time."""
        return hmac.compare_digest(self.key.encode(), key.encode())


def load(directory: Path) -> Credentials:
    """Read key and secret from the directory; a pair is made where neither is.

    Raises ConfigurationError naming the file that is missing, empty or unreadable.
    """
    names = (KEY_FILE, SECRET_FILE, PEM_FILE)
    if not any((directory / name).exists() for name in names):
        _make(directory)
    key = _read(directory / KEY_FILE).decode("ascii", "replace")
    pem = directory / PEM_FILE
    if pem.exists():
        return Credentials(key, Ed25519Verifier.read(_read(pem), pem))
    return Credentials(key, HmacVerifier(_read(directory / SECRET_FILE)))


def _make(directory: Path) -> None:
    """A random pair, readable by its owner alone."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (KEY_FILE, SECRET_FILE):
            descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
    except OSError as error:
        raise ConfigurationError(f"no keys could be made in {directory}: {error.strerror}") from error


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"the credential {path} could not be read: {error.strerror}") from error
    if not content:
        raise ConfigurationError(f"the credential {path} was empty")
    return content
