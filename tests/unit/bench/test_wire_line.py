"""What the tick to wire is measured with: lines of processes, and when a process is quiet."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from robson.bench import wire_line
from robson.bench.wire_line import has_line, line, quiet


@contextmanager
def running(code: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", code], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_lines_that_came_together_are_seen_one_by_one() -> None:
    with running("import sys; print('one\\ntwo\\nthree', flush=True); sys.stdin.read()") as process:
        assert line(process) == "one"
        assert has_line(process)
        assert [line(process), line(process)] == ["two", "three"]
        assert not has_line(process)


def test_who_works_is_not_quiet_and_who_waits_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_line, "LOOKS_MOST", 4)
    with running("print('ready', flush=True)\nwhile True: pass") as busy:
        assert line(busy) == "ready"
        monkeypatch.setattr(wire_line, "QUIET_SHARE", 0)
        assert not quiet([busy.pid])
    with running("import sys; print('ready', flush=True); sys.stdin.read()") as waiting:
        assert line(waiting) == "ready"
        monkeypatch.setattr(wire_line, "LOOKS_MOST", 600)
        assert quiet([waiting.pid])
