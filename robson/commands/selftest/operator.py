"""A hasty trader: arms, signals, closes and disarms all the time, on several pairs, through several connections."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import trio

from robson.commands.selftest.aim import EVENTS, Aim
from robson.commands.selftest.habits import Habits
from robson.commands.selftest.line import Declined, Gone, Line, connected
from robson.commands.selftest.promises import Promises
from robson.domain.values import Side, plain
from robson.protocol.results import (
    ArmResult,
    CloseResult,
    DisarmResult,
    PositionView,
    ResumeResult,
    SignalResult,
    StatusResult,
    SubscribeResult,
)
from robson.venue.instruments import builtin_instrument

# The daemon has room for 32 clients.
_REPEATED_AT_ONCE = 8


class Count:
    """A number that grows, and that can be waited for."""

    def __init__(self) -> None:
        self.reached = 0
        self._grown = trio.Event()

    def add(self) -> None:
        """One more."""
        self.reached += 1
        grown, self._grown = self._grown, trio.Event()
        grown.set()

    async def reach(self, count: int) -> None:
        """Return once it is so many."""
        while self.reached < count:
            await self._grown.wait()


class Operator:
    """Keeps the daemon busy and remembers what it said."""

    def __init__(self, socket: Path, habits: Habits, chance: Random, promises: Promises) -> None:
        self.refusals: Counter[str] = Counter()
        self.closed = Count()
        self._socket = socket
        self._habits = habits
        self._chance = chance
        self._promises = promises
        self._numbers = 0
        self._aim = Aim("", 0.0)

    async def settle_accounts(self) -> None:
        """Release the latch; and send once more what a kill has left without a reply, unless that may take long."""
        async with connected(self._socket) as line:
            await line.ask(ResumeResult, "resume")
        if not self._habits.repeats_at_work:
            gone = await self._repeat_unanswered()
            if gone is not None:
                raise gone

    async def _repeat_unanswered(self) -> Gone | None:
        """Give what went wrong on the way, if anything did."""
        gone: list[Gone] = []
        turns = trio.CapacityLimiter(_REPEATED_AT_ONCE)

        async def repeat(cmd: str, fields: Mapping[str, Any]) -> None:
            try:
                async with turns, connected(self._socket) as line:
                    await (self._arm(line, fields) if cmd == "arm" else self._signal(line, fields))
            except Declined as declined:
                self.refusals[declined.error.code] += 1
            except Gone as error:
                gone.append(error)

        async with trio.open_nursery() as hands:
            for (cmd, _), fields in list(self._promises.unanswered.items()):
                hands.start_soon(repeat, cmd, fields)
        return gone[0] if gone else None

    def watch_for(self, aim: Aim) -> None:
        """From now on tell this aim what happens."""
        self._aim = aim

    async def work(self) -> None:
        """Work with several hands, and follow the events, until cancelled."""
        async with trio.open_nursery() as hands:
            hands.start_soon(self._follow)
            if self._habits.repeats_at_work:
                hands.start_soon(self._repeat_unanswered)
            for _ in range(self._habits.hands):
                hands.start_soon(self._hand)

    async def close_everything(self) -> None:
        """Ask for every exit at once and wait for none."""
        try:
            async with connected(self._socket) as line:
                status = await line.ask(StatusResult, "status")
                for view in status.positions:
                    if view.state in {"Active", "Entering"}:
                        await line.send("close", position_id=view.position_id)
                await trio.sleep_forever()
        except (Gone, Declined):
            return

    async def panic(self) -> None:
        """Panic, and wait for nothing."""
        try:
            async with connected(self._socket) as line:
                await line.send("panic")
                await trio.sleep_forever()
        except (Gone, Declined):
            return

    # --- hands and eyes ----------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        try:
            async with connected(self._socket) as line:
                await line.ask(SubscribeResult, "subscribe", types=EVENTS)
                while True:
                    event = (await line.event()).event
                    if event == "position_closed":
                        self.closed.add()
                    self._aim.note(event)
        except (Gone, Declined):
            return

    async def _hand(self) -> None:
        try:
            async with connected(self._socket) as line:
                while True:
                    status = await line.ask(StatusResult, "status")
                    try:
                        await self._act(line, status)
                    except Declined as declined:
                        self.refusals[declined.error.code] += 1
                    await trio.sleep(self._chance.uniform(0, self._habits.pause_seconds))
        except (Gone, Declined):
            return

    async def _act(self, line: Line, status: StatusResult) -> None:
        positions = status.positions
        armed = [view for view in positions if view.state == "Armed"]
        active = [view for view in positions if view.state == "Active"]
        failed = [view for view in positions if view.state == "Error"] if self._habits.mends else []
        acts = self._habits.acts
        (act,) = self._chance.choices(list(acts), list(acts.values()))
        if act == "arm" and len(positions) < self._habits.open_most:
            await self._arm(line, self._new_position(positions))
        elif act == "signal" and armed:
            view = self._chance.choice(armed)
            quote = status.feed.get(view.symbol)
            if quote is not None and quote.last_price is not None:
                await self._signal(line, self._new_signal(view, quote.last_price))
        elif act == "close" and (active or failed):
            view = self._chance.choice(failed or active)
            await line.send("close", position_id=view.position_id)
            self._aim.note("close sent")
            if (await line.reply(CloseResult)).outcome == "closed":
                self._promises.over.add(view.position_id)
            self._aim.note("close answered")
        elif act == "disarm" and armed:
            view = self._chance.choice(armed)
            await line.ask(DisarmResult, "disarm", position_id=view.position_id)
            self._promises.over.add(view.position_id)

    def _new_position(self, positions: Sequence[PositionView]) -> dict[str, Any]:
        symbol = self._chance.choice(self._habits.pairs)
        # One pair, one side: mostly the one that is in the market.
        sides = [view.side for view in positions if view.symbol == symbol and view.state != "Armed"]
        stay = sides and self._chance.random() < self._habits.same_side
        side = self._chance.choice(sides if stay else list(Side))
        return {
            "symbol": symbol,
            "side": str(side),
            "strategy": "signal",
            "capital": self._habits.capital,
            "idempotency_key": self._name("arm"),
        }

    def _new_signal(self, view: PositionView, price: Decimal) -> dict[str, Any]:
        percent = Decimal(self._chance.choice(self._habits.stop_percents))
        distance = price * percent / 100 * (1 if view.side == "long" else -1)
        tick = builtin_instrument(view.symbol).tick_size
        return {
            "position_id": view.position_id,
            "entry_price": plain(price),
            "stop_price": plain((price - distance).quantize(tick)),
            "signal_id": self._name("signal"),
        }

    async def _arm(self, line: Line, fields: Any) -> None:
        key = ("arm", fields["idempotency_key"])
        self._promises.unanswered[key] = fields
        await line.send("arm", **fields)
        self._aim.note("arm sent")
        try:
            armed = await line.reply(ArmResult)
        except Declined:
            del self._promises.unanswered[key]
            raise
        del self._promises.unanswered[key]
        self._promises.armed.add(armed.position_id)
        self._aim.note("arm answered")

    async def _signal(self, line: Line, fields: Any) -> None:
        key = ("signal", fields["signal_id"])
        self._promises.unanswered[key] = fields
        await line.send("signal", **fields)
        self._aim.note("signal sent")
        try:
            answer = await line.reply(SignalResult)
        except Declined:
            del self._promises.unanswered[key]
            raise
        del self._promises.unanswered[key]
        if answer.accepted:
            self._promises.accepted.add((fields["position_id"], fields["signal_id"]))
        elif answer.reason is not None:
            self.refusals[answer.reason.code] += 1
        self._aim.note("signal answered")

    def _name(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}-{self._numbers}"
