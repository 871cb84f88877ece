"""One channel's way through the sequence: in order, at least once, tried again until it is taken or too old."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from random import Random

import msgspec
import structlog
import trio

from robson.domain.errors import JournalUnusable, JournalUnwritable
from robson.domain.sequence import Recorded
from robson.notify import wording
from robson.notify.message import REASON_CHARACTERS, Channel, Message, Refused, Unsent, clean
from robson.notify.policy import URGENT, treatment
from robson.notify.settings import NotifySettings
from robson.ports.clock import Clock
from robson.ports.journal import Delivery, Journal

BATCH_ROWS = 128
# Rows that nobody is told of are passed over without a mark, up to so many: they are looked at again after a crash.
UNMARKED_ROWS_MAX = 1000
BACKOFF_SECONDS = 1.0
# No longer: what is urgent may be waiting behind what fails.
BACKOFF_MOST_SECONDS = 60.0
RESTART_SECONDS = 5.0
# A wall clock may step: a digest that is due is looked for this often.
LOOK_SECONDS = 600.0

_log = structlog.get_logger("robson.notify")


class Story:
    """The sequence as couriers need it; `last_seq` and `wait` (for a row after it) are the daemon's own."""

    def __init__(self, journal: Journal, last_seq: Callable[[], int], wait: Callable[[int], Awaitable[None]]) -> None:
        self.journal, self.last_seq, self.wait = journal, last_seq, wait


class Courier:
    """Carries the story over one channel; what fails here delays nobody else."""

    def __init__(
        self, channel: Channel, story: Story, settings: NotifySettings, *, clock: Clock, mode: str, random: Random
    ) -> None:
        self.channel = channel
        self._story, self._settings, self._clock, self._mode, self._random = story, settings, clock, mode, random
        self._place: Delivery | None = None
        self._marked_seq = 0
        self.delivered = self.failed = self.given_up = 0
        self.trouble: str | None = None
        self.last_given_up: str | None = None
        self.delivered_at: datetime | None = None

    @property
    def name(self) -> str:
        """The channel's."""
        return self.channel.name

    @property
    def backlog(self) -> int:
        """Rows of the sequence that this channel has not dealt with."""
        return max(0, self._story.last_seq() + 1 - self._place.next_seq) if self._place is not None else 0

    async def run(self) -> None:
        """Carry on until cancelled; whatever breaks begins again from the last mark."""
        while True:
            try:
                self._place = self._recall()
                while True:
                    await self._go_on(self._here)
                    await trio.lowlevel.checkpoint()
            except JournalUnusable as error:
                self._note_trouble(f"the journal could not be read: {error}")
            except Exception as fault:  # noqa: BLE001  a message must not cost the daemon anything
                _log.exception("notifications_failed", channel=self.name)
                self._note_trouble(f"{type(fault).__name__}, see the log")
            await trio.sleep(RESTART_SECONDS)

    async def attempt(self, message: Message) -> None:
        """One attempt within its time; raises Refused or Unsent, whatever went wrong."""
        try:
            with trio.fail_after(self._settings.timeout_seconds):
                await self.channel.send(message)
        except trio.TooSlowError:
            raise Unsent(f"no answer within {self._settings.timeout_seconds:g} s") from None
        except (Refused, Unsent):
            raise
        except Exception as fault:  # noqa: BLE001  the next attempt may go well, and nobody else is to notice
            _log.exception("channel_failed", channel=self.name)
            raise Unsent(f"{type(fault).__name__}, see the log") from None

    async def deliver(self, message: Message, *, until: datetime | None = None) -> bool:
        """Try until it is taken or given up; False when it is later than `until` and still neither."""
        failures = 0
        while True:
            pause = min(BACKOFF_MOST_SECONDS, BACKOFF_SECONDS * 2.0 ** min(failures, 16))
            try:
                await self.attempt(message)
            except Refused as refusal:
                self.given_up += 1
                self.last_given_up = clean(str(refusal), REASON_CHARACTERS)
                self._note_trouble(f"{message.message_id} was given up: {refusal}")
                return True
            except Unsent as failure:
                failures += 1
                self.failed += 1
                self._note_trouble(str(failure))
                pause = max(self._random.uniform(pause / 2, pause), failure.retry_after or 0.0)
            else:
                self.delivered += 1
                self.delivered_at, self.trouble = self._clock.now(), None
                return True
            if until is not None and self._clock.now() > until:
                return False
            await trio.sleep(pause)

    # --- one step ----------------------------------------------------------------------------------------------------

    async def _go_on(self, place: Delivery) -> None:
        if place.pinned:
            await self._sum_up(place)
            return
        now = self._clock.now()
        due = min(place.digest_at, now) + timedelta(seconds=self._settings.digest_seconds)
        if self._settings.digest_seconds and now >= due:
            self._mark(msgspec.structs.replace(place, pinned="digest", pinned_to=place.next_seq - 1))
            return
        journal = self._story.journal
        rows = journal.events(from_seq=max(place.next_seq, journal.oldest_seq()), limit=BATCH_ROWS)
        if rows:
            await self._take(rows)
            return
        seconds = min((due - now).total_seconds(), LOOK_SECONDS) if self._settings.digest_seconds else LOOK_SECONDS
        with trio.move_on_after(seconds):
            await self._story.wait(place.next_seq - 1)

    async def _take(self, rows: Sequence[Recorded]) -> None:
        """Deal with rows one by one; those that are too old to be told singly are left to a summary."""
        oldest = self._clock.now() - timedelta(seconds=self._settings.max_age_seconds)
        for row in rows:
            if not self._is_single(row):
                self._pass_over(row.seq)
                continue
            until = row.at + timedelta(seconds=self._settings.max_age_seconds)
            if row.at >= oldest:
                position = self._story.journal.position(row.position_id) if row.position_id is not None else None
                message = wording.message_of(row, position, mode=self._mode, channel=self.name)
                if treatment(row, self._settings.events) == "silent":
                    message = msgspec.structs.replace(message, priority="low")
                if await self.deliver(message, until=until):
                    self._mark(msgspec.structs.replace(self._here, next_seq=row.seq + 1))
                    oldest = self._clock.now() - timedelta(seconds=self._settings.max_age_seconds)
                    continue
            self._mark(msgspec.structs.replace(self._here, pinned="late", pinned_to=await self._last_late(row.seq)))
            return

    async def _last_late(self, seq: int) -> int:
        """The last row in a run, from `seq` on, that is too old."""
        oldest = self._clock.now() - timedelta(seconds=self._settings.max_age_seconds)
        while rows := self._story.journal.events(from_seq=seq + 1, limit=BATCH_ROWS):
            for row in rows:
                if row.at >= oldest:
                    return seq
                seq = row.seq
            await trio.lowlevel.checkpoint()
        return seq

    async def _sum_up(self, place: Delivery) -> None:
        """Send what is pinned, as one message, and go on behind it."""
        kind = place.pinned
        first = place.next_seq if kind == "late" else place.digest_from
        archived = self._story.journal.oldest_seq() - first
        found = await self._found(kind, first, place.pinned_to)
        if found:
            text = wording.summary_text(found)
            if archived > 0:
                text += f"\nand {archived} events that are in the archive"
            urgent = kind == "late" and any(row.type in URGENT for row, _ in found)
            message = Message(
                message_id=f"{self._mode}-{self.name}-{kind}-{first}-{place.pinned_to}",
                at=self._clock.now(),
                title=wording.summary_title(kind, len(found), self._mode),
                text=text,
                priority="urgent" if urgent else "normal" if kind == "late" else "low",
                event=kind,
                mode=self._mode,
            )
            await self.deliver(message)
        after = place.pinned_to + 1
        if kind == "late":
            self._mark(msgspec.structs.replace(self._here, pinned="", pinned_to=0, next_seq=after))
        else:
            now = self._clock.now()
            self._mark(msgspec.structs.replace(self._here, pinned="", pinned_to=0, digest_from=after, digest_at=now))

    async def _found(self, kind: str, first: int, last: int) -> list[tuple[Recorded, str]]:
        """The rows of a range that belong to a summary, each with its line."""
        journal, found = self._story.journal, list[tuple[Recorded, str]]()
        seq = max(first, journal.oldest_seq())
        while seq <= last and (rows := journal.events(from_seq=seq, limit=min(BATCH_ROWS, last + 1 - seq))):
            for row in rows:
                if self._is_single(row) if kind == "late" else treatment(row, self._settings.events) == "silent":
                    position = journal.position(row.position_id) if row.position_id is not None else None
                    found.append((row, wording.line_of(row, position)))
            seq = rows[-1].seq + 1
            await trio.lowlevel.checkpoint()
        return found

    def _is_single(self, row: Recorded) -> bool:
        told = treatment(row, self._settings.events)
        return told == "on" or (told == "silent" and not self._settings.digest_seconds)

    # --- the place ---------------------------------------------------------------------------------------------------

    @property
    def _here(self) -> Delivery:
        assert self._place is not None, self.name
        return self._place

    def _recall(self) -> Delivery:
        """Where this channel was; a new one begins with what comes next."""
        known = self._place or self._story.journal.deliveries().get(self.name)
        if known is None:
            seq = self._story.last_seq() + 1
            known = Delivery(channel=self.name, next_seq=seq, digest_from=seq, digest_at=self._clock.now())
        self._mark(known)
        return known

    def _mark(self, place: Delivery) -> None:
        """Be there now, and remember it; where the journal refuses, the next mark says it, too."""
        self._place, self._marked_seq = place, place.next_seq
        try:
            self._story.journal.note_delivery(place)
        except JournalUnwritable as error:
            _log.warning("delivery_not_marked", channel=self.name, reason=str(error))

    def _pass_over(self, seq: int) -> None:
        self._place = msgspec.structs.replace(self._here, next_seq=seq + 1)
        if seq - self._marked_seq >= UNMARKED_ROWS_MAX:
            self._mark(self._place)

    def _note_trouble(self, reason: str) -> None:
        if self.trouble != reason:
            _log.warning("notification_not_delivered", channel=self.name, reason=reason)
        self.trouble = clean(reason, REASON_CHARACTERS)
