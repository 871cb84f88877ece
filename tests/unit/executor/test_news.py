"""News of an order make the venue be asked sooner; whatever they say, the outcome is the same as without them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from robson.domain.values import Role, Side
from robson.ports import OrderReport, OrderRequest
from tests.faults import FaultyVenue
from tests.rig import Rig
from tests.unit.executor.test_executor import enter, executed, faulty

SOON = 0.05


class Heard:
    """A daemon whose orders are told of, `after` seconds late, or never; and how often the venue is asked for one."""

    def __init__(self, nursery: trio.Nursery, directory: Path, *faults: str, after: float | None = SOON) -> None:
        directory.mkdir()
        self.rig, self.venue = faulty(directory, *faults)
        self.after = after
        self.questions = 0
        self.nursery = nursery
        self.venue.on_place = self._placed
        asked = self.venue.order

        async def order(symbol: str, client_order_id: str) -> OrderReport | None:
            self.questions += 1
            return await asked(symbol, client_order_id)

        self.venue.order = order  # type: ignore[method-assign]  # one answer is replaced

    def _placed(self, request: OrderRequest) -> None:
        if self.after is not None:
            self.nursery.start_soon(self._tell, request.client_order_id)

    async def _tell(self, client_order_id: str) -> None:
        assert self.after is not None
        await trio.sleep(self.after)
        self.rig.executor.hint(client_order_id)


Hearing = Callable[..., Heard]


@pytest.fixture
def hearing(nursery: trio.Nursery, tmp_path: Path) -> Hearing:
    names = iter("abcdef")
    return lambda *faults, **more: Heard(nursery, tmp_path / next(names), *faults, **more)


async def seconds_to_fill(here: Heard) -> float:
    """How long an entry takes to be known."""
    async with here.rig.running():
        position_id = await enter(here.rig)
        began = trio.current_time()
        await here.rig.until(position_id, "Active")
        assert len(await executed(here.rig, Role.ENTRY, here.venue)) == 1
        return trio.current_time() - began


async def seconds_to_close(here: Heard, *faults: str) -> float:
    """How long an exit takes to be known."""
    async with here.rig.running():
        position_id = await here.rig.active()
        here.venue.faults.extend(faults)
        began = trio.current_time()
        await here.rig.close(position_id)
        await here.rig.until(position_id, "Closed")
        assert len(await executed(here.rig, Role.EXIT, here.venue)) == 1
        return trio.current_time() - began


async def test_an_order_whose_reply_is_lost_is_known_as_soon_as_the_venue_tells_of_it(
    autojump_clock: MockClock, hearing: Hearing
) -> None:
    with_news = await seconds_to_fill(hearing("reply_lost"))
    without = await seconds_to_fill(hearing("reply_lost", after=None))
    # Twelve seconds of waiting for a reply, against a quarter of one; the venue's answers take their time in both.
    assert without / with_news > 10
    exit_with_news = await seconds_to_close(hearing(), "reply_lost")
    exit_without = await seconds_to_close(hearing(after=None), "reply_lost")
    assert exit_without / exit_with_news > 2


async def test_what_is_known_by_news_was_never_in_doubt(autojump_clock: MockClock, hearing: Hearing) -> None:
    here = hearing("reply_lost")
    await seconds_to_fill(here)
    assert "order_in_doubt" not in here.rig.events()


async def test_an_ordinary_reply_costs_no_question(autojump_clock: MockClock, hearing: Hearing) -> None:
    here = hearing()
    await seconds_to_close(here)
    assert here.questions == 0


async def test_news_of_an_order_that_the_venue_does_not_show_yet_prove_nothing(
    autojump_clock: MockClock, hearing: Hearing
) -> None:
    here = hearing("reply_lost")
    here.venue.hidden_until = 3.0
    async with here.rig.running():
        position_id = await enter(here.rig)
        await trio.sleep(2.5)
        assert (await here.rig.view(position_id)).state == "Entering"
        await here.rig.until(position_id, "Active")
        # Asked again after the doubling pauses, long before the twelve seconds of an entry's reply are over.
        assert trio.current_time() < 6
        assert len(here.venue.requests) == 1


async def test_news_of_an_order_that_does_not_exist_make_nobody_believe_in_it(
    autojump_clock: MockClock, hearing: Hearing
) -> None:
    here = hearing("request_lost")
    async with here.rig.running():
        position_id = await enter(here.rig)
        began = trio.current_time()
        for _ in range(100):
            here.rig.executor.hint(here.venue.requests[-1].client_order_id if here.venue.requests else "rb-none")
            await trio.sleep(0.2)
        await here.rig.until(position_id, "Armed")
        assert trio.current_time() - began > 15
        rejected = [row.data["code"] for row in here.rig.journal.events() if row.type == "signal_rejected"]
        assert rejected == ["absent"]
        assert len(here.venue.requests) == 1


async def test_a_question_that_fails_leaves_the_order_to_those_who_have_to_know(
    autojump_clock: MockClock, hearing: Hearing
) -> None:
    here = hearing("reply_lost")
    asked, failures = here.venue.order, iter(range(2))

    async def order(symbol: str, client_order_id: str) -> OrderReport | None:
        if next(failures, None) is not None:
            raise KeyError("an adapter's fault")
        return await asked(symbol, client_order_id)

    here.venue.order = order  # type: ignore[method-assign]  # one answer is replaced
    assert await seconds_to_fill(here) < 2


async def test_an_order_in_doubt_is_asked_for_when_there_is_news_of_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Found sent after a restart, denied for a while: the back-off has grown to five seconds, news cut it short."""
    rig, venue = faulty(tmp_path, "reply_lost")
    async with rig.running():
        position_id = await enter(rig)
        await trio.sleep(1)
    again = Rig(tmp_path, journal=rig.journal, wrap=FaultyVenue)
    second = again.venue
    assert isinstance(second, FaultyVenue)
    second.hidden_until = trio.current_time() + 13.5
    async with again.running(recovered=False):
        await trio.sleep(13)
        assert (await again.view(position_id)).state == "Entering"
        await trio.sleep(0.6)
        again.executor.hint(venue.requests[-1].client_order_id)
        await again.until(position_id, "Active", seconds=1.5)


async def test_nothing_is_kept_of_orders_that_nobody_waits_for(autojump_clock: MockClock, tmp_path: Path) -> None:
    rig, _ = faulty(tmp_path)
    async with rig.running():
        await rig.active(Side.SHORT, stop="96500")
        for number in range(1000):
            rig.executor.hint(f"foreign-{number}")
        assert rig.executor._news._heard == {}
