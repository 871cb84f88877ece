"""The exchange's keys: one file each in the credentials directory, any content, shown nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robson.domain.errors import ConfigurationError
from robson.venue.binance.secret import Secret
from robson.venue.binance.signing import Ed25519Signer, HmacSigner, Signer

API_KEY = "binance-api-key"
API_SECRET = "binance-api-secret"  # noqa: S105  the name of a file
ED25519_KEY = "binance-ed25519.pem"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are to the exchange: the key that names us, and what signs for it."""

    api_key: Secret
    signer: Signer


def credentials_directory(flag: str | None, environment: Mapping[str, str]) -> Path | None:
    """Where the keys are: flag, $ROBSON_CREDENTIALS_DIR, $CREDENTIALS_DIRECTORY; None when nobody said."""
    for chosen in (flag, environment.get("ROBSON_CREDENTIALS_DIR"), environment.get("CREDENTIALS_DIRECTORY")):
        if chosen:
            return Path(chosen)
    return None


def load_credentials(directory: Path | None) -> Credentials:
    """Read the keys; ConfigurationError, in one line that names the file, when they are not there or not readable."""
    if directory is None:
        raise ConfigurationError(
            f"mode was live without keys: name a directory with {API_KEY} and {API_SECRET} (or {ED25519_KEY}) by "
            "--credentials-dir or $CREDENTIALS_DIRECTORY"
        )
    api_key = _read(directory / API_KEY)
    secret, pem = _read(directory / API_SECRET), _read(directory / ED25519_KEY)
    if api_key is None:
        raise ConfigurationError(f"mode was live without {directory / API_KEY}")
    if secret is not None and pem is not None:
        raise ConfigurationError(f"{directory} held both {API_SECRET} and {ED25519_KEY}: keep the one of this API key")
    if secret is not None:
        return Credentials(api_key, HmacSigner(secret))
    if pem is not None:
        return Credentials(api_key, Ed25519Signer(pem))
    raise ConfigurationError(f"mode was live without {directory / API_SECRET} (or {ED25519_KEY})")


def _read(path: Path) -> Secret | None:
    """One key without the newline at its end; None when the file is not there."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} could not be read: {error.strerror}") from error
    newline = b"\r\n" if content.endswith(b"\r\n") else b"\n"
    secret = Secret(content.removesuffix(newline))
    if not secret.reveal():
        raise ConfigurationError(f"{path} was empty")
    return secret
