"""The daemon under test: a real `robson run` that is started, killed and started again."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from robson.commands.selftest.child import Child, SelftestFailed
from robson.commands.selftest.counterpart import Counterpart
from robson.commands.selftest.line import Declined, Gone, Line, connected
from robson.protocol.results import CloseResult, HealthResult, HelloResult, PanicResult, StatusResult

PROTECTED_SECONDS = 60.0
_LOOK_SECONDS = 0.01
_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Places:
    """Where the daemon under test keeps its state, its socket and its log; `doors` has room for other programs."""

    state: Path
    socket: Path
    log: Path

    @property
    def doors(self) -> Path:
        """A directory for everything that is neither journal nor account."""
        return self.log.parent


class Subject:
    """One state directory and the process that uses it; the process never outlives `running`."""

    def __init__(self, places: Places, counterpart: Counterpart, patience: float = 1.0) -> None:
        """`patience` stretches the limits on what may take long."""
        self.places = places
        self._counterpart = counterpart
        self.patience = patience
        self._child = Child("run", places.log, counterpart.settings)

    @property
    def starts(self) -> int:
        """How often it was started."""
        return self._child.starts

    def running(self) -> AbstractAsyncContextManager[None]:
        """Whatever was started in the block is killed at its end."""
        return self._child.running()

    async def start(self) -> None:
        """Start the next process."""
        places = ("--state-dir", str(self.places.state), "--socket", str(self.places.socket))
        flags = self._counterpart.flags(self._child.starts)
        await self._child.start(*places, *flags, "--log-level", "warning")

    async def protected(self) -> float:
        """Wait until no stop is unwatched any more; gives the seconds since the process was started."""
        limit = PROTECTED_SECONDS * self.patience
        with trio.move_on_after(limit):
            while True:
                self._child.must_live()
                try:
                    async with connected(self.places.socket) as line:
                        if await _is_protected(line):
                            return trio.current_time() - self._child.started_at
                except Gone:
                    pass
                # Nothing tells of a socket that appears, nor of a recovery that ends.
                await trio.sleep(_LOOK_SECONDS)
        raise SelftestFailed(f"stops were not watched within {limit:g} s of a start:\n{self.log_tail()}")

    async def strike(self) -> None:
        """SIGKILL the daemon, which must have lived until then; raises SelftestFailed."""
        await self._child.strike()

    async def stop(self) -> None:
        """SIGTERM as systemd would; raises SelftestFailed unless it ends in time and with 0."""
        await self._child.stop()

    async def leave_market(self, *, mends: bool) -> None:
        """Panic, and wait until nothing is open any more, or only what needs a person.

        `mends`: the person is there, and closes again what has ended in Error.
        """
        with trio.move_on_after(PROTECTED_SECONDS * self.patience):
            async with connected(self.places.socket) as line:
                await line.ask(PanicResult, "panic")
                while True:
                    status = await line.ask(StatusResult, "status")
                    if all(view.state == "Error" for view in status.positions):
                        if not (mends and status.positions):
                            return
                        await self._close_again(view.position_id for view in status.positions)
                    await trio.sleep(_LOOK_SECONDS)

    async def _close_again(self, position_ids: Iterable[str]) -> None:
        """Close each, as far as it can be; answered at the latest after half a minute."""

        async def close(position_id: str) -> None:
            async with connected(self.places.socket) as line:
                with suppress(Declined):
                    await line.ask(CloseResult, "close", position_id=position_id)

        async with trio.open_nursery() as hands:
            for position_id in position_ids:
                hands.start_soon(close, position_id)
        await trio.sleep(_AGAIN_SECONDS)

    def log_tail(self) -> str:
        """The last lines that the daemon wrote."""
        return self._child.log_tail()


async def _is_protected(line: Line) -> bool:
    """Whether the daemon says that every stop is rebuilt and watched."""
    if (await line.ask(HelloResult, "hello")).state == "recovering":
        return False
    return (await line.ask(HealthResult, "health")).checks["monitors"].ok
