"""The first Ctrl-C ends a command; an impatient second does not cut off its last word, a late one ends it at once."""

import os
import signal
import time

import pytest

from robsonctl.interrupting import interrupt_once


@pytest.fixture(autouse=True)
def as_python_starts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_only_the_first_is_raised() -> None:
    interrupt_once()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def test_whoever_asks_again_later_is_let_out_whatever_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    interrupt_once()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    later_seconds = time.monotonic() + 1.5
    monkeypatch.setattr(time, "monotonic", lambda: later_seconds)
    signal.raise_signal(signal.SIGINT)
    assert ended == [130]


def test_a_parent_that_ignores_it_is_obeyed() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt_once()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
