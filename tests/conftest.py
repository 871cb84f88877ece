"""What every test shares: a hypothesis profile that tries the same examples on every machine and in every run."""

import logging
import signal

import pytest
import structlog
from hypothesis import settings

from tests.simulation import tally

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
# For a person who hunts: make test ARGS="--hypothesis-profile=search tests/property"
settings.register_profile("search", deadline=None, print_blob=True, max_examples=2000)
settings.load_profile("ci")

# Simulated lives log thousands of lines; a test that wants to see some uses structlog.testing.capture_logs.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

# A job in the background of a shell ignores SIGINT, and so would every process that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was simulated."""
    for line in tally.lines():
        terminalreporter.write_line(line)
