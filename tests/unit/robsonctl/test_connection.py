"""Which socket, how long, and what is known when no answer came."""

import signal
import socket
from pathlib import Path

import pytest

from robson.protocol.requests import PingRequest
from robson.protocol.results import ResumeResult
from robsonctl.connection import Daemon, find_socket
from robsonctl.exits import Ended, Exit
from tests.unit.robsonctl.conftest import Robsonctl, ScriptedDaemon


def listen(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def test_a_named_socket_is_taken_as_it_is(tmp_path: Path) -> None:
    environment = {"ROBSON_SOCKET": "/from/variable"}
    assert find_socket("/from/option", environment, tmp_path) == "/from/option"
    assert find_socket(None, environment, tmp_path) == "/from/variable"


def test_the_first_socket_that_exists_is_taken(tmp_path: Path) -> None:
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    (checkout / "robson").mkdir(parents=True)
    (checkout / "robson" / "__init__.py").touch()
    (checkout / "pyproject.toml").touch()
    environment = {"HOME": str(home), "ROBSON_STATE_DIR": str(tmp_path / "state")}
    places = [
        home / ".local" / "state" / "robson" / "robson.sock",
        checkout / "state" / "robson.sock",
        tmp_path / "state" / "robson.sock",
    ]
    for place in places:
        listen(place)
        assert find_socket(None, environment, checkout / "robson") == str(place)
    assert find_socket(None, {"XDG_STATE_HOME": str(home / ".local" / "state")}, tmp_path) == str(places[0])


def test_without_any_socket_the_places_are_named(robsonctl: Robsonctl, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert robsonctl("status") == Exit.UNREACHABLE
    assert f"{tmp_path}/robson/robson.sock, /run/robson/robson.sock" in robsonctl.err
    assert "--socket" in robsonctl.err


def test_a_socket_that_nobody_listens_on_is_exit_69(robsonctl: Robsonctl, tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    listen(path)
    assert robsonctl("resume", "--socket", str(path)) == Exit.UNREACHABLE
    assert f"no daemon answers at {path}: Connection refused (unreachable)" in robsonctl.err


def test_a_mutation_without_an_answer_is_exit_75_with_the_key_to_repeat_it(
    robsonctl: Robsonctl, daemon: ScriptedDaemon
) -> None:
    assert robsonctl("--timeout", "0.01", "resume", "--key", "monday") == Exit.OUTCOME_UNKNOWN
    assert "did not answer within 0.01 s: the outcome is unknown (outcome_unknown)" in robsonctl.err
    assert "--key monday" in robsonctl.err


def test_a_generated_key_is_named_too(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.hang_up()
    assert robsonctl("resume") == Exit.OUTCOME_UNKNOWN
    assert "closed the connection before it answered" in robsonctl.err
    assert f"--key {daemon.asked()[0]['idempotency_key']}`" in robsonctl.err


def test_a_query_without_an_answer_is_exit_69(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    assert robsonctl("ping", "--timeout", "0.01") == Exit.UNREACHABLE


def test_half_a_reply_is_no_reply(robsonctl: Robsonctl, daemon: ScriptedDaemon) -> None:
    daemon.say(b'{"id":null,"ok":true,"resu')
    daemon.hang_up()
    assert robsonctl("resume") == Exit.OUTCOME_UNKNOWN


def test_ctrl_c_while_waiting_for_a_mutation_says_that_its_outcome_is_unknown(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Daemon, "_line", lambda *_: signal.raise_signal(signal.SIGINT))
    assert robsonctl("resume", "--key", "k") == Exit.INTERRUPTED
    assert "the outcome is unknown" in robsonctl.err


def test_ctrl_c_while_waiting_for_a_question_says_nothing(
    robsonctl: Robsonctl, daemon: ScriptedDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Daemon, "_line", lambda *_: signal.raise_signal(signal.SIGINT))
    assert robsonctl("ping") == Exit.INTERRUPTED
    assert robsonctl.err == ""


def test_a_reason_given_before_the_pipe_broke_is_read(tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with Daemon(lambda: path, 5.0) as daemon:
            daemon.connected()
            far, _ = server.accept()
            far.sendall(
                b'{"id":null,"ok":false,"error":{"code":"too_many_clients","message":"full","hint":"","retryable":true}}\n'
            )
            far.close()
            with pytest.raises(Ended) as caught:
                daemon.ask(PingRequest())
    assert (caught.value.code, caught.value.exit_code) == ("too_many_clients", Exit.UNREACHABLE)


def test_the_result_is_the_daemons_own_bytes(daemon: ScriptedDaemon, robsonctl: Robsonctl) -> None:
    daemon.say(b'{"id":null,"ok":true,"result":{"panic_latched": false, "later":1.50}}\n')
    daemon.reply(ResumeResult())
    assert robsonctl("resume", "--json") == Exit.OK
    assert robsonctl.out == '{"panic_latched": false, "later":1.50}\n'
