"""Says how large the checked models were."""

import pytest

from tests.model import checker


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in checker.VISITED:
        terminalreporter.write_line(line)
