"""`robson emulator` as a process: doors on loopback, an account that outlives it, faults while it runs."""

import http.client
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.daemon import PATIENCE_SECONDS, robson
from tests.end_to_end.emulator import ORDER, PAIR, Emulator, starting


@pytest.fixture
def emulators(tmp_path: Path) -> Iterator[Any]:
    with starting(tmp_path, Emulator) as make:
        yield make


def test_the_account_survives_sigkill_in_the_middle_of_a_life(emulators: Any) -> None:
    first = emulators()
    status, entry = first.order("BUY", "2", sideEffectType="MARGIN_BUY", newClientOrderId="entry")
    assert (status, entry["status"]) == (200, "FILLED"), entry
    before = first.account()
    assert float(before["quoteAsset"]["borrowed"]) > 0
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL

    second = emulators()
    after = second.account()
    for asset in ("baseAsset", "quoteAsset"):
        for column in ("free", "borrowed", "interest"):
            if (asset, column) != ("quoteAsset", "interest"):
                assert after[asset][column] == before[asset][column], (asset, column)
    assert float(after["quoteAsset"]["interest"]) >= float(before["quoteAsset"]["interest"])
    found = second.ask("GET", ORDER, symbol=PAIR, isIsolated="TRUE", origClientOrderId="entry")[1]
    assert found["orderId"] == entry["orderId"]
    status, sold = second.order("SELL", "1.998", sideEffectType="AUTO_REPAY")
    assert (status, sold["orderId"]) == (200, entry["orderId"] + 1), sold
    assert float(second.account()["quoteAsset"]["borrowed"]) == 0
    said = second.said + second.log.read_text()
    secrets = [path.read_text().strip() for path in (second.state / "credentials").iterdir()]
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in said], "a key was logged or printed"
    assert str(second.state / "credentials") in second.said
    assert second.stop() == 0


def test_faults_are_switched_while_it_runs(emulators: Any) -> None:
    emulator = emulators("--control")
    assert emulator.request("POST", "/control/faults", {"fault": "drop_reply"})[0] == 200
    with pytest.raises(http.client.RemoteDisconnected):
        emulator.order("BUY", "0.01", newClientOrderId="lost")
    found = emulator.ask("GET", ORDER, symbol=PAIR, isIsolated="TRUE", origClientOrderId="lost")[1]
    assert found["status"] == "FILLED"
    emulator.request("POST", "/control/faults", {"fault": "late", "seconds": 0.2})
    with pytest.raises(http.client.RemoteDisconnected):
        emulator.order("BUY", "0.01", newClientOrderId="late")
    deadline = time.monotonic() + PATIENCE_SECONDS
    asked = {"symbol": PAIR, "isIsolated": "TRUE", "origClientOrderId": "late"}
    while emulator.ask("GET", ORDER, **asked)[1].get("status") != "FILLED":
        assert time.monotonic() < deadline
    price = emulator.request("GET", f"/api/v3/ticker/price?symbol={PAIR}")[1]["price"]
    made_up = f"{float(price) + 1000:.2f}"
    assert emulator.request("POST", "/control/price", {"symbol": PAIR, "price": made_up})[0] == 200
    rows = emulator.request("GET", f"/api/v3/aggTrades?symbol={PAIR}")[1]
    assert float(made_up) in [float(row["p"]) for row in rows]
    ids = [row["a"] for row in rows]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert emulator.request("GET", "/control/faults")[1]["fired"] == {"drop_reply": 1, "late": 1}


def test_without_the_flag_there_is_no_control(emulators: Any) -> None:
    assert emulators().request("GET", "/control/faults")[0] == 404


def test_time_runs_as_fast_as_it_is_told_and_the_section_paper_is_heeded(emulators: Any) -> None:
    emulator = emulators("--speed", "600", env={"ROBSON_PAPER_FEE_ASSET": "BNB"})
    deadline = time.monotonic() + PATIENCE_SECONDS

    def insist(method: str, path: str, **asked: object) -> Any:
        # The longest window is a tenth of a second here, which a busy machine may miss.
        while (reply := emulator.ask(method, path, recvWindow=60_000, **asked))[1].get("code") == -1021:
            assert time.monotonic() < deadline
        assert reply[0] == 200, reply
        return reply[1]

    def interest() -> float:
        account = insist("GET", "/sapi/v1/margin/isolated/account", symbols=PAIR)["assets"][0]
        return float(account["baseAsset"]["interest"])

    asked = {"symbol": PAIR, "side": "SELL", "type": "MARKET", "quantity": "1", "isIsolated": "TRUE"}
    order = insist("POST", ORDER, sideEffectType="MARGIN_BUY", **asked)
    assert order["fills"][0]["commissionAsset"] == "BNB"
    # An hour is six seconds here.
    while interest() < 0.00001:
        assert time.monotonic() < deadline
    before = emulator.request("GET", "/api/v3/time")[1]["serverTime"]
    assert emulator.stop() == 0
    emulator = emulators("--speed", "600")
    latest = insist("GET", "/sapi/v1/margin/interestHistory", isolatedSymbol=PAIR)["rows"][0]["interestAccuredTime"]
    assert emulator.request("GET", "/api/v3/time")[1]["serverTime"] >= latest > before - 7_200_000
    assert interest() >= 0.00001


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--listen", "0.0.0.0:9000"], 78, "only loopback is allowed"),
        (["--listen", "nine"], 78, "must be HOST:PORT"),
        (["--feed", "replay"], 78, "without feed.file"),
        (["--speed", "fast"], 78, "speed was 'fast'"),
        (["--credentials-dir", "half"], 78, "binance-api-secret could not be read"),
        (["--state-dir", "taken"], 74, "could not be created"),
        (["--state-dir", "broken"], 74, "emulator.db"),
    ],
)
def test_what_cannot_be_obeyed_ends_with_its_code(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "binance-api-key").write_text("key")
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "emulator.db").write_text("not a database, and long enough to be looked at" * 50)
    whole = [str(tmp_path / word) if word in {"half", "taken", "broken"} else word for word in arguments]
    if "--state-dir" not in whole:
        whole += ["--state-dir", str(tmp_path / "state")]
    if "--listen" not in whole:
        whole += ["--listen", "127.0.0.1:0"]
    done = robson("emulator", *whole)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_and_a_state_directory_have_one_owner(emulators: Any, tmp_path: Path) -> None:
    first = emulators()
    busy = robson("emulator", "--listen", f"127.0.0.1:{first.port}", "--state-dir", str(tmp_path / "other"))
    assert (busy.returncode, "could not be listened on" in busy.stderr) == (78, True), busy.stderr
    held = robson("emulator", "--listen", "127.0.0.1:0", "--state-dir", str(first.state))
    assert (held.returncode, f"pid {first.process.pid}" in held.stderr) == (74, True), held.stderr
