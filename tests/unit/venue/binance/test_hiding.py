"""Key and signature are taken out of what a server says, however it repeats them, and nothing else is."""

import msgspec
import pytest

from robson.venue.binance.hiding import masked, signature_of

KEY = b"the-key"
# As in a query: base64 with its + / = percent-encoded.
ED25519 = b"ab%2Bcd%2Fef%3D%3D"


def test_the_signature_is_what_stands_last_in_a_query() -> None:
    assert signature_of(b"a=1&timestamp=2&signature=" + ED25519) == ED25519
    assert signature_of(b"a=1&timestamp=2") == b""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"nothing of ours", b"nothing of ours"),
        (b"key the-key, again the-key", b"key (hidden), again (hidden)"),
        (b"a=1&signature=ab%2Bcd%2Fef%3D%3D HTTP/1.1", b"a=1&signature=(hidden) HTTP/1.1"),
        (b"it was signed ab+cd/ef== by you", b"it was signed (hidden) by you"),
        (b"earlier: signature=0123abcd&x=1", b"earlier: signature=(hidden)&x=1"),
        (b"signature=", b"signature="),
    ],
)
def test_what_is_repeated_is_masked(said: bytes, shown: bytes) -> None:
    assert masked(said, (KEY, ED25519)) == shown


def test_json_stays_json() -> None:
    for said in (rb'{"msg":"bad \"a=1&signature=xyz\" there"}', rb'{"msg":"signature=ab\/cd was bad"}'):
        document = msgspec.json.decode(masked(said, (KEY, b"")))
        assert "(hidden)" in document["msg"]
        assert "xyz" not in document["msg"]
        assert "cd" not in document["msg"]


def test_no_secret_is_no_mask() -> None:
    assert masked(b"abc", (b"",)) == b"abc"
