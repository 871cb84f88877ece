"""Operators at bad moments: several at once, impatient ones, repeated requests, and readers that dawdle."""

from decimal import Decimal
from random import Random

import msgspec
import trio

from robson.control.commands import Commands
from robson.control.sequence import Cursor
from robson.domain.values import Side
from robson.protocol import requests as ask
from robson.protocol.unions import AnyMutation
from tests.rig import NOBODY, Rig
from tests.simulation.invariants import Watchman
from tests.simulation.market import SYMBOLS, RoughMarket
from tests.simulation.weather import Weather

DISTANCES = ("0.002", "0.005", "0.01", "0.03")


class Operators:
    """Everybody who wants something of the daemon during one life."""

    def __init__(self, random: Random, weather: Weather, market: RoughMarket, watchman: Watchman) -> None:
        self.random = random
        self.weather = weather
        self.market = market
        self.watchman = watchman
        self.positions: list[str] = []
        # Requests that were answered, with their answers.
        self.answered: dict[str, tuple[AnyMutation, bytes]] = {}
        self._next_key = 0

    def come(self, rig: Rig, commands: Commands, nursery: trio.Nursery) -> None:
        """One or more of them ask for something now."""
        is_wild = "operators" in self.weather.climate
        crowd = self.random.randrange(2, 6) if is_wild and self.random.random() < 0.15 else 1
        if crowd > 1:
            self.weather.counts["operators: several at once"] += 1
        for _ in range(crowd):
            nursery.start_soon(self._ask, rig, commands, is_wild)

    async def _ask(self, rig: Rig, commands: Commands, is_wild: bool) -> None:
        if is_wild and self.answered and self.random.random() < 0.15:
            await self._repeat(commands)
            return
        request = self._wish(rig)
        if is_wild and self.random.random() < 0.15:
            self.weather.counts["operators: gone before the answer"] += 1
            with trio.move_on_after(self.random.uniform(0, 0.3)):
                self._remember(rig, request, await commands.mutate(request, NOBODY))
            return
        self._remember(rig, request, await commands.mutate(request, NOBODY))

    def _wish(self, rig: Rig) -> AnyMutation:
        random, choice = self.random, self.random.random()
        key = None
        if random.random() < 0.4:
            self._next_key += 1
            key = f"key-{self._next_key}"
        if choice < 0.35 or not self.positions:
            side = random.choice(list(Side))
            return ask.ArmRequest(
                symbol=random.choice(list(SYMBOLS)), side=side, strategy="signal", idempotency_key=key
            )
        position_id = random.choice(self.positions)
        if choice < 0.8:
            position = rig.journal.position(position_id)
            assert position is not None
            price = self.market.prices[position.symbol]
            stop = price - price * Decimal(random.choice(DISTANCES)) * position.side.sign
            return ask.SignalRequest(
                position_id=position_id,
                entry_price=str(price),
                stop_price=str(stop.quantize(Decimal("0.01"))),
                signal_id=key,
                idempotency_key=key,
            )
        if choice < 0.93:
            return ask.CloseRequest(position_id=position_id, idempotency_key=key)
        if choice < 0.965:
            return ask.DisarmRequest(position_id=position_id, idempotency_key=key)
        return ask.PanicRequest() if choice < 0.98 else ask.ResumeRequest()

    def _remember(self, rig: Rig, request: AnyMutation, body: bytes) -> None:
        reply = msgspec.json.decode(body)
        code = reply["error"]["code"] if not reply["ok"] else ""
        self.watchman.demand(code != "internal_error", "a command failed by a bug", request, reply)
        if isinstance(request, ask.ArmRequest) and reply["ok"] and rig.record.degraded is None:
            self.positions.append(reply["result"]["position_id"])
        key = request.idempotency_key
        # What an ailing disk did not keep cannot be given again.
        if key is not None and rig.journal.stored_reply(key) is not None:
            self.answered[key] = (request, body)

    async def _repeat(self, commands: Commands) -> None:
        request, body = self.answered[self.random.choice(list(self.answered))]
        self.weather.counts["operators: asked twice"] += 1
        again = await commands.mutate(request, NOBODY)
        self.watchman.demand(again == body, "a repeated request had another answer", request, body, again)

    async def read_slowly(self, rig: Rig) -> None:
        """A subscriber from the beginning that takes its time; what it reads must be the journal's rows, in order."""
        cursor = Cursor(rig.desk, ask.SubscribeRequest(from_seq=1), trio.Lock())
        next_seq = 1
        while True:
            for line in (await cursor.next_lines()).splitlines():
                row = self.watchman.rows[next_seq - 1]
                shown = msgspec.json.decode(line)
                self.watchman.demand(
                    (shown["seq"], shown["event"], shown["position_id"], shown["data"])
                    == (next_seq, row.type, row.position_id, row.data),
                    "a reader was shown something else than what was committed",
                    shown,
                    row,
                )
                next_seq += 1
            self.weather.counts["operators: slow reader"] += 1
            await trio.sleep(self.random.uniform(0, 10))
