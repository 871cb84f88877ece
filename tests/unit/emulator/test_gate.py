"""Keys, signatures over the bytes that were sent, and the time window."""

import base64
from pathlib import Path

import pytest
import trio

from robson.domain.errors import ConfigurationError
from robson.emulator import credentials
from robson.emulator.credentials import Credentials, Ed25519Verifier, HmacVerifier
from robson.emulator.gate import Security, Window, admit
from robson.emulator.parameters import Parameters
from robson.emulator.refusals import Refused
from robson.emulator.ws_api import signed_payload
from tests.unit.emulator.bench import ORDER, PAIR, opened, sign

# The exchange's own worked examples.
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
NOW = 1499827319559
REST = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
VECTORS = [
    (f"symbol=LTCBTC&{REST}", "", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
    (
        f"symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&{REST}",
        "",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
        "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
]
KEYS = Credentials(KEY, HmacVerifier(SECRET))


def let_in(query: str, body: str = "", *, key: str | None = KEY, now_ms: int = NOW) -> Window | None:
    return admit(Security.SIGNED, key, query, body, Parameters.read(query, body), KEYS, now_ms)


@pytest.mark.parametrize(("query", "body", "signature"), VECTORS)
def test_the_worked_examples_are_let_in(query: str, body: str, signature: str) -> None:
    assert let_in(f"{query}&signature={signature}", body) is not None
    assert let_in(f"signature={signature.upper()}&{query}", body) is not None, "anywhere, in either case"
    if body:
        assert let_in(query, f"{body}&signature={signature}") is not None
    with pytest.raises(Refused, match="-1022"):
        let_in(f"{query}&x=1&signature={signature}", body)


def test_what_is_signed_before_it_is_percent_encoded_is_refused() -> None:
    query, _, signature = VECTORS[1]
    with pytest.raises(Refused, match="-1022"):
        let_in(query.replace("%EF%BC%91", "%ef%bc%91") + f"&signature={signature}")


def test_the_socket_api_signs_sorted_names_and_raw_text() -> None:
    texts = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "recvWindow": "100",
        "timestamp": "1645423376532",
        "apiKey": KEY,
    }
    verifier = HmacVerifier(SECRET)
    assert verifier.accepts(signed_payload(texts), "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24")
    wide = {
        "symbol": "１２３４５６",
        "quantity": "1.00000000",
        "price": "0.10000000",
        "recvWindow": "5000",
        "side": "BUY",
    }
    assert verifier.accepts(
        signed_payload({**texts, **wide}), "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd"
    )


@pytest.mark.parametrize(
    ("ahead_ms", "window", "text"),
    [
        (-5001, None, "Timestamp for this request is outside of the recvWindow."),
        (-101, "100", "Timestamp for this request is outside of the recvWindow."),
        (1000, None, "Timestamp for this request was 1000ms ahead of the server's time."),
        (-5000, None, None),
        (999, None, None),
        (-5001, "60000", None),
    ],
)
async def test_the_window_has_two_sides(
    tmp_path: Path, ahead_ms: int, window: str | None, text: str | None, autojump_clock: object
) -> None:
    with opened(tmp_path) as bench:
        more = {} if window is None else {"recvWindow": window}
        reply = await bench.ask(
            "GET",
            "/sapi/v1/margin/openOrders",
            symbol=PAIR,
            isIsolated="TRUE",
            timestamp=bench.now_ms + ahead_ms,
            **more,
        )
        assert (reply.status, reply.json) == ((200, []) if text is None else (400, {"code": -1021, "msg": text}))


async def test_timestamps_may_be_in_microseconds_and_windows_have_decimals(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        path, asked = "/sapi/v1/margin/openOrders", {"symbol": PAIR, "isIsolated": "true"}
        assert (
            await bench.ask("GET", path, **asked, timestamp=bench.now_ms * 1000, recvWindow="4999.123")
        ).status == 200
        assert (await bench.ask("GET", path, **asked, recvWindow="60001")).error[0] == -1131
        assert (await bench.ask("GET", path, **asked, recvWindow="1.2345")).error[0] == -1100


async def test_keys_that_are_missing_malformed_or_wrong(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        query = f"symbol={PAIR}&isIsolated=TRUE&timestamp={bench.now_ms}"
        signed = f"{query}&signature={sign(query)}"
        for key, code in (("", -2014), ("no spaces please", -2014), ("somebody-else", -2015)):
            reply = await bench.send("GET", "/sapi/v1/margin/openOrders", signed, key=key)
            assert (reply.status, reply.error[0]) == (401, code), key
        assert (await bench.send("GET", "/sapi/v1/margin/openOrders", query)).error[0] == -1102
        assert (await bench.send("GET", "/sapi/v1/margin/openOrders", f"{query}&signature=00")).error[0] == -1022


async def test_market_data_needs_no_key_and_a_token_no_signature(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        assert (await bench.get("/api/v3/time")).json == {"serverTime": bench.now_ms}
        path, query = "/sapi/v1/userListenToken", f"symbol={PAIR}&isIsolated=true"
        assert (await bench.send("POST", path, query)).status == 200
        assert (await bench.send("POST", path, query, key="")).status == 401
        assert (await bench.send("POST", path, f"{query}&timestamp=1&signature=00")).error[0] == -1022


async def test_a_body_counts_like_a_query_and_the_query_wins(tmp_path: Path) -> None:
    with opened(tmp_path) as bench:
        body = f"side=SELL&symbol={PAIR}&type=MARKET&isIsolated=TRUE&quantity=0.01&timestamp={bench.now_ms}"
        query = "side=BUY"
        reply = await bench.send("POST", ORDER, query, f"{body}&signature={sign(query + body)}")
        assert reply.json["side"] == "BUY"


def test_an_empty_directory_gets_a_pair_that_only_its_owner_reads(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    made = credentials.load(directory)
    assert credentials.load(directory).key == made.key
    assert {(path.name, path.stat().st_mode & 0o777) for path in directory.iterdir()} == {
        ("binance-api-key", 0o600),
        ("binance-api-secret", 0o600),
    }
    (directory / "binance-api-secret").write_text(" \n")
    with pytest.raises(ConfigurationError, match="binance-api-secret was empty"):
        credentials.load(directory)
    (directory / "binance-api-secret").unlink()
    with pytest.raises(ConfigurationError, match="binance-api-secret could not be read"):
        credentials.load(directory)


def test_ed25519_signatures_are_base64_over_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    pem = (
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
        b"-----END PRIVATE KEY-----\n"
    )
    verifier = Ed25519Verifier.read(pem, tmp_path)
    order = b"symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2"
    payload = order + b"&timestamp=1668481559918&recvWindow=5000"
    signature = "XtZirsmmi0noRzUfkqktvkVfxpkq/WtbLg2UOL3QGYdUBZVlqOBEMuEVw8zioY93N54NcKj9UuAXQEa9zgTDBg=="
    assert verifier.accepts(payload, signature)
    assert not verifier.accepts(payload + b"0", signature)
    assert not verifier.accepts(payload, base64.b64encode(b"x").decode())
    assert not verifier.accepts(payload, "not base64")


def test_a_pem_without_its_package_is_a_matter_of_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr("robson.emulator.credentials.importlib.import_module", missing)
    with pytest.raises(ConfigurationError, match="needs the package cryptography"):
        Ed25519Verifier.read(b"", tmp_path)


async def test_the_window_is_checked_again_right_before_the_order_executes(
    tmp_path: Path, autojump_clock: object
) -> None:
    with opened(tmp_path, price=None) as bench:
        answers = []

        async def order(window: int) -> None:
            reply = await bench.order("BUY", "0.01", recvWindow=window)
            answers.append((window, reply.json.get("status", reply.json.get("code"))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(order, 1000)
            nursery.start_soon(order, 5000)
            await trio.sleep(2)
            bench.tick("95000")
        assert sorted(answers) == [(1000, -1021), (5000, "FILLED")]
