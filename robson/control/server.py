"""The control server: who may come in, and what outlives them."""

import socket
from pathlib import Path

import structlog
import trio

from robson.control.commands import Commands
from robson.control.connection import Connection, see_off
from robson.control.listener import EVERYBODY, OWNER_AND_GROUP, listening
from robson.control.rules import Rules
from robson.ports.clock import Clock
from robson.protocol.operations import Operations
from robson.protocol.replies import ErrorBody, address, failure

CLIENTS_MAX = 32
_REFUSAL_SECONDS = 1.0

_log = structlog.get_logger(__name__)


async def serve(
    where: Path | socket.socket,
    operations: Operations,
    clock: Clock,
    rules: Rules = Rules(),  # noqa: B008  it is frozen
    *,
    heavy: trio.Lock | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the control socket until cancelled; started once clients can connect.

    `where` is the socket's path, or a Unix socket that already listens. Raises ConfigurationError when it cannot be
    made, StorageError when the disk is why. Cancelling ends the mutations under way, too. A read-only socket is made
    for everybody who can reach its place. Sockets of one daemon share `heavy`, held for what holds up the loop.
    """
    mode = EVERYBODY if rules.read_only else OWNER_AND_GROUP
    async with listening(where, mode) as listener, trio.open_nursery() as work:
        door = Door(operations, Commands(operations, clock, heavy or trio.Lock()), work, rules)
        task_status.started()
        await trio.serve_listeners(door.admit, [listener])


class Door:
    """Lets in a limited number of clients, each guarded from the others' faults.

    `work` is the nursery of the mutations, which go on when their client leaves.
    """

    def __init__(self, operations: Operations, commands: Commands, work: trio.Nursery, rules: Rules) -> None:
        self._operations = operations
        self._commands = commands
        self._work = work
        self._rules = rules
        self._clients = 0

    async def admit(self, stream: trio.SocketStream) -> None:
        """Serve one client to its end."""
        if self._clients >= CLIENTS_MAX:
            await _turn_away(stream)
            return
        self._clients += 1
        try:
            await Connection(stream, self._commands, self._operations, self._work, self._rules).run()
        except Exception as fault:  # noqa: BLE001 - one client's fault must not reach another
            _log.error("client_failed", exc_info=fault)
        finally:
            self._clients -= 1
            await trio.aclose_forcefully(stream)


async def _turn_away(stream: trio.SocketStream) -> None:
    error = ErrorBody(
        code="too_many_clients",
        message=f"{CLIENTS_MAX} clients were connected, which is the limit",
        hint="close one, or try again later",
        retryable=True,
    )
    try:
        with trio.move_on_after(_REFUSAL_SECONDS):
            await stream.send_all(address(None, failure(error)))
            await see_off(stream)
    except trio.BrokenResourceError:
        pass
    finally:
        await trio.aclose_forcefully(stream)
