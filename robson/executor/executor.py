"""The one loop that carries out intents: mark sent, place, settle; what is found sent is resolved, never repeated.

Start-up recovery is this same loop: an intent that a crash left `sent` is in doubt and gets resolved by evidence.
"""

from collections import Counter
from collections.abc import Sequence

import structlog
import trio

from robson.domain.errors import InDoubt, RateLimited, Rejected, Unreachable, VenueError
from robson.domain.values import ClientOrderId, Role
from robson.executor import intents
from robson.executor.answer import MARGIN_CODES, Answer
from robson.executor.book import Book
from robson.executor.departures import Departed, Departures, request_of
from robson.executor.news import News
from robson.executor.reach import Reach
from robson.executor.resolution import Outcome, Refused, Resolver
from robson.executor.turns import Turns
from robson.ports import Clock, Hand, Intent, Venue
from robson.pulse import Pulse

# Longer than the venue's own ten seconds, so that its late answer is still heard.
REPLY_TIMEOUT_SECONDS = 12.0
# An exit counts as in doubt after this long, while its request stays open.
EXIT_DOUBT_SECONDS = 2.0
# How far a reply may lag behind the news of its own order before the venue is asked instead.
REPLY_AFTER_NEWS_SECONDS = 0.25
GROUP = 100  # exits that are marked sent in one commit
# A fault of ours, not of the venue: the pause after the first, doubling to the cap of every back-off.
AFTER_FAULT_SECONDS = 1.0
ALARM_AFTER_FAULTS = 3

_log = structlog.get_logger("robson.executor")


class Executor:
    """Carries out intents side by side; entries on one pair go out one after the other."""

    def __init__(self, venue: Venue, clock: Clock, hand: Hand | None = None) -> None:
        """`hand`, where the venue has it, sends exits without a turn of the loop."""
        self._venue = venue
        self._clock = clock
        self.reach = Reach()
        self._news = News()
        self._resolver = Resolver(venue, self.reach, self._news)
        self.pulse = Pulse(self.wake)
        self._wake = trio.Event()
        self._idle = trio.Event()
        self._in_hand: set[ClientOrderId] = set()
        self._departures = Departures(hand, clock)
        self._book: Book | None = None
        # Exits that are marked sent, together with others, before their own task has begun.
        self._marked: dict[ClientOrderId, Intent] = {}
        self._turns = Turns()
        self._entry_lanes: dict[str, trio.Lock] = {}
        self._faults: Counter[ClientOrderId] = Counter()
        # Exits that surely did not reach the venue, and how often in a row.
        self.unsent: Counter[ClientOrderId] = Counter()

    @property
    def reachable(self) -> bool:
        """Whether the venue answered the last time it was asked."""
        return bool(self.reach)

    def promise(self, sent: Sequence[Intent]) -> None:
        """Say that intents were written as sent by this run and wait for their first attempt; `wake` follows.

        They leave now, where the venue can do that.
        """
        self._departures.promise(sent)
        if self._book is not None:
            self._departures.send(sent, self._book.note_handed)

    def wake(self) -> None:
        """Say that there are new intents."""
        self._wake.set()

    def hint(self, client_order_id: str) -> None:
        """Say that something has happened to an order, whoever's it is: if it is in hand the venue is asked now."""
        self._news.tell(client_order_id)

    async def wait_idle(self) -> None:
        """Return once nothing is in hand, nor promised to be."""
        while self._in_hand or self._departures.promised:
            self._idle = trio.Event()
            await self._idle.wait()

    async def run(self, book: Book) -> None:
        """Work until cancelled; what a cancellation interrupts after its first byte stays `sent` in the journal."""
        self._book = book
        async with trio.open_nursery() as nursery:
            with self.pulse.running():
                await self._take_intents(book, nursery)

    async def _take_intents(self, book: Book, nursery: trio.Nursery) -> None:
        while True:
            self.pulse.beat()
            new = [one for one in book.open_intents() if one.order.client_order_id not in self._in_hand]
            group = self._mark_together(book, new)
            for intent in new:
                if not self._is_new_exit(intent) or intent.order.client_order_id in group:
                    self._in_hand.add(intent.order.client_order_id)
                    nursery.start_soon(self._carry_out, book, intent)
            if len(group) == GROUP:
                # The next group is marked when this one's requests are on their way: timestamps age.
                await self._turns.wait_empty()
                continue
            await self._wake.wait()
            self._wake = trio.Event()

    def _mark_together(self, book: Book, new: list[Intent]) -> set[ClientOrderId]:
        """Mark the first exits sent in one commit, and let them go out in their order; one alone marks itself."""
        group = [one for one in new if self._is_new_exit(one)][:GROUP]
        exits = [one for one in group if one.order.client_order_id not in self._departures]
        if len(exits) > 1:
            now_ms = self._venue.timestamp_ms()
            marked = [
                intent if intents.is_young(intent, now_ms) else intents.mark_sent_anew(intent, now_ms)
                for intent in exits
            ]
            if anew := [one for one, intent in zip(marked, exits, strict=True) if one is not intent]:
                book.keep(*anew)  # an exit that is not durable is sent all the same
            self._marked.update((intent.order.client_order_id, intent) for intent in marked)
            self._turns.line_up(intent.order.client_order_id for intent in marked)
        return {intent.order.client_order_id for intent in group}

    def _is_new_exit(self, intent: Intent) -> bool:
        """Whether it is an exit that nobody looks after yet."""
        is_new = intent.status == "pending" or intent.order.client_order_id in self._departures.promised
        return intent.order.role is Role.EXIT and is_new

    async def handed_over(self) -> None:
        """Return once the exits that are due together are with the venue, whatever it answers."""
        for _ in range(2):  # the loop of intents may have its turn after this task's
            await trio.lowlevel.checkpoint()
        await self._turns.wait_empty()

    async def _carry_out(self, book: Book, intent: Intent) -> None:
        self._news.expect(intent.order.client_order_id)
        try:
            if intent.order.role is Role.ENTRY:
                async with self._entry_lanes.setdefault(intent.order.symbol, trio.Lock()):
                    outcome = await self._execute(book, intent)
            else:
                outcome = await self._execute(book, intent)
            book.settle(*outcome)
            del self._faults[intent.order.client_order_id]
        except Exception:  # noqa: BLE001  one order's fault must not stop the others
            await self._after_fault(intent)
            self.wake()
        finally:
            self._in_hand.discard(intent.order.client_order_id)
            del self.unsent[intent.order.client_order_id]
            self._marked.pop(intent.order.client_order_id, None)
            self._departures.promised.discard(intent.order.client_order_id)
            self._turns.leave(intent.order.client_order_id)
            self._news.forget(intent.order.client_order_id)
            if not self._in_hand:
                self._idle.set()

    async def _after_fault(self, intent: Intent) -> None:
        """Say what went wrong, and wait longer each time: it may never go right without a person.

        The intent is durable as it was: the next round begins with asking the venue about it.
        """
        order = intent.order
        self._faults[order.client_order_id] += 1
        faults = self._faults[order.client_order_id]
        pause = intents.backoff_seconds(faults - 1, first=AFTER_FAULT_SECONDS)
        level = _log.error if faults >= ALARM_AFTER_FAULTS else _log.warning
        level(
            "intent_failed",
            position_id=order.position_id,
            symbol=order.symbol,
            role=order.role.value,
            failures=faults,
            pause_seconds=pause,
            exc_info=True,
        )
        await trio.sleep(pause)

    async def _execute(self, book: Book, intent: Intent) -> tuple[Intent, Outcome]:
        order_id, is_entry = intent.order.client_order_id, _is_entry(intent)
        is_unsent, departed = self._departures.take(order_id)
        if intent.status != "pending" and not is_unsent:
            doubtful = intents.mark_in_doubt(intent, intent.detail or "found sent after a restart")
            book.keep(doubtful)
            return doubtful, await self._resolver.resolve(doubtful, book)
        failures = 0
        while True:
            never = intents.reason_not_to_send(intent, now=self._clock.now(), epoch=book.epoch, latched=book.latched)
            if never is not None:
                return intent, Refused(stage="stale", code=never[0], message=never[1])
            sent = intent
            if departed is None:
                now_ms = self._venue.timestamp_ms()
                # Written as sent with the decision it needs no other word, unless it has grown old since.
                known = self._marked.pop(order_id, intent if is_unsent and intents.is_young(intent, now_ms) else None)
                sent = known or intents.mark_sent_anew(intent, now_ms)
                if known is None and not book.keep(sent) and is_entry:
                    return intent, Refused(
                        stage="stale", code="journal_unwritable", message="the entry was not sent: it was not durable"
                    )
                book.note_handed(sent, self._clock.monotonic())
            gone, departed, is_unsent = departed, None, False
            try:
                return await self._place(book, sent, gone)
            except Unreachable as error:
                self.reach.placed = False
                if is_entry:
                    return sent, Refused(stage="venue", code="unreachable", message=str(error))
                pause = intents.backoff_seconds(failures)
            except RateLimited as error:
                if is_entry:
                    return sent, Refused(stage="venue", code=error.code, message=error.text)
                pause = max(intents.backoff_seconds(failures), error.retry_after_seconds)
            failures += 1
            self.unsent[order_id] = failures
            level = _log.error if failures >= ALARM_AFTER_FAULTS else _log.warning
            level("exit_not_sent", symbol=intent.order.symbol, failures=failures, pause_seconds=pause)
            await trio.sleep(pause)

    async def _place(self, book: Book, sent: Intent, departed: Departed | None) -> tuple[Intent, Outcome]:
        """Send the order once, unless it has departed already, and find out what became of it.

        Raises Unreachable or RateLimited when it surely was not executed and may be sent again.
        """
        is_exit = sent.order.role is Role.EXIT
        answer = Answer()
        async with trio.open_nursery() as race:
            race.start_soon(self._request, book, sent, departed, answer, race.cancel_scope)
            race.start_soon(self._heed_news, sent, answer, race.cancel_scope)
            patience = EXIT_DOUBT_SECONDS if is_exit else REPLY_TIMEOUT_SECONDS
            with trio.move_on_after(patience):
                await answer.doubted.wait()
            answer.heeds_news.cancel()
            sent = intents.mark_in_doubt(sent, answer.why or f"no answer within {patience:g} s")
            book.keep(sent)
            answer.outcome = await self._resolver.resolve(sent, book)
            race.cancel_scope.cancel()
        if answer.failure is not None:
            raise answer.failure
        if answer.outcome is None:
            assert answer.report is not None
            answer.outcome = await self._resolver.take_reply(sent, answer.report)
        return sent, answer.outcome

    async def _heed_news(self, sent: Intent, answer: Answer, race: trio.CancelScope) -> None:
        """Ask the venue as soon as it has told of the order elsewhere and its reply does not come; never guess."""
        with answer.heeds_news:
            await self._news.wait(sent.order.client_order_id)
            await trio.sleep(REPLY_AFTER_NEWS_SECONDS)
            looks = 0
            while (outcome := await self._resolver.look(sent)) is None:
                looks += 1
                await self._news.wait(sent.order.client_order_id, intents.backoff_seconds(looks))
            _log.info("order_known_by_news", symbol=sent.order.symbol, role=sent.order.role.value)
            answer.outcome = outcome
            self.reach.placed = True
            race.cancel()

    async def _request(
        self, book: Book, sent: Intent, departed: Departed | None, answer: Answer, race: trio.CancelScope
    ) -> None:
        """Wait for the venue's own answer; anything definite ends the race."""
        order = sent.order
        request = departed.request if departed is not None else request_of(sent)
        refusal: VenueError | None = None
        try:
            if departed is None:
                await self._turns.mine(order.client_order_id)
            with trio.fail_after(REPLY_TIMEOUT_SECONDS):
                answer.report = await (departed.reply() if departed is not None else self._venue.place(request))
        except (InDoubt, trio.TooSlowError) as error:
            answer.doubt(str(error) or f"no answer within {REPLY_TIMEOUT_SECONDS:g} s")
            return
        except (Unreachable, RateLimited) as error:
            answer.failure = refusal = error
        except Rejected as error:
            refusal = error
            stage = "margin" if error.code in MARGIN_CODES else "venue"
            answer.outcome = Refused(stage=stage, code=error.code, message=error.text)
        except Exception as error:  # noqa: BLE001  an adapter's fault says nothing about what the venue did
            _log.exception("venue_adapter_failed", symbol=order.symbol)
            answer.doubt(f"the venue adapter failed: {error!r}")
            return
        if request.first_bytes:
            book.note_first_byte(sent, request.first_bytes[-1])
        self.reach.hear_order(refusal)
        race.cancel()


def _is_entry(intent: Intent) -> bool:
    return intent.order.role is Role.ENTRY
