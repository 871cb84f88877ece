"""Every row of the table: what an answer, or its absence, proves about a write and about a read."""

from typing import Any

import pytest

from robson.domain.errors import Banned, Fatal, InDoubt, RateLimited, Rejected, Unreachable, VenueError
from robson.venue.binance import errors
from robson.venue.binance.errors import Answer, Kind
from robson.venue.binance.reading import Malformed, document_of

NOW_MS = 1_700_000_000_000
HTML = b"<html><head><title>403 Forbidden</title></head>\n<body>Request blocked. </body></html>"


def judge(kind: Kind, status: int, body: bytes, **headers: str) -> VenueError | None:
    answer = Answer(status=status, headers={name.replace("_", "-"): said for name, said in headers.items()}, body=body)
    try:
        document: Any = document_of(body)
    except Malformed:
        document = None
    return errors.refusal(kind, answer, document, now_ms=NOW_MS)


def said(code: int, text: str = "text") -> bytes:
    return b'{"code":%d,"msg":"%s"}' % (code, text.encode())


AMBIGUOUS = [
    *[
        (status, body)
        for status in (500, 502, 503, 504, 599)
        for body in (b"", HTML, said(-1000), said(-2010), said(-1003))
    ],
    *[(400, said(code)) for code in (-1000, -1001, -1006, -1007, -1008, -1016, -3000, -3044)],
    *[(status, b"") for status in (301, 302, 307, 408, 409)],
    (408, said(-1007)),
    (409, said(-2022)),
    (200, said(-2010)),
    (200, said(-1003)),
    (400, said(-2010, "Duplicate order sent.")),
]


@pytest.mark.parametrize(("status", "body"), AMBIGUOUS)
def test_what_the_venue_itself_does_not_know_leaves_a_write_in_doubt(status: int, body: bytes) -> None:
    assert type(judge(Kind.WRITE, status, body)) is InDoubt
    assert type(judge(Kind.READ, status, body)) is Unreachable


@pytest.mark.parametrize(
    ("status", "body"), [(status, body) for status in (400, 401, 403, 404, 451) for body in (HTML, b"", b"null", b"[]")]
)
def test_a_word_that_is_not_the_exchanges_own_leaves_a_write_in_doubt(status: int, body: bytes) -> None:
    assert type(judge(Kind.WRITE, status, body)) is InDoubt
    refused = judge(Kind.READ, status, body)
    assert isinstance(refused, Rejected)
    assert refused.code == str(status)
    assert isinstance(refused, RateLimited) == (status == 403)


def test_a_firewall_is_known_by_its_status_and_its_lack_of_a_code() -> None:
    for status, body, firewall in [(403, HTML, True), (403, b"", True), (403, said(-2015), False), (404, HTML, False)]:
        document = document_of(body) if body.startswith(b"{") else None
        assert errors.is_firewall(Answer(status=status, headers={}, body=body), document) is firewall


@pytest.mark.parametrize("status", [400, 401, 403, 404])
@pytest.mark.parametrize("code", [-1002, -1022, -2008, -2014, -2015])
@pytest.mark.parametrize("kind", Kind)
def test_a_key_that_is_not_accepted_is_fatal(kind: Kind, code: int, status: int) -> None:
    refused = judge(kind, status, said(code, "Invalid API-key."))
    assert type(refused) is Fatal
    assert (refused.code, refused.text) == (str(code), "Invalid API-key.")


DEFINITE = [
    *[-1013, -1021, *range(-1108, -1099), -1111, -1121, -1130, -2010, -2011, -2013, -2026, -2039],
    *[-3003, -3005, -3006, -3007, -3008, -3010, *range(-3016, -3011), *range(-3024, -3019), -3027, -3028],
    *[-3036, -3037, -3041, -3042, -3045, -3064, -3999, -4047, -11001, -11008, -1209, -9999],
]


@pytest.mark.parametrize("code", DEFINITE)
@pytest.mark.parametrize("kind", Kind)
def test_a_definite_refusal_keeps_the_exchanges_code_and_text(kind: Kind, code: int) -> None:
    refused = judge(kind, 400, said(code, "Filter failure: LOT_SIZE"))
    assert type(refused) is Rejected
    assert (refused.code, refused.text) == (str(code), "Filter failure: LOT_SIZE")


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "code", "seconds"),
    [
        (429, said(-1003), {"retry_after": "7"}, RateLimited, "-1003", 7),
        (429, said(-1003), {}, RateLimited, "-1003", 60),
        (429, HTML, {"retry_after": "7"}, RateLimited, "429", 7),
        (429, b"", {"retry_after": "soon"}, RateLimited, "429", 60),
        (429, b"", {"retry_after": "0"}, RateLimited, "429", 1),
        (429, b"", {"retry_after": "nan"}, RateLimited, "429", 60),
        (429, b"", {"retry_after": "-5"}, RateLimited, "429", 1),
        (400, said(-1003), {}, RateLimited, "-1003", 60),
        (400, said(-1015), {"retry_after": "3"}, RateLimited, "-1015", 3),
        (429, said(-1015), {}, RateLimited, "-1015", 60),
        (418, said(-1003), {"retry_after": "300"}, Banned, "-1003", 300),
        (418, b"", {}, Banned, "418", 120),
        (418, b"", {"retry_after": "999999999"}, Banned, "418", 259_200),
        (418, said(-1003, f"IP banned until {NOW_MS + 90_000}."), {}, Banned, "-1003", 90),
        (429, said(-1003, f"Way too much; IP banned until {NOW_MS + 90_000}."), {}, Banned, "-1003", 90),
        (418, said(-1003, f"IP banned until {NOW_MS - 90_000}."), {}, Banned, "-1003", 1),
    ],
)
@pytest.mark.parametrize("request_kind", Kind)
def test_limits_and_bans_say_how_long_to_wait(
    request_kind: Kind, status: int, body: bytes, headers: dict[str, str], kind: type, code: str, seconds: float
) -> None:
    refused = judge(request_kind, status, body, **headers)
    assert type(refused) is kind
    assert isinstance(refused, RateLimited)
    assert (refused.code, refused.retry_after_seconds) == (code, seconds)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"code":0}', b'{"code":200,"msg":"success"}', b'{"orderId":1}', b""])
@pytest.mark.parametrize("kind", Kind)
def test_a_success_is_left_to_its_reader(kind: Kind, body: bytes) -> None:
    assert judge(kind, 200, body) is None


def test_an_unreadable_success_leaves_a_write_in_doubt() -> None:
    answer = Answer(status=200, headers={}, body=b'{"orderId":')
    assert type(errors.undecodable(Kind.WRITE, answer, "not JSON")) is InDoubt
    assert type(errors.undecodable(Kind.READ, answer, "not JSON")) is Unreachable


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        *[(Kind.WRITE, False, Unreachable), (Kind.WRITE, True, InDoubt)],
        *[(Kind.READ, False, Unreachable), (Kind.READ, True, Unreachable)],
    ],
)
def test_silence_proves_absence_only_before_the_first_byte(kind: Kind, sent: bool, expected: type) -> None:
    assert type(errors.no_answer(kind, "reset", sent=sent)) is expected


def test_messages_are_short_and_in_one_line() -> None:
    refused = judge(Kind.WRITE, 503, b"<p>\r\n" * 10_000)
    assert "\n" not in str(refused)
    assert len(str(refused)) < 300
    assert "empty body" in str(judge(Kind.WRITE, 503, b""))
