"""The account against the journal, every half minute: found once, confirmed a minute later, and only then acted on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import structlog
import trio

from robson.daemon.life import Life
from robson.daemon.surroundings import Surroundings, Verdict
from robson.domain.account import Trade
from robson.domain.errors import RateLimited, VenueError
from robson.domain.events import Notice
from robson.domain.position import Entering, Exiting, Position
from robson.domain.values import ZERO, ClientOrderId, PositionId, Role, exit_order_side
from robson.executor import drift
from robson.executor.sighting import DEBT_REPAID, Finding, OrderElsewhere, Sight
from robson.ports import Commit, Fill, OrderReport, PairRecord

EVERY_SECONDS = 30.0
CONFIRM_SECONDS = 60.0
QUERY_TIMEOUT_SECONDS = 5.0

_log = structlog.get_logger("robson.drift")


@dataclass(slots=True)
class _Remembered:
    """What was found on one pair: since when (s, steady clock), what of it was told, and how much debt was less."""

    since: dict[tuple[object, ...], float] = field(default_factory=dict)
    told: dict[tuple[object, ...], str] = field(default_factory=dict)
    positions: tuple[tuple[object, ...], ...] = ()
    repaid: Decimal = ZERO


class DriftWatch:
    """Looks at every pair on which a position is in the market; one account read a pair, nothing while orders are out.

    `left_elsewhere` is told the pair of which something was sold or bought back: its loan may still be owed.
    """

    def __init__(self, around: Surroundings, left_elsewhere: Callable[[str], None]) -> None:
        self.around = around
        self._left_elsewhere = left_elsewhere
        self._pairs: dict[str, _Remembered] = {}
        self._orders: dict[tuple[str, str], OrderReport] = {}

    async def run(self, recovered: trio.Event) -> None:
        """Look at once after the start and then every half minute, until cancelled."""
        await recovered.wait()
        while True:
            await self.look_everywhere()
            await trio.sleep(EVERY_SECONDS)

    async def look_everywhere(self) -> None:
        """One look at each pair; an unreachable venue ends the round without a conclusion."""
        symbols = {life.position.symbol for life in self._lives() if life.position.entry is not None}
        for gone in self._pairs.keys() - symbols:
            del self._pairs[gone]
        self._orders = {key: report for key, report in self._orders.items() if key[0] in symbols}
        for symbol in sorted(symbols):
            try:
                sight = await self._see(symbol)
                if sight is not None:
                    self._take(sight, drift.compare(sight))
            except (VenueError, trio.TooSlowError) as error:
                _log.warning("drift_not_looked", symbol=symbol, error=str(error) or "no answer")
                if isinstance(error, RateLimited):
                    await trio.sleep(error.retry_after_seconds)
                return
            except Exception:  # noqa: BLE001  a fault in looking must not end the positions
                _log.exception("drift_failed", symbol=symbol)

    async def explain(self, position_id: PositionId) -> Verdict:
        """For an Exiting position whose holding or debt is gone: whether orders elsewhere explain it.

        The caller holds the pair's exit lane, so that no other exit takes a step meanwhile. "wait" until the same
        finding is a minute old, then "settled": the position has felt the fills. "unexplained" is for a person. Raises
        VenueError or TooSlowError while the venue cannot be asked.
        """
        sight = await self._see(self.around.lives[position_id].position.symbol, leaving=True)
        if sight is None:
            return "wait"
        found = tuple(f for f in drift.compare(sight) if any(share[0] == position_id for share in f.fills))
        if not found:
            return "unexplained"
        return "settled" if self._take(sight, found) else "wait"

    def words(self, position: Position) -> str | None:
        """What was found on the position's pair and is still so."""
        remembered = self._pairs.get(position.symbol)
        if remembered is None or position.entry is None or not remembered.told:
            return None
        return "; ".join(remembered.told.values())

    # --- looking -----------------------------------------------------------------------------------------------------

    def _lives(self) -> list[Life]:
        return [life for life in self.around.lives.values() if isinstance(life, Life)]

    def _quiet(self, symbol: str, *, leaving: bool) -> tuple[Position, ...]:
        """Our positions on the pair; none while one is on its way in or (unless `leaving`) out, or an order is out."""
        on_pair = self.around.on_pair(symbol, but="")
        if any(intent.order.symbol == symbol for intent in self.around.record.open_intents()):
            return ()
        for position in on_pair:
            if isinstance(position.state, Entering) or position.entry is None:
                return ()
            if isinstance(position.state, Exiting) and not leaving:
                return ()
        return tuple(on_pair)

    async def _see(self, symbol: str, *, leaving: bool = False) -> Sight | None:
        """One look; None when orders are out, or went out meanwhile, or an order is not shown by the venue yet."""
        around, before = self.around, self._quiet(symbol, leaving=leaving)
        if not before:
            return None
        entries = [position.entry for position in before if position.entry is not None]
        since = min(entry.filled_at for entry in entries)
        with trio.fail_after(QUERY_TIMEOUT_SECONDS):
            instrument = await around.instrument(symbol)
            terms = around.terms.get(symbol) or await around.pair_terms(symbol)
            trades = await around.venue.trades(symbol, since=since)
        with trio.fail_after(QUERY_TIMEOUT_SECONDS):
            open_orders = await around.venue.open_orders(symbol)
            price = around.market.prices(symbol) or await around.venue.price(symbol)
            account = await around.look_at(symbol)
        pair = around.record.pair(symbol) or PairRecord(symbol=symbol, baseline_base=ZERO, baseline_quote=ZERO)
        orders = await self._orders_elsewhere(symbol, pair, trades)
        if orders is None:
            return None
        with trio.fail_after(QUERY_TIMEOUT_SECONDS):
            liquidations = await around.venue.liquidations(symbol, since)
        if _outline(self._quiet(symbol, leaving=leaving)) != _outline(before):
            return None
        known = around.principal(symbol, instrument.quote) + pair.carried_quote + pair.handed_quote
        sight = Sight(
            instrument=instrument,
            terms=terms,
            price=price,
            account=account,
            pair=pair,
            positions=before,
            now=around.clock.now(),
            orders=orders,
            liquidations=tuple(liquidations),
            open_orders=tuple(open_orders),
            principal_quote=known,
        )
        return self._with_repaid(sight)

    def _with_repaid(self, sight: Sight) -> Sight:
        """The sight with the debt that was less already: a neighbour's profit repays ours, which is no drift."""
        remembered = self._pairs.get(sight.instrument.symbol)
        outline = _outline(sight.positions)
        if remembered is None:
            remembered = self._pairs[sight.instrument.symbol] = _Remembered(positions=outline)
            remembered.repaid = drift.repaid_elsewhere(sight) if len(sight.positions) > 1 else ZERO
        elif remembered.positions != outline:
            remembered.positions, remembered.repaid = outline, drift.repaid_elsewhere(sight)
        return msgspec.structs.replace(sight, repaid=remembered.repaid)

    async def _orders_elsewhere(
        self, symbol: str, pair: PairRecord, trades: Sequence[Trade]
    ) -> tuple[OrderElsewhere, ...] | None:
        """The orders behind the trades that nobody accounts for; None while the venue does not name one of them."""
        by_order: dict[str, list[Trade]] = {}
        for trade in trades:
            if trade.trade_id > pair.judged_trade_id and not self.around.record.knows_trade(symbol, trade.trade_id):
                by_order.setdefault(trade.venue_order_id, []).append(trade)
        orders = []
        for venue_order_id, executed in by_order.items():
            report = self._orders.get((symbol, venue_order_id))
            if report is None:
                with trio.fail_after(QUERY_TIMEOUT_SECONDS):
                    report = await self.around.venue.order_of(symbol, venue_order_id)
                if report is None:
                    return None
                self._orders[symbol, venue_order_id] = report
            orders.append(
                OrderElsewhere(
                    client_order_id=report.client_order_id,
                    venue_order_id=venue_order_id,
                    order_side=report.order_side,
                    trades=tuple(executed),
                )
            )
        return tuple(orders)

    # --- concluding --------------------------------------------------------------------------------------------------

    def _take(self, sight: Sight, findings: tuple[Finding, ...]) -> bool:
        """Remember what was found; True when something was settled. Confirmed is what is a minute old."""
        remembered = self._pairs.setdefault(sight.instrument.symbol, _Remembered())
        now, keys = self.around.clock.monotonic(), {finding.key for finding in findings}
        remembered.since = {key: since for key, since in remembered.since.items() if key in keys}
        remembered.told = {key: words for key, words in remembered.told.items() if key in keys}
        settled = False
        for finding in findings:
            since = remembered.since.setdefault(finding.key, now)
            if now - since < CONFIRM_SECONDS or finding.key in remembered.told:
                continue
            # Without a disk nothing is concluded: what is found stays there to be found.
            if self.around.record.degraded is not None:
                continue
            settled = settled or finding.is_settled
            self._conclude(sight, finding)
            if not finding.is_settled:
                remembered.told[finding.key] = finding.message
            # An order by hand may have repaid our debt as well: that is told with the order.
            if finding.is_settled or finding.kind == DEBT_REPAID:
                remembered.repaid = drift.repaid_elsewhere(sight)
        return settled

    def _conclude(self, sight: Sight, finding: Finding) -> None:
        symbol = sight.instrument.symbol
        pairs = (finding.pair,) if finding.pair is not None else ()
        notice = Notice(
            type="drift_found",
            at=self.around.clock.now(),
            position_id=_only(sight.positions),
            data={
                "symbol": symbol,
                "kind": finding.kind,
                "message": finding.message,
                "settled": finding.is_settled,
                "positions": [position.position_id for position in sight.positions],
            },
        )
        if not finding.fills:
            _log.warning("drift_found", symbol=symbol, kind=finding.kind, message=finding.message)
            self.around.record.write(Commit(notices=(notice,), pairs=pairs))
            return
        self.around.record.notice(notice)
        last = finding.fills[-1][0]
        for position_id, share in finding.fills:
            life = self.around.lives[position_id]
            assert isinstance(life, Life), position_id
            # The trades are kept once, and only with the last share: a crash before it leaves the evidence to the rest.
            is_last = position_id == last
            life.feel(share, fills=_fills(position_id, sight) if is_last else (), pairs=pairs if is_last else ())
        self._left_elsewhere(symbol)


def _outline(positions: tuple[Position, ...]) -> tuple[tuple[object, ...], ...]:
    """What must not change while the venue is asked; a stop that moves does not matter."""
    return tuple(
        (position.position_id, position.state_name, position.reduction, position.exit and len(position.exit.orders))
        for position in positions
    )


def _only(positions: tuple[Position, ...]) -> PositionId | None:
    return positions[0].position_id if len(positions) == 1 else None


def _fills(position_id: PositionId, sight: Sight) -> tuple[Fill, ...]:
    """The trades that sold or bought back what was ours, as they are kept."""
    side = exit_order_side(sight.positions[0].side)
    return tuple(
        Fill(
            position_id=position_id,
            client_order_id=ClientOrderId(order.client_order_id),
            symbol=sight.instrument.symbol,
            order_side=side,
            role=Role.EXIT,
            trade=trade,
        )
        for order in sight.orders
        if order.order_side is side
        for trade in order.trades
    )
