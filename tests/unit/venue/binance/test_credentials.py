"""Keys come from files only, whole, and appear in nothing that is shown."""

import copy
import logging
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest

from robson.domain.errors import ConfigurationError
from robson.venue.binance.credentials import credentials_directory, load_credentials
from robson.venue.binance.secret import Secret
from tests.unit.venue.binance.test_signing import PEM


def write(directory: Path, **files: bytes) -> Path:
    for name, content in files.items():
        (directory / name.replace("_pem", ".pem").replace("_", "-")).write_bytes(content)
    return directory


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"key\n", b"key"),
        (b"key\r\n", b"key"),
        (b"key", b"key"),
        (b" key \n\n", b" key \n"),
        (b"\xff\x00 \xc3\xa9\r", b"\xff\x00 \xc3\xa9\r"),
    ],
)
def test_any_content_is_taken_without_one_newline_at_its_end(tmp_path: Path, content: bytes, key: bytes) -> None:
    write(tmp_path, binance_api_key=content, binance_api_secret=b"secret\n")
    credentials = load_credentials(tmp_path)
    assert credentials.api_key.reveal() == key
    assert credentials.signer.sign(b"payload") == "b82fcb791acec57859b989b430a826488ce2e479fdf92326bd0a2e8375a42ba4"


def test_an_ed25519_key_signs_instead_of_a_secret(tmp_path: Path) -> None:
    write(tmp_path, binance_api_key=b"key\n", binance_ed25519_pem=PEM)
    assert load_credentials(tmp_path).signer.sign(b"x").endswith("%3D%3D")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "binance-api-key"),
        ({"binance_api_key": b"key"}, "binance-api-secret"),
        ({"binance_api_secret": b"secret"}, "binance-api-key"),
        ({"binance_api_key": b"\n", "binance_api_secret": b"secret"}, "binance-api-key was empty"),
        ({"binance_api_key": b"key", "binance_api_secret": b"s", "binance_ed25519_pem": PEM}, "held both"),
        ({"binance_api_key": b"key", "binance_ed25519_pem": b"hunter2"}, "not an unencrypted private key"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        load_credentials(write(tmp_path, **files))
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_without_a_directory_the_line_says_how_to_name_one() -> None:
    with pytest.raises(ConfigurationError, match="--credentials-dir or .CREDENTIALS_DIRECTORY"):
        load_credentials(None)


def test_a_key_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binance-api-key").mkdir()
    with pytest.raises(ConfigurationError, match=f"{tmp_path}/binance-api-key could not be read"):
        load_credentials(tmp_path)


def test_the_flag_goes_before_the_environment() -> None:
    environment = {"CREDENTIALS_DIRECTORY": "/run/credentials/robson"}
    assert credentials_directory(None, {}) is None
    assert credentials_directory(None, environment) == Path("/run/credentials/robson")
    assert credentials_directory(None, environment | {"ROBSON_CREDENTIALS_DIR": "/etc/keys"}) == Path("/etc/keys")
    assert credentials_directory("/mine", environment) == Path("/mine")


def test_a_secret_is_shown_by_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    credentials = load_credentials(write(tmp_path, binance_api_key=b"hunter1\n", binance_api_secret=b"hunter2\n"))
    shown = [repr(credentials), str(credentials), f"{credentials.api_key}", repr(vars(credentials.signer))]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").error("%s %r", credentials, credentials.signer)
    try:
        raise ValueError(credentials)  # noqa: TRY301
    except ValueError as error:
        shown += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    for write_out in (pickle.dumps, copy.deepcopy, msgspec.json.encode):
        with pytest.raises(TypeError) as refused:
            write_out(credentials.api_key)
        shown.append(str(refused.value))
    assert "hunter" not in "".join(shown) + caplog.text


def test_secrets_are_compared_by_content() -> None:
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"
