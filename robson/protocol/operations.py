"""What the control socket asks of the daemon: one method a command, and the journal's sequence to read from."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Protocol

import msgspec

from robson.domain.codec import to_wire
from robson.domain.sequence import Recorded, StoredReply
from robson.domain.values import Value
from robson.protocol import charting, oversight, oversight_results, panic_results, telling
from robson.protocol import requests as ask
from robson.protocol import results as give
from robson.protocol.replies import success


class Caller(Value):
    """The process at the other end of the socket, as the kernel names it."""

    uid: int
    pid: int
    gid: int


class Ticket:
    """The right to store one reply under an idempotency key.

    An operation that commits its decision seals its result and puts the reply into the same commit, so that neither
    can exist without the other. What returns unsealed is stored by the server afterwards.
    """

    def __init__(self, key: str, body_digest: str, at: datetime) -> None:
        self.key = key
        self.body_digest = body_digest
        self.at = at
        self.sealed: StoredReply | None = None

    def seal(self, result: give.Result) -> StoredReply:
        """The reply to put into the commit; call it once, with exactly the result that is returned."""
        assert self.sealed is None, self.key
        self.sealed = self.keep(success(result))
        return self.sealed

    def keep(self, body: bytes) -> StoredReply:
        """A reply's body as it is stored."""
        return StoredReply(key=self.key, body_digest=self.body_digest, reply=body, at=self.at)


def body_digest(request: ask.Mutation) -> str:
    """What identifies a request apart from its id and its key: the same meaning gives the same digest."""
    fields = to_wire(request)
    assert isinstance(fields, dict)
    fields.pop("id", None)
    fields.pop("idempotency_key", None)
    return sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


class Follower(Protocol):
    """A subscriber that is being served."""

    @property
    def next_seq(self) -> int:
        """The first seq that it has not taken yet."""


class Operations(Protocol):
    """The daemon behind the socket.

    Every method may raise RuleError with the code that the client sees (`retryable` ones are never stored), or another
    RobsonError. Mutations go on to their end when the client leaves; they are cancelled only with the server.
    """

    followers: set[Follower]

    async def hello(self, request: ask.HelloRequest, caller: Caller) -> give.HelloResult:
        """Which daemon this is."""

    async def health(self, request: ask.HealthRequest, caller: Caller) -> give.HealthResult:
        """Whether it lives and is ready."""

    async def status(self, request: ask.StatusRequest, caller: Caller) -> give.StatusResult:
        """The positions and feeds; RuleError `unknown_position`."""

    async def plan(self, request: ask.PlanRequest, caller: Caller) -> give.PlanResult:
        """What a signal would order."""

    async def panic_preview(self, request: ask.PanicPreviewRequest, caller: Caller) -> panic_results.PanicPreviewResult:
        """What panic would do now."""

    async def show(self, request: oversight.ShowRequest, caller: Caller) -> oversight_results.ShowResult:
        """A position and its orders, without its events; RuleError `unknown_position`."""

    async def why(self, request: oversight.WhyRequest, caller: Caller) -> oversight_results.WhyResult:
        """The chain from a price to a fill; RuleError `unknown_position`."""

    async def chart(self, request: charting.ChartRequest, caller: Caller) -> charting.ChartResult:
        """What draws a position; RuleError `unknown_position`."""

    async def journal(self, request: oversight.JournalRequest, caller: Caller) -> oversight_results.JournalResult:
        """What the journal holds."""

    async def version(self, request: oversight.VersionRequest, caller: Caller) -> give.VersionResult:
        """What runs."""

    async def arm(self, request: ask.ArmRequest, caller: Caller, ticket: Ticket | None) -> give.ArmResult:
        """Arm a position; seals its ticket in the commit that creates it."""

    async def signal(self, request: ask.SignalRequest, caller: Caller, ticket: Ticket | None) -> give.SignalResult:
        """Judge a signal; seals its ticket in the commit that accepts it."""

    async def disarm(self, request: ask.DisarmRequest, caller: Caller, ticket: Ticket | None) -> give.DisarmResult:
        """Close an Armed position."""

    async def close(self, request: ask.CloseRequest, caller: Caller, ticket: Ticket | None) -> give.CloseResult:
        """Begin or join an exit and wait for it, at most 30 seconds."""

    async def adjust(
        self, request: oversight.AdjustRequest, caller: Caller, ticket: Ticket | None
    ) -> oversight_results.AdjustResult:
        """Tighten a stop; seals its ticket in the commit that moves it."""

    async def adopt(self, request: ask.AdoptRequest, caller: Caller, ticket: Ticket | None) -> give.AdoptResult:
        """Take a holding over; seals its ticket in the commit that creates the position."""

    async def release(self, request: ask.ReleaseRequest, caller: Caller, ticket: Ticket | None) -> give.ReleaseResult:
        """Hand a position back; seals its ticket in the commit that closes it."""

    async def panic(self, request: ask.PanicRequest, caller: Caller, ticket: Ticket | None) -> give.PanicResult:
        """Latch, then disarm and close everything."""

    async def resume(self, request: ask.ResumeRequest, caller: Caller, ticket: Ticket | None) -> give.ResumeResult:
        """Release the latch."""

    async def pause(
        self, request: oversight.PauseRequest, caller: Caller, ticket: Ticket | None
    ) -> oversight_results.PauseResult:
        """Refuse signals from now on."""

    async def unpause(
        self, request: oversight.UnpauseRequest, caller: Caller, ticket: Ticket | None
    ) -> oversight_results.PauseResult:
        """Take signals again."""

    async def notify_test(
        self, request: telling.NotifyTestRequest, caller: Caller, ticket: Ticket | None
    ) -> telling.NotifyTestResult:
        """Try each channel of notifications once."""

    async def notify_status(self, request: telling.NotifyStatusRequest, caller: Caller) -> telling.NotifyStatusResult:
        """How far notifications are."""

    def price_lines(self) -> Sequence[give.PriceLine]:
        """The newest price of each streamed symbol that has one, by symbol."""

    def read_events(self, *, from_seq: int, limit: int, position_id: str | None = None) -> Sequence[Recorded]:
        """At most `limit` committed rows with seq >= from_seq, ascending; an unknown position has none."""

    def oldest_seq(self) -> int:
        """The first seq that `read_events` can give, 1 before the first."""

    def last_seq(self) -> int:
        """The newest committed seq, 0 before the first."""

    async def wait_events(self, after_seq: int) -> None:
        """Return once a row with seq > after_seq is committed; at once if there is one."""

    def remember(self, reply: StoredReply) -> None:
        """Store a reply durably under its key; JournalUnwritable when that fails."""

    def stored_reply(self, key: str) -> StoredReply | None:
        """The reply stored under a key, also by an earlier run."""
