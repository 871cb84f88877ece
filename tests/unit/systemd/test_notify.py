"""What the service manager hears, over a path and over a name in the abstract space."""

import os
import socket
from pathlib import Path

import pytest

from robson.systemd.notify import Notifier, extend_timeout, reloading, watchdog_seconds


def manager(address: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listening.bind(address)
    listening.settimeout(10)
    return listening


def test_a_datagram_goes_to_a_path(tmp_path: Path) -> None:
    with manager(str(tmp_path / "notify")) as heard:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        notifier = Notifier.from_environment(environment)
        assert notifier.tell("READY=1", "STATUS=two\nlines")
        assert heard.recv(4096) == b"READY=1\nSTATUS=two lines"
    assert environment == {}, "a child would speak for the daemon"


def test_a_datagram_goes_to_an_abstract_name() -> None:
    name = f"robson-test-{os.getpid()}"
    with manager(f"\0{name}") as heard:
        assert Notifier(f"@{name}").tell("WATCHDOG=1")
        assert heard.recv(4096) == b"WATCHDOG=1"


def test_nobody_is_told_without_a_manager(tmp_path: Path) -> None:
    assert not Notifier().is_heard
    assert not Notifier().tell("READY=1")
    assert not Notifier(str(tmp_path / "gone")).tell("READY=1")
    assert not Notifier("vsock:2:1234").is_heard


def test_a_manager_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    with manager(str(tmp_path / "notify")):
        notifier = Notifier(str(tmp_path / "notify"))
        told = [notifier.tell("STATUS=" + "x" * 1000) for _ in range(2000)]
    assert told[0]
    assert not told[-1], "the queue was full"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "5000000"}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "7"}, 5.0),
        ({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdogs_patience(environment: dict[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environment, 7) == seconds
    assert environment == {}


def test_moments_and_spans_are_told_in_microseconds() -> None:
    assert extend_timeout(1.5) == "EXTEND_TIMEOUT_USEC=1500000"
    assert reloading(2.25) == ("RELOADING=1", "MONOTONIC_USEC=2250000")
