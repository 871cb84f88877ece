"""The user's own order events: of which pairs they are wanted, and that they may fail without anybody's noticing."""

from typing import Protocol

import structlog
import trio

from robson.daemon.supervisor import Supervisor

RESTART_SECONDS = 30.0

_log = structlog.get_logger("robson")


class UserEvents(Protocol):
    """Events of isolated accounts, told to the executor as hints; one account for each pair."""

    def follow(self, symbol: str) -> None:
        """Let the isolated account of a pair be listened to."""

    def leave(self, symbol: str) -> None:
        """Listen to it no more."""

    async def run(self) -> None:
        """Listen until cancelled."""


async def listen(supervisor: Supervisor, events: UserEvents) -> None:
    """Listen to the pairs of all open positions until cancelled; whatever fails is tried again later."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_follow, supervisor, events)
        while True:
            try:
                await events.run()
            except Exception:  # noqa: BLE001  an accelerator must not take the positions with it
                _log.exception("user_events_failed", pause_seconds=RESTART_SECONDS)
            await trio.sleep(RESTART_SECONDS)


async def _follow(supervisor: Supervisor, events: UserEvents) -> None:
    followed: set[str] = set()
    record = supervisor.around.record
    while True:
        seq = record.last_seq
        wanted = {life.position.symbol for life in supervisor.lives.values()}
        for symbol in wanted - followed:
            events.follow(symbol)
        for symbol in followed - wanted:
            events.leave(symbol)
        followed = wanted
        await record.wait_events(seq)
