"""A disk that needs long for a commit: nothing else runs meanwhile, so it is told."""

import structlog

# So many commits in a row that take so long are a slow disk: one alone may be a busy machine.
SLOW_COMMIT_SECONDS = 0.05
SLOW_COMMITS = 3
# The worst stands in `health` for a minute.
TOLD_SECONDS = 60.0

_log = structlog.get_logger("robson.journal")


class Slowness:
    """The slowest commit of the last while."""

    def __init__(self) -> None:
        self._row: list[float] = []
        self._worst = 0.0
        self._since = 0.0

    def note(self, began: float, ended: float) -> None:
        """Take note of a commit (s, on one steady clock)."""
        taken = ended - began
        self._row = [*self._row, taken][-SLOW_COMMITS:] if taken >= SLOW_COMMIT_SECONDS else []
        if len(self._row) < SLOW_COMMITS:
            return
        if not self._worst:
            _log.warning("slow_disk", commit_seconds=round(max(self._row), 3))
            self._since = began
        self._worst = max(self._worst, *self._row)

    def forget(self, now: float) -> None:
        """Begin anew once it has been told for a minute."""
        if now - self._since >= TOLD_SECONDS:
            self._worst = 0.0

    @property
    def remark(self) -> str | None:
        """What an operator should know; None while the disk is fast enough."""
        if not self._worst:
            return None
        return f"the disk is slow: a commit took {self._worst:.3f} s, in which nothing else ran"
