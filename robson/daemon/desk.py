"""What every changing command does, through the supervisor and the positions' lives."""

import trio

from robson.daemon.entering import judge, refusal_of
from robson.daemon.handover import Handover, adopt, release
from robson.daemon.life import Life
from robson.daemon.panicking import ended, outcome_of
from robson.daemon.window import Window
from robson.domain.errors import RuleError
from robson.domain.events import Notice
from robson.domain.position import Active, Armed, Closed, Entering, Error, Position
from robson.domain.sequence import StoredReply
from robson.domain.stimuli import DisarmRequested, StopMoved, StopTightened
from robson.domain.values import ExitReason, PositionId
from robson.engine.decide import Decision
from robson.executor.debts import outstanding_principal
from robson.executor.sighting import share_of
from robson.ports import Commit
from robson.protocol import oversight
from robson.protocol import oversight_results as told
from robson.protocol import requests as ask
from robson.protocol import results as give
from robson.protocol.operations import Caller, Ticket

# A close or a panic is answered within 30 s; the rest is for the way back.
EXIT_WAIT_SECONDS = 28.0


class Desk(Window):
    """Implements `protocol.operations.Operations`: what the window reads, and every mutation."""

    def _refuse_while_recovering(self) -> None:
        if not self._supervisor.recovered.is_set():
            raise RuleError(
                "recovering",
                "nothing was done: stops are being rebuilt after a start",
                hint="try again",
                retryable=True,
            )

    async def arm(self, request: ask.ArmRequest, caller: Caller, ticket: Ticket | None) -> give.ArmResult:
        """Arm a position; its ticket is sealed in the commit that creates it."""
        self._refuse_while_recovering()
        identity = self._identity

        def reply(position_id: PositionId) -> StoredReply | None:
            return ticket.seal(give.ArmResult(position_id=position_id)) if ticket is not None else None

        life = await self._supervisor.arm(
            symbol=request.symbol,
            side=request.side,
            strategy=request.strategy,
            capital=identity.capital if request.capital_decimal is None else request.capital_decimal,
            risk_percent=identity.risk_percent
            if request.risk_percent_decimal is None
            else request.risk_percent_decimal,
            params=request.params,
            reply=reply,
        )
        return give.ArmResult(position_id=life.position.position_id)

    async def signal(self, request: ask.SignalRequest, caller: Caller, ticket: Ticket | None) -> give.SignalResult:
        """Judge a signal at once; its ticket is sealed in the commit that accepts or refuses it."""
        self._refuse_while_recovering()
        signal_id = request.signal_id or self._around.new_id()
        known = _spent(self._find(request.position_id), signal_id)
        if known is not None:
            return known
        life = self._living(request.position_id, "take a signal", "arm a new one")
        answers: list[give.SignalResult] = []

        def reply(decision: Decision) -> StoredReply | None:
            answers.append(_signal_result(decision))
            return ticket.seal(answers[-1]) if ticket is not None else None

        evidence = {"method": "operator", "uid": caller.uid}
        entry_price, technical_stop = request.entry_price_decimal, request.stop_price_decimal
        try:
            await judge(life, signal_id, entry_price, technical_stop, evidence, reply=reply)
        except RuleError:
            # The same signal may have come twice at once: the second is answered like the first.
            known = _spent(life.position, signal_id)
            if known is None:
                raise
            return known
        return answers[-1]

    async def disarm(self, request: ask.DisarmRequest, caller: Caller, ticket: Ticket | None) -> give.DisarmResult:
        """Close an Armed position."""
        self._refuse_while_recovering()
        life = self._living(request.position_id, "be disarmed", "it is over")
        life.feel(DisarmRequested())
        return give.DisarmResult(position_id=request.position_id)

    async def close(self, request: ask.CloseRequest, caller: Caller, ticket: Ticket | None) -> give.CloseResult:
        """Begin or join an exit and wait for it, at most 30 seconds."""
        self._refuse_while_recovering()
        life = self._living(request.position_id, "close", "it is over")
        self._supervisor.request_exit(life, ExitReason.OPERATOR_CLOSE)
        with trio.move_on_after(EXIT_WAIT_SECONDS):
            await ended(life)
        state = life.position.state
        if isinstance(state, Closed):
            return give.CloseResult(position_id=request.position_id, outcome="closed", detail=state.reason.value)
        detail = (
            state.message if isinstance(state, Error) else f"it is {life.position.state_name} and goes on by itself"
        )
        return give.CloseResult(position_id=request.position_id, outcome="pending", detail=detail)

    async def adjust(
        self, request: oversight.AdjustRequest, caller: Caller, ticket: Ticket | None
    ) -> told.AdjustResult:
        """Tighten a stop; its ticket is sealed in the commit that moves it."""
        self._refuse_while_recovering()
        life = self._living(request.position_id, "be adjusted", "it is over")
        wanted, price = request.stop_price_decimal, self._around.market.prices(life.position.symbol)
        present = life.moved()
        if isinstance(life.position.state, Active) and (price is None or present is None or life.is_behind):
            why = "it has no price yet" if price is None else "prices that it missed are still being read"
            raise RuleError(
                "stop_not_watched",
                f"the stop of {request.position_id} was left where it is: {why}",
                hint="try again",
                retryable=True,
            )
        # In any other state the rules refuse before they look at these.
        present = present or StopMoved(trailing_stop=wanted, extreme=wanted, trade_id=None)
        asked = StopTightened(trailing_stop=wanted, price=price or wanted, present=present)
        result = told.AdjustResult(
            position_id=request.position_id,
            previous_stop=present.trailing_stop,
            trailing_stop=wanted,
            price=asked.price,
        )
        life.tighten(asked, lambda _decision: ticket.seal(result) if ticket is not None else None)
        return result

    async def adopt(self, request: ask.AdoptRequest, caller: Caller, ticket: Ticket | None) -> give.AdoptResult:
        """Take a holding over; its ticket is sealed in the commit that creates the position."""
        self._refuse_while_recovering()
        handed = Handover(
            symbol=request.symbol,
            side=request.side,
            quantity=request.quantity_decimal,
            technical_stop=request.stop_price_decimal,
            entry_price=request.entry_price_decimal,
            uid=caller.uid,
        )

        def reply(position: Position) -> StoredReply | None:
            return ticket.seal(_adopt_result(position)) if ticket is not None else None

        return _adopt_result(await adopt(self._supervisor, handed, reply))

    async def release(self, request: ask.ReleaseRequest, caller: Caller, ticket: Ticket | None) -> give.ReleaseResult:
        """Hand a position back; its ticket is sealed in the commit that closes it."""
        self._refuse_while_recovering()
        life = self._living(request.position_id, "be released", "it is over")

        def reply(position: Position) -> StoredReply | None:
            return ticket.seal(self._release_result(position)) if ticket is not None else None

        return self._release_result(await release(self._around, life, reply))

    def _release_result(self, position: Position) -> give.ReleaseResult:
        instrument = self._around.instruments[position.symbol]
        owed = {
            asset: amount
            for asset in (instrument.base, instrument.quote)
            if (amount := outstanding_principal(position, instrument, asset)) > 0
        }
        return give.ReleaseResult(
            position_id=position.position_id,
            symbol=position.symbol,
            side=position.side.value,
            quantity=share_of(position, instrument.base),
            owed=owed,
        )

    async def panic(self, request: ask.PanicRequest, caller: Caller, ticket: Ticket | None) -> give.PanicResult:
        """Latch durably (in memory when the disk is gone), then disarm and close everything, side by side."""
        lives = self._supervisor.panic()
        with trio.move_on_after(EXIT_WAIT_SECONDS):
            for life, failure in lives:
                if failure is None or failure.retryable:
                    await ended(life)
        return give.PanicResult(
            latched=self._around.record.latched,
            positions=tuple(outcome_of(life, failure) for life, failure in lives),
        )

    async def resume(self, request: ask.ResumeRequest, caller: Caller, ticket: Ticket | None) -> give.ResumeResult:
        """Release the latch."""
        self._refuse_while_recovering()
        record = self._around.record
        if record.latched:
            released = Notice(type="panic_released", at=self._around.clock.now(), data={"uid": caller.uid})
            record.write(Commit(latch=False, notices=(released,)))
        return give.ResumeResult(panic_latched=record.latched)

    async def pause(self, request: oversight.PauseRequest, caller: Caller, ticket: Ticket | None) -> told.PauseResult:
        """Refuse signals from now on; durably, and in memory when the disk is gone."""
        return self._pause(caller, paused=True)

    async def unpause(
        self, request: oversight.UnpauseRequest, caller: Caller, ticket: Ticket | None
    ) -> told.PauseResult:
        """Take signals again."""
        self._refuse_while_recovering()
        return self._pause(caller, paused=False)

    def _pause(self, caller: Caller, *, paused: bool) -> told.PauseResult:
        record = self._around.record
        if record.paused is not paused:
            kind = "entries_paused" if paused else "entries_unpaused"
            notice = Notice(type=kind, at=self._around.clock.now(), data={"uid": caller.uid})
            record.write(Commit(pause=paused, notices=(notice,)), protective=paused)
        return told.PauseResult(paused=record.paused)

    def _living(self, position_id: str, request: str, hint: str) -> Life:
        life = self._supervisor.lives.get(position_id)
        if life is None:
            position = self._find(position_id)
            raise RuleError(
                "wrong_state", f"position {position_id} was {position.state_name}, so it cannot {request}", hint=hint
            )
        return life


def _adopt_result(position: Position) -> give.AdoptResult:
    entry, trail = position.entry, position.trail
    assert entry is not None, position
    assert trail is not None, position
    return give.AdoptResult(
        position_id=position.position_id,
        quantity=entry.quantity,
        entry_price=entry.fill_price,
        trailing_stop=trail.stop,
        borrowed=entry.borrowed,
    )


def _spent(position: Position, signal_id: str) -> give.SignalResult | None:
    """The answer to a signal that the position accepted before, None to a new one."""
    quantity = next((spent.quantity for spent in position.spent_signals if spent.signal_id == signal_id), None)
    if quantity is None:
        return None
    if not isinstance(position.state, Armed):
        return give.SignalResult(accepted=True, quantity=quantity)
    reason = give.Reason(
        code="signal_used",
        message=f"signal {signal_id} was accepted before and came to nothing at the venue; a new one needs a new id",
    )
    return give.SignalResult(accepted=False, reason=reason)


def _signal_result(decision: Decision) -> give.SignalResult:
    state = decision.position.state
    refused = refusal_of(decision)
    if refused is not None:
        return give.SignalResult(accepted=False, reason=give.Reason(code=refused.code, message=refused.message))
    assert isinstance(state, Entering), state
    return give.SignalResult(accepted=True, quantity=state.signal.quantity)
