"""What the tick to wire is measured with: lines of processes, and when a process is quiet."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from robson.bench import wire_line
from robson.bench.wire_line import has_line, line, quiet, start


@contextmanager
def running(code: str) -> Iterator[subprocess.Popen[bytes]]:
    with start([sys.executable, "-c", code], None, os.environ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_lines_that_came_together_are_seen_one_by_one() -> None:
    with running("import time; print('one\\ntwo\\nthree', flush=True); time.sleep(600)") as process:
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
    with running("import time; print('ready', flush=True); time.sleep(600)") as waiting:
        assert line(waiting) == "ready"
        monkeypatch.setattr(wire_line, "LOOKS_MOST", 600)
        assert quiet([waiting.pid])
