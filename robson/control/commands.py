"""One request into one reply body: dispatch, idempotency, and what a client is told when it fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import assert_never

import structlog
import trio

from robson.control.pages import events_body, show_body, status_body
from robson.domain.errors import RobsonError
from robson.ports.clock import Clock
from robson.protocol import charting, oversight, telling
from robson.protocol import requests as ask
from robson.protocol.operations import Caller, Operations, Ticket, body_digest
from robson.protocol.replies import ErrorBody, error_body, failure, success
from robson.protocol.results import PingResult, Result
from robson.protocol.schema import Subject, help_result, schema_of
from robson.protocol.unions import AnyMutation, AnyQuery

_log = structlog.get_logger(__name__)

_LOGGED_BYTES = 500


class Commands:
    """Answers requests through the daemon's operations.

    `heavy` is held for each step that takes milliseconds: however many clients ask, the loop takes one such a turn.
    """

    def __init__(self, operations: Operations, clock: Clock, heavy: trio.Lock) -> None:
        self.heavy = heavy
        self._operations = operations
        self._clock = clock
        self._turns = Turns()

    async def query(self, request: AnyQuery, caller: Caller) -> bytes:
        """The reply body of a request that changes nothing."""
        try:
            return await self._query(request, caller)
        except Exception as error:  # noqa: BLE001 - a command's fault is its reply
            _log_if_bug(request, error)
            return failure(error_body(error))

    async def mutate(self, request: AnyMutation, caller: Caller) -> bytes:
        """The reply body of a request that changes something, or the one stored under its idempotency key."""
        log = _log.bind(
            cmd=request.__struct_config__.tag,
            position_id=getattr(request, "position_id", None),
            idempotency_key=request.idempotency_key,
            peer_uid=caller.uid,
            peer_gid=caller.gid,
            peer_pid=caller.pid,
        )
        log.info("mutation_requested")
        try:
            body = await self._once(request, caller)
        except Exception as fault:  # noqa: BLE001 - a command's fault is its reply
            _log_if_bug(request, fault)
            body = failure(error_body(fault))
        log.info("mutation_answered", reply=body[:_LOGGED_BYTES].decode(errors="replace"))
        return body

    async def _query(self, request: AnyQuery, caller: Caller) -> bytes:
        match request:
            case ask.HelloRequest():
                return success(await self._operations.hello(request, caller))
            case ask.PingRequest():
                return success(PingResult(at=self._clock.now()))
            case ask.SchemaRequest():
                return _schema_body(request.of)
            case ask.HelpRequest():
                return _help_body()
            case ask.HealthRequest():
                return success(await self._operations.health(request, caller))
            case ask.StatusRequest():
                return await status_body(self._operations, request, caller, self.heavy)
            case ask.PlanRequest():
                return success(await self._operations.plan(request, caller))
            case ask.PanicPreviewRequest():
                return success(await self._operations.panic_preview(request, caller))
            case oversight.VersionRequest():
                return success(await self._operations.version(request, caller))
            case oversight.ShowRequest():
                return await show_body(self._operations, request, caller, self.heavy)
            case oversight.WhyRequest():
                async with self.heavy:
                    return success(await self._operations.why(request, caller))
            case charting.ChartRequest():
                async with self.heavy:
                    return success(await self._operations.chart(request, caller))
            case oversight.JournalRequest():
                async with self.heavy:
                    return success(await self._operations.journal(request, caller))
            case telling.NotifyStatusRequest():
                return success(await self._operations.notify_status(request, caller))
            case ask.EventsRequest():
                return await events_body(self._operations, request, self.heavy)
            case _:
                assert_never(request)

    async def _once(self, request: AnyMutation, caller: Caller) -> bytes:
        key = request.idempotency_key
        if key is None:
            return await self._perform(request, caller, None)
        async with self._turns.take(key):
            digest = body_digest(request)
            stored = self._operations.stored_reply(key)
            if stored is None:
                return await self._perform(request, caller, Ticket(key, digest, self._clock.now()))
            if stored.body_digest == digest:
                return stored.reply
            conflict = ErrorBody(
                code="idempotency_conflict",
                message=f"idempotency_key was {key!r}, which was used at {stored.at.isoformat()} with another body",
                hint="a new request needs a new key",
            )
            return failure(conflict)

    async def _perform(self, request: AnyMutation, caller: Caller, ticket: Ticket | None) -> bytes:
        try:
            body = success(await self._operate(request, caller, ticket))
        except Exception as fault:  # noqa: BLE001 - a command's fault is its reply
            _log_if_bug(request, fault)
            committed = self._committed(ticket)
            if committed is not None:
                # The decision and its reply are on disk together: what failed afterwards does not undo them.
                return committed
            error = error_body(fault)
            body = failure(error)
            if ticket is not None and not error.retryable:
                self._remember(ticket, body)
            return body
        if ticket is not None and ticket.sealed is None:
            self._remember(ticket, body)
        return body

    async def _operate(self, request: AnyMutation, caller: Caller, ticket: Ticket | None) -> Result:
        match request:
            case ask.ArmRequest():
                return await self._operations.arm(request, caller, ticket)
            case ask.SignalRequest():
                return await self._operations.signal(request, caller, ticket)
            case ask.DisarmRequest():
                return await self._operations.disarm(request, caller, ticket)
            case ask.CloseRequest():
                return await self._operations.close(request, caller, ticket)
            case oversight.AdjustRequest():
                return await self._operations.adjust(request, caller, ticket)
            case oversight.PauseRequest():
                return await self._operations.pause(request, caller, ticket)
            case oversight.UnpauseRequest():
                return await self._operations.unpause(request, caller, ticket)
            case telling.NotifyTestRequest():
                return await self._operations.notify_test(request, caller, ticket)
            case ask.AdoptRequest():
                return await self._operations.adopt(request, caller, ticket)
            case ask.ReleaseRequest():
                return await self._operations.release(request, caller, ticket)
            case ask.PanicRequest():
                return await self._operations.panic(request, caller, ticket)
            case ask.ResumeRequest():
                return await self._operations.resume(request, caller, ticket)
            case _:
                assert_never(request)

    def _committed(self, ticket: Ticket | None) -> bytes | None:
        if ticket is None or ticket.sealed is None:
            return None
        stored = self._operations.stored_reply(ticket.key)
        return None if stored is None else stored.reply

    def _remember(self, ticket: Ticket, body: bytes) -> None:
        try:
            self._operations.remember(ticket.keep(body))
        except RobsonError as fault:
            # What was done is done: the client must learn its outcome even if a repetition cannot be recognised.
            _log.error("reply_not_stored", idempotency_key=ticket.key, reason=str(fault))


class Turns:
    """One turn at a time for each key: the second of two equal requests waits for the first one's outcome."""

    def __init__(self) -> None:
        self._locks: dict[str, trio.Lock] = {}

    @asynccontextmanager
    async def take(self, key: str) -> AsyncIterator[None]:
        """Wait for the key's turn, and hold it."""
        lock = self._locks.setdefault(key, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(key, None)


@cache
def _schema_body(subject: Subject) -> bytes:
    return success(schema_of(subject))


@cache
def _help_body() -> bytes:
    return success(help_result())


def _log_if_bug(request: ask.Request, fault: Exception) -> None:
    if not isinstance(fault, RobsonError):
        _log.error("command_failed", cmd=request.__struct_config__.tag, exc_info=fault)
