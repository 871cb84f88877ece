"""Client order ids that can be computed again after a crash, and recognised on the venue."""

import re
from hashlib import sha256

from robson.domain.values import ClientOrderId, PositionId

# Binance: ^[a-zA-Z0-9-_]{1,36}$ ; three characters of prefix and 32 of digest make 35.
PREFIX = "rbn"
_OURS = re.compile(rf"{PREFIX}[0-9a-f]{{32}}", re.ASCII)


def entry_order_id(position_id: PositionId, signal_id: str) -> ClientOrderId:
    """The id of the one entry order that a signal may cause."""
    return _derive("entry", position_id, signal_id)


def exit_order_id(position_id: PositionId, attempt: int, part: int) -> ClientOrderId:
    """The id of one exit order: `attempt` counts from 1, `part` from 0 where an exit is split above the maximum."""
    assert attempt >= 1, attempt
    assert part >= 0, part
    return _derive("exit", position_id, str(attempt), str(part))


def is_ours(client_order_id: str) -> bool:
    """Whether Robson could have made this id."""
    return _OURS.fullmatch(client_order_id) is not None


def _derive(*parts: str) -> ClientOrderId:
    digest = sha256("\0".join(parts).encode()).hexdigest()
    return ClientOrderId(PREFIX + digest[:32])
