"""The self fence of an exit: where the account cannot fund a second one, at most one of two identical orders executes.

An exit never borrows. So an exit in doubt may be followed by another attempt after two seconds instead of twelve,
however late the first one still arrives. Whether that holds is decided once, before the first byte of the first
attempt, on an account read newer than the position's last fill; it is never found to hold later, for a read made after
a lost reply already shows what the first attempt has done. It may be found not to hold any more at any time.
"""

from collections.abc import Sequence
from decimal import Decimal

from robson.domain.account import PairAccount
from robson.domain.instrument import Instrument
from robson.domain.position import Exiting, Position
from robson.domain.values import ZERO, Fence, Role, Side, exit_order_side
from robson.ports import Intent

# A short's exit pays a price that is not known yet; a fall by less than this does not make room for a second one.
PRICE_MARGIN = Decimal("1.05")


def funds_one_only(side: Side, quantity: Decimal, account: PairAccount, instrument: Instrument, price: Decimal) -> bool:
    """Whether the account could not fund a second exit of `quantity` (base) beside the first, at about `price`.

    What a long's account could still sell is less than the venue accepts. A short's account could not pay for two,
    unless the price falls; what it then buys too much is sold again.
    """
    if side is Side.LONG:
        return account.base.total - quantity < instrument.smallest_sellable(price)
    return PRICE_MARGIN * account.quote.total < 2 * quantity * price


def decide(
    position: Position,
    quantity: Decimal,
    account: PairAccount,
    instrument: Instrument,
    price: Decimal,
    *,
    expected_net_base: Decimal,
) -> Fence:
    """The fence of an exit of `quantity` (base) of a position that is alone on its pair, with no order open there.

    `account` was asked for after the position's last fill was known, and is trusted only if it shows that fill: its
    base less its debt is `expected_net_base`, by our fills, to within less than a sellable order. An exit that must be
    cut into several orders keeps the clock fence.
    """
    unexplained = account.base.total - account.base.debt - expected_net_base
    least = instrument.smallest_sellable(price)
    # Interest has been owed since the fills.
    if not -(least + account.base.interest) < unexplained < least:
        return Fence.CLOCK
    if len(instrument.split(quantity)) != 1:
        return Fence.CLOCK
    return Fence.SELF if funds_one_only(position.side, quantity, account, instrument, price) else Fence.CLOCK


def in_doubt_alone(position: Position, open_intents: Sequence[Intent]) -> Intent | None:
    """The one open order of an exit, if it is in doubt and another attempt may go out beside it; None otherwise."""
    if not isinstance(position.state, Exiting) or len(open_intents) != 1:
        return None
    (intent,) = open_intents
    order = intent.order
    alone = intent.status == "in_doubt" and order.role is Role.EXIT and order.fence is Fence.SELF
    return intent if alone and order.order_side is exit_order_side(position.side) else None


def quantity_beside(position: Position, in_doubt: Intent, instrument: Instrument) -> Decimal:
    """What the next attempt beside one in doubt trades (base, whole steps): as much, or what the fills leave."""
    assert position.exit is not None, position
    progress = position.exit
    left = progress.orders[0].quantity - progress.quantity
    return instrument.floor(max(min(in_doubt.order.quantity, left), ZERO))


def exceeded_by(position: Position, instrument: Instrument) -> Decimal:
    """The base (whole steps) by which the exits executed more than they were first meant to; zero if they did not."""
    assert position.exit is not None, position
    progress = position.exit
    meant = progress.orders[0].quantity + progress.returned if progress.orders else ZERO
    return instrument.floor(max(progress.quantity - meant, ZERO))
