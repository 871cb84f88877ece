"""Signatures: the exchange's own worked examples, RFC 8032, and openssl on random parameters."""

import base64
import os
import random
import subprocess
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import pytest

from robson.domain.errors import ConfigurationError, Rejected
from robson.venue.binance.secret import Secret
from robson.venue.binance.signing import Ed25519Signer, HmacSigner, Parameter, encode, signed, stream_payload

API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
# RFC 8032, section 7.1, TEST 1, as PKCS#8.
PEM = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""
WIDE = "１２３４５６"
LIMIT: list[tuple[str, Parameter]] = [
    ("side", "BUY"),
    ("type", "LIMIT"),
    ("timeInForce", "GTC"),
    ("quantity", 1),
    ("price", Decimal("0.1")),
]
TIMES: list[tuple[str, Parameter]] = [("recvWindow", 5000), ("timestamp", 1499827319559)]
ED25519: list[tuple[str, Parameter]] = [
    ("side", "SELL"),
    ("type", "LIMIT"),
    ("timeInForce", "GTC"),
    ("quantity", 1),
    ("price", Decimal("0.2")),
    ("timestamp", 1668481559918),
    ("recvWindow", 5000),
]
# ROBSON_TEST_SIGNATURES makes the run shorter or longer.
RANDOM_SETS = int(os.environ.get("ROBSON_TEST_SIGNATURES", "1000"))


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
        (WIDE, "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"),
    ],
)
def test_the_exchanges_hmac_examples(symbol: str, signature: str) -> None:
    sent = signed([("symbol", symbol), *LIMIT, *TIMES], HmacSigner(Secret(SECRET)))
    assert sent.endswith(b"&timestamp=1499827319559&signature=" + signature.encode())


def test_the_exchanges_hmac_example_of_a_query_and_a_body_joined_by_nothing() -> None:
    query = encode([("symbol", "LTCBTC"), *LIMIT[:3]])
    body = encode([*LIMIT[3:], *TIMES])
    assert b"GTCquantity" in query + body
    assert (
        HmacSigner(Secret(SECRET)).sign(query + body)
        == "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
    )


@pytest.mark.parametrize(
    ("parameters", "signature"),
    [
        (
            {"symbol": "BTCUSDT", "side": "SELL", "price": "52000.00", "quantity": "0.01000000", "recvWindow": 100},
            "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        ),
        (
            {"symbol": WIDE, "side": "BUY", "price": "0.10000000", "quantity": "1.00000000", "recvWindow": 5000},
            "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
        ),
    ],
)
def test_the_exchanges_examples_of_the_websocket_api(parameters: dict[str, Parameter], signature: str) -> None:
    common: dict[str, Parameter] = {
        "apiKey": API_KEY,
        "timeInForce": "GTC",
        "timestamp": 1645423376532,
        "type": "LIMIT",
    }
    assert HmacSigner(Secret(SECRET)).sign(stream_payload(parameters | common)) == signature


@pytest.mark.parametrize(
    ("symbol", "signature"),
    [
        ("BTCUSDT", "XtZirsmmi0noRzUfkqktvkVfxpkq/WtbLg2UOL3QGYdUBZVlqOBEMuEVw8zioY93N54NcKj9UuAXQEa9zgTDBg=="),
        (WIDE, "FWYdifsZ1T+XvAR4JXeCD399kQM9CBUnEKjWb0+jS1X00g+LgvtR8uBv2T7dn1gFf9GPIhHnYlM+6vBsJOnMDA=="),
    ],
)
def test_ed25519_by_the_key_of_rfc_8032(symbol: str, signature: str) -> None:
    sent = signed([("symbol", symbol), *ED25519], Ed25519Signer(Secret(PEM)))
    payload, _, shown = sent.partition(b"&signature=")
    assert payload == encode([("symbol", symbol), *ED25519])
    assert unquote(shown.decode()) == signature
    assert not set(b"+/=") & set(shown)


def test_openssl_agrees_on_random_parameters(tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_bytes(PEM)
    payload_file = tmp_path / "payload"
    seed = int(os.environ.get("ROBSON_TEST_SEED", "7"))
    print(f"seed {seed}, {RANDOM_SETS} parameter sets")
    source = random.Random(seed)
    for _ in range(RANDOM_SETS):
        payload = encode(_random_parameters(source))
        payload_file.write_bytes(payload)
        secret = source.randbytes(source.randint(1, 80))
        digest = _openssl("dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{secret.hex()}", str(payload_file))
        assert HmacSigner(Secret(secret)).sign(payload) == digest.decode().split("= ")[1].strip()
        raw = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(pem), "-in", str(payload_file))
        assert base64.b64decode(unquote(Ed25519Signer(Secret(PEM)).sign(payload))) == raw


def _random_parameters(source: random.Random) -> list[tuple[str, Parameter]]:
    alphabet = "AZaz09-_.~ +/=&%?#\"'<>éß１２\U0001f600"
    parameters: list[tuple[str, Parameter]] = []
    for index in range(source.randint(1, 12)):
        values: list[Parameter] = [
            "".join(source.choices(alphabet, k=source.randint(0, 30))),
            source.randrange(10**13),
            Decimal(source.randrange(10**20)).scaleb(-source.randint(0, 20)),
        ]
        value = source.choice(values)
        parameters.append((f"name{index}", value))
    return parameters


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("0.00001"), "0.00001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.01500"), "0.015"),
        (Decimal("-0"), "0"),
    ],
)
def test_decimals_are_sent_in_plain_digits(amount: Decimal, text: str) -> None:
    assert encode([("quantity", amount)]) == f"quantity={text}".encode()


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity", "1E-21", "1E+20"])
def test_what_the_venues_decimal_format_cannot_hold_is_not_sent(amount: str) -> None:
    with pytest.raises(Rejected, match="^-1100: .*decimal format"):
        encode([("quantity", Decimal(amount))])


def test_reserved_characters_are_encoded_before_signing() -> None:
    assert encode([("a b", "x&y=z+%/é")]) == b"a%20b=x%26y%3Dz%2B%25%2F%C3%A9"


@pytest.mark.parametrize("content", [b"not a key", PEM.replace(b"MC4C", b"MC4D"), b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_key_that_is_none_is_refused_without_showing_it(content: bytes) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Ed25519Signer(Secret(content))
    assert "MC4" not in str(refused.value)
    assert refused.value.__context__ is None
