"""The course of a demonstration: arm, watch, close what the stops have left, and show what came of it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import trio

from robson.commands.demo.processes import Conversation, DemoFailed, Processes
from robson.commands.demo.programme import Act, Programme
from robson.commands.demo.screen import Screen
from robson.commands.demo.story import Story, Tale
from robson.commands.demo.summary import PNL_QUERY, events_table, journal_rows, pnl_table
from robson.domain.codec import decode
from robson.protocol.replies import Reply
from robson.protocol.results import EventLine, EventsResult, PingResult, StatusResult

# How long stops are waited for, all acts together: start, exits by command and the summary fit into 40 s beside it.
WATCH_SECONDS = 20.0
CLOSE_SECONDS = 6.0
# How long the events may take to tell what a reply has told already.
TELL_SECONDS = 2.0
_SAMPLE_SECONDS = 0.2
# Without a terminal to repaint, how many samples lie between two lines of a chart.
_SAMPLES_PER_LINE = 6
_ID_SHOWN = 8
_PARTLY_DONE = 5


class Driver:
    """Plays one programme on a screen, with real processes."""

    def __init__(self, programme: Programme, screen: Screen, processes: Processes) -> None:
        self._programme = programme
        self._screen = screen
        self._processes = processes
        self._story = Story()
        self._armed: set[str] = set()
        self._tape_at: datetime | None = None
        self._samples = 0
        self._news = trio.Event()

    async def play(self) -> None:
        """Play it to the end; raises DemoFailed unless every position went from Armed to Closed with its PnL."""
        self._command("robson", "run", "--state-dir", str(self._processes.directory), *self._programme.feed)
        async with self._processes.daemon(self._programme.feed) as daemon:
            await self._processes.ready(daemon)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._processes.watch, daemon)
                nursery.start_soon(self._follow)
                nursery.start_soon(self._sample)
                for act in self._programme.acts:
                    await self._play_act(act)
                nursery.cancel_scope.cancel()
            self._screen.leave()
            events = decode(await self._processes.ask("events", "--from", "1", "--json"), EventsResult).events
            status = decode(await self._processes.ask("status", "--all", "--json"), StatusResult)
        self._screen.say("", "All events (robsonctl events), stop updates in a row on one line:", events_table(events))
        mine = [view for view in status.positions if view.position_id in self._armed]
        self._screen.say("", "Profit and loss in quote (robsonctl status --all):", pnl_table(mine))
        self._prove(events, status)

    def show_journal(self, *, kept: bool) -> None:
        """The journal's own rows, once the daemon has stopped."""
        path = self._processes.directory / "robson.db"
        rows, events = journal_rows(path)
        self._command("sqlite3", "-header", "-column", str(path), f"'{PNL_QUERY}'")
        self._screen.say(rows, "", f"The journal with its {events} events: {path}")
        if kept:
            self._screen.say(f"It stays there; remove it with: rm -r {path.parent}")
        else:
            self._screen.say("It is removed now with its directory; `robson demo --keep` keeps it.")

    # --- one act -----------------------------------------------------------------------------------------------------

    async def _play_act(self, act: Act) -> None:
        for arm in act.arms:
            self._command("robsonctl", *arm.words)
            said = await self._processes.ask(*arm.words, "--json")
            self._armed.add(decode(said, dict[str, str])["position_id"])
            with trio.move_on_after(TELL_SECONDS):
                while not self._armed <= self._story.tales.keys():
                    await self._news.wait()
        seconds = WATCH_SECONDS / len(self._programme.acts)
        with trio.move_on_after(seconds):
            while not self._is_over():
                if self._tape_is_over(act):
                    break
                await self._news.wait()
        if not self._is_over():
            await self._close(act)

    def _is_over(self) -> bool:
        """Whether everything that was armed so far is over, as the events have told it."""
        tales = self._story.tales
        return all(position_id in tales and tales[position_id].is_over for position_id in self._armed)

    def _tape_is_over(self, act: Act) -> bool:
        """Whether the tape has no more time for an act."""
        return act.ends_at is not None and self._tape_at is not None and self._tape_at >= act.ends_at

    async def _close(self, act: Act) -> None:
        """Close by command what the stops have not closed in time."""
        self._screen.leave()
        why = "the tape has no more time for this" if self._tape_is_over(act) else "the demonstration's time is up"
        self._screen.say(f"The stop was not hit, and {why}: closed by command.")
        with trio.move_on_after(CLOSE_SECONDS):
            for tale in self._story.open:
                verb = "close" if tale.signal is not None else "disarm"
                self._command("robsonctl", verb, tale.position_id[:_ID_SHOWN])
                # Refused when the stop was hit meanwhile, partly done when the exit takes longer: the events tell.
                await self._processes.ask(verb, tale.position_id, allowed=(0, 1, _PARTLY_DONE))
            while not self._is_over():
                await self._news.wait()
            return
        raise DemoFailed("a position was still open after it was closed by command:\n" + self._processes.log_tail())

    # --- what goes on meanwhile --------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        async with self._processes.conversation("events", "--from", "1", "--follow", "--json") as talk:
            while line := await talk.line():
                tale, words = self._story.take(decode(line, EventLine))
                if words:
                    self._screen.say(*words)
                if tale is not None and tale.closed is not None:
                    self._screen.say(*self._chart(tale))
                    self._repaint()
                self._stir()
        raise DemoFailed("`robsonctl events --follow` ended:\n" + self._processes.log_tail())

    async def _sample(self) -> None:
        """Ask for the prices and the tape's time again and again: a chart needs points, whatever happens or not."""
        async with self._processes.conversation() as talk:
            while True:
                await talk.send(b'{"cmd":"ping"}\n{"cmd":"status"}\n')
                self._tape_at = decode(await _result(talk), PingResult).at
                status = decode(await _result(talk), StatusResult)
                for view in status.positions:
                    tale = self._story.tales.get(view.position_id)
                    if tale is None or tale.entry is None or tale.is_over:
                        continue
                    if view.state == "Active" and view.last_price is not None and view.trailing_stop is not None:
                        tale.see(view.last_price, view.trailing_stop)
                self._repaint()
                self._stir()
                await trio.sleep(_SAMPLE_SECONDS)

    def _stir(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _repaint(self) -> None:
        active = [tale for tale in self._story.open if tale.entry is not None]
        if self._screen.is_live:
            self._screen.paint([row for tale in active for row in self._chart(tale)])
            return
        self._samples += 1
        if self._samples % _SAMPLES_PER_LINE == 0:
            for tale in active:
                prices, _ = tale.chart.draw(self._screen.width - 50, self._screen.ramp)
                stop = tale.price(tale.stop) if tale.stop is not None else ""
                self._screen.say(f"          {tale.name}stop {stop:<10} price {prices}")

    def _chart(self, tale: Tale) -> Sequence[str]:
        prices, stops = tale.chart.draw(self._screen.width - 36, self._screen.ramp)
        margin = " " * 10
        price = tale.price(tale.price_seen) if tale.price_seen is not None else ""
        stop = tale.price(tale.stop) if tale.stop is not None else ""
        return (
            f"{margin}{tale.name}price {prices} {price}",
            f"{margin}{' ' * len(tale.name)}stop  {stops} {stop}",
        )

    # --- the end -----------------------------------------------------------------------------------------------------

    def _prove(self, events: Sequence[EventLine], status: StatusResult) -> None:
        closed = {line.position_id: line.data for line in events if line.event == "position_closed"}
        states = {view.position_id: view.state for view in status.positions}
        unfinished = [
            position_id
            for position_id in sorted(self._armed)
            if closed.get(position_id, {}).get("net_pnl") is None or states.get(position_id) != "Closed"
        ]
        if unfinished:
            raise DemoFailed(f"these positions did not go from Armed to Closed with a result: {', '.join(unfinished)}")

    def _command(self, *words: str) -> None:
        self._screen.say("", self._screen.style("bold", f"$ {' '.join(words)}"))


async def _result(talk: Conversation) -> bytes:
    line = await talk.line()
    if not line:
        raise DemoFailed("the robsonctl that asks for the prices has ended")
    reply = decode(line, Reply)
    if not reply.ok:
        raise DemoFailed(f"the daemon's answer was {line.decode()}")
    return bytes(reply.result)


async def perform(programme: Programme, screen: Screen, *, keep: bool, hurry: trio.Event, directory: Path) -> None:
    """Play a programme in a state directory that exists, and show its journal; raises DemoFailed."""
    driver = Driver(programme, screen, Processes(directory, hurry))
    screen.say(
        f"Robson, a demonstration on {programme.title}.",
        "Paper money, no keys, no network. Times are the market's, UTC.",
    )
    if programme.remark:
        screen.say(programme.remark)
    await driver.play()
    driver.show_journal(kept=keep)
