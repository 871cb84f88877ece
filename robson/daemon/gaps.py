"""Telling what became of the prices that a position's stop had missed."""

import structlog

from robson.daemon.surroundings import Surroundings
from robson.domain.codec import to_wire
from robson.domain.events import Notice
from robson.domain.position import Position
from robson.domain.values import plain
from robson.feed.attachment import Replayed

_log = structlog.get_logger("robson.recovery")


def tell_replayed(position: Position, replayed: Replayed, around: Surroundings) -> None:
    """Say how a stop was rebuilt, and give notice of a crossing that was forgiven and of prices that nobody has."""
    if not (replayed.trades or replayed.candles or replayed.missing):
        return
    crossing = replayed.crossing
    _log.info(
        "missed_prices_replayed",
        position_id=position.position_id,
        symbol=position.symbol,
        trades=replayed.trades,
        candles=replayed.candles,
        trailing_stop=plain(replayed.trailing_stop),
        crossed_at=crossing.at.isoformat() if crossing is not None else None,
        crossed_price=plain(crossing.price) if crossing is not None else None,
    )
    if replayed.missing is not None:
        since, until = replayed.missing
        _give(position, around, "gap_unfilled", {"since": since, "until": until})
    if crossing is not None and replayed.is_forgiven:
        found = {
            "price": crossing.price,
            "crossed_stop": crossing.trailing_stop,
            "crossed_at": crossing.at,
            "trade_id": crossing.trade_id,
            "candle_seconds": crossing.candle_seconds,
            "trailing_stop": replayed.trailing_stop,
            "price_now": replayed.price,
        }
        _give(position, around, "gap_forgiven", found)


def _give(position: Position, around: Surroundings, kind: str, found: dict[str, object]) -> None:
    around.record.notice(
        Notice(type=kind, at=around.clock.now(), position_id=position.position_id, data=to_wire(found))
    )
