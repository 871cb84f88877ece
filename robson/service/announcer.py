"""Tells the service manager how things stand: ready, status, and signs of life while there is proof of it."""

import math
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog
import trio

from robson.daemon.desk import Desk
from robson.daemon.supervisor import Supervisor
from robson.service.proof import Proof, listed
from robson.service.wording import status_line, trouble
from robson.systemd.notify import Notifier, extend_timeout, reloading

# A manager's watchdog gets three signs of life in its time.
SIGNS = 3
STATUS_SECONDS = 1.5
# A daemon that cannot reach what it needs is ready all the same: killed for that it would watch nothing at all.
OUT_OF_REACH_SECONDS = 10.0
READY_MOST_SECONDS = 60.0
# Asked for again at each turn until it is ready.
EXTENSION_SECONDS = 60.0

_log = structlog.get_logger("robson.service")


class Announcer:
    """Speaks for one daemon; `watchdog_seconds` is the manager's patience (s), None for none."""

    def __init__(
        self,
        notifier: Notifier,
        supervisor: Supervisor,
        desk: Desk,
        proof: Proof,
        *,
        watchdog_seconds: float | None = None,
        pause: Callable[[float], Awaitable[None]] = trio.sleep,
    ) -> None:
        """`pause` waits in the manager's time (s), which on a tape is not the run's."""
        self._notifier = notifier
        self._supervisor = supervisor
        self._desk = desk
        self._proof = proof
        self._pause = pause
        sign_every = watchdog_seconds / SIGNS if watchdog_seconds is not None else STATUS_SECONDS
        self._turns_per_sign = max(1, math.ceil(sign_every / STATUS_SECONDS))
        self._turn_seconds = sign_every / self._turns_per_sign
        self._has_watchdog = watchdog_seconds is not None
        self._told = ""
        self._hung = ""
        self.is_ready = False
        # What the operator should still know of the last reload.
        self.remark: str | None = None

    async def run(self) -> None:
        """Tell until cancelled."""
        await self._become_ready()
        turn = 0
        while True:
            if turn % self._turns_per_sign == 0:
                self._give_sign()
            self._tell_status()
            turn += 1
            await self._pause(self._turn_seconds)

    def _give_sign(self) -> None:
        hung = listed(self._proof.take())
        if hung and hung != self._hung:
            _log.error("watchdog_withheld", hung=hung)
        elif self._hung and not hung:
            _log.warning("watchdog_resumed", hung=self._hung)
        self._hung = hung
        if not hung and self._has_watchdog:
            self._notifier.tell("WATCHDOG=1")

    async def _become_ready(self) -> None:
        began = trio.current_time()
        troubled_since = math.inf
        while not self._supervisor.recovered.is_set():
            now = trio.current_time()
            reason = trouble(self._supervisor)
            troubled_since = math.inf if reason is None else min(troubled_since, now)
            if now - troubled_since >= OUT_OF_REACH_SECONDS or now - began >= READY_MOST_SECONDS:
                _log.warning("ready_degraded", reason=reason or "stops are not watched yet")
                break
            self._told = self._status()
            self._notifier.tell(extend_timeout(EXTENSION_SECONDS), f"STATUS={self._told}")
            with trio.move_on_after(STATUS_SECONDS):
                await self._supervisor.recovered.wait()
        self.is_ready = True
        self._told = self._status()
        while self._notifier.is_heard and not self._notifier.tell("READY=1", f"STATUS={self._told}"):
            _log.warning("ready_not_told")
            await trio.sleep(STATUS_SECONDS)

    def reloading(self) -> None:
        """Tell that settings are being read again."""
        if self.is_ready:
            self._notifier.tell(*reloading(monotonic()))

    def reloaded(self, remark: str | None) -> None:
        """Tell that settings were read again; the remark, if any, stays in the status."""
        self.remark = remark
        self._told = self._status()
        # Not before: a reload while stops are rebuilt makes nothing ready.
        self._notifier.tell(*(["READY=1"] if self.is_ready else []), f"STATUS={self._told}")

    def stopping(self, why: str) -> None:
        """Tell that the end has begun; positions that are in the market stay there."""
        open_positions = len(self._supervisor.lives)
        self._notifier.tell("STOPPING=1", f"STATUS=stopping ({why}): {open_positions} positions stay open, unwatched")

    def _tell_status(self) -> None:
        status = self._status()
        if status != self._told and self._notifier.tell(f"STATUS={status}"):
            self._told = status

    def _status(self) -> str:
        parts = [status_line(self._supervisor, self._desk)]
        if self._hung:
            parts.insert(0, f"HUNG: {self._hung}")
        if self.remark:
            parts.append(self.remark)
        return "; ".join(parts)
