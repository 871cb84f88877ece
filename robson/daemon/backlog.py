"""What waits for a journal that cannot be written: notices beside the decisions, in their order, and only so many."""

import msgspec

from robson.domain.events import Notice
from robson.ports import Commit

# So many notices may wait; decisions always may.
NOTICES_MOST = 1000


def keep_notice(backlog: list[Commit], notice: Notice) -> bool:
    """Let a notice wait behind what waits already; False where too many do.

    Those that follow each other are one commit: when the disk is back, each commit keeps the loop from the prices.
    """
    if sum(len(commit.notices) for commit in backlog) >= NOTICES_MOST:
        return False
    if backlog and backlog[-1] == Commit(notices=backlog[-1].notices):
        backlog[-1] = msgspec.structs.replace(backlog[-1], notices=(*backlog[-1].notices, notice))
    else:
        backlog.append(Commit(notices=(notice,)))
    return True
