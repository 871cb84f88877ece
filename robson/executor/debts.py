"""What of a pair's pooled debt belongs to one position: its loan, less what its own exit has brought in again."""

from decimal import Decimal

from robson.domain.instrument import Instrument
from robson.domain.position import Position
from robson.domain.values import ZERO, Side


def brought_in(position: Position, instrument: Instrument, asset: str) -> Decimal:
    """What the exit fills of a position brought in of the asset that it owes, after fees."""
    out = position.reduction
    if position.side is Side.SHORT and asset == instrument.base:
        return out.quantity - out.fees_by_asset.get(asset, ZERO)
    if position.side is Side.LONG and asset == instrument.quote:
        return out.quote - out.fees_by_asset.get(asset, ZERO)
    return ZERO


def outstanding_principal(position: Position, instrument: Instrument, asset: str) -> Decimal:
    """The part of a position's loan that its own exit has not yet brought in again."""
    if position.entry is None:
        return ZERO
    return max(position.entry.borrowed.get(asset, ZERO) - brought_in(position, instrument, asset), ZERO)
