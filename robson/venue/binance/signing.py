"""Signatures over the exact bytes that are sent: percent-encoded first, plain decimals, nothing re-encoded later."""

import base64
import hmac
from collections.abc import Iterable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote

from robson.domain.errors import ConfigurationError, Rejected
from robson.domain.values import PLAIN_DECIMAL, plain
from robson.venue.binance.secret import Secret

Parameter = str | int | Decimal
Parameters = Iterable[tuple[str, Parameter]]

# The code with which the exchange refuses characters that a parameter may not hold.
UNWRITABLE = "-1100"


class Signer(Protocol):
    """Signs a payload; what it gives can stand in a query as it is."""

    def sign(self, payload: bytes) -> str:
        """The signature, percent-encoded where it has to be."""


class HmacSigner:
    """HMAC-SHA256 in lower-case hex."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def sign(self, payload: bytes) -> str:
        """The signature in hex."""
        return hmac.new(self._secret.reveal(), payload, sha256).hexdigest()


class Ed25519Signer:
    """Ed25519 in base64, percent-encoded; needs the extra `ed25519`.

    Raises ConfigurationError when the extra is missing or the key is none, without a word of its content.
    """

    def __init__(self, pem: Secret) -> None:
        try:
            from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  an optional extra
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
            from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                'the Ed25519 key needs the package cryptography: install robson with its extra, "robson[ed25519]"'
            ) from None
        try:
            key = load_pem_private_key(pem.reveal(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigurationError("the Ed25519 key was not an unencrypted private key of that kind in PEM (PKCS#8)")
        self._key = key

    def sign(self, payload: bytes) -> str:
        """The signature in base64, percent-encoded."""
        return quote(base64.b64encode(self._key.sign(payload)).decode(), safe="")


def text_of(value: Parameter) -> str:
    """A parameter's value as the venue reads it; decimals in plain digits.

    Raises Rejected for a number that has no such form (more than twenty digits on a side, negative, not finite).
    """
    if isinstance(value, Decimal):
        text = plain(value) if value.is_finite() else str(value)
        if not PLAIN_DECIMAL.fullmatch(text):
            raise Rejected(
                UNWRITABLE, f"the amount was {text}, which the venue's decimal format cannot hold; nothing was sent"
            )
        return text
    return str(value)


def encode(parameters: Parameters) -> bytes:
    """The parameters in their order as a query or form body, percent-encoded (UTF-8)."""
    return "&".join(f"{quote(name, safe='')}={quote(text_of(value), safe='')}" for name, value in parameters).encode()


def signed(parameters: Parameters, signer: Signer) -> bytes:
    """The encoded parameters with the signature over exactly these bytes at their end."""
    payload = encode(parameters)
    return payload + b"&signature=" + signer.sign(payload).encode()


def stream_payload(parameters: Mapping[str, Parameter]) -> bytes:
    """What the WebSocket API signs: sorted by name, UTF-8 as it is, nothing percent-encoded."""
    return "&".join(f"{name}={text_of(parameters[name])}" for name in sorted(parameters)).encode()
