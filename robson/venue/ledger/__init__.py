"""The isolated-margin account of a Binance-like venue as pure functions: state and request in, `Change` out.

A `Pair` is the whole account of one symbol. Each function takes it with the pair's rules, the moment (milliseconds
since the epoch) and the request, and returns a `Change`: the account afterwards and every record that came of it,
to be stored in one transaction. A refusal is `Rejected` and changes nothing. There is no clock, no randomness and no
disk here: `mark` an account to the present moment and price first, then ask for something.

Money has eight decimal places. All rounding is in the venue's favour: payments, fees and interest go up, proceeds down.
"""

from robson.venue.ledger.lending import accrue, borrow, max_borrowable, repay, transfer
from robson.venue.ledger.liquidation import is_liquidation_due, liquidation_bounds, mark
from robson.venue.ledger.orders import accept, cancel, check_window, execute, place
from robson.venue.ledger.pair import (
    Level,
    Order,
    OrderStatus,
    OrderTicket,
    Pair,
    PairRules,
    SideEffect,
    open_pair,
)
from robson.venue.ledger.records import (
    Change,
    Execution,
    InterestRecord,
    LiquidationRecord,
    LoanKind,
    LoanOrigin,
    LoanRecord,
    TransferRecord,
)

__all__ = [
    "Change",
    "Execution",
    "InterestRecord",
    "Level",
    "LiquidationRecord",
    "LoanKind",
    "LoanOrigin",
    "LoanRecord",
    "Order",
    "OrderStatus",
    "OrderTicket",
    "Pair",
    "PairRules",
    "SideEffect",
    "TransferRecord",
    "accept",
    "accrue",
    "borrow",
    "cancel",
    "check_window",
    "execute",
    "is_liquidation_due",
    "liquidation_bounds",
    "mark",
    "max_borrowable",
    "open_pair",
    "place",
    "repay",
    "transfer",
]
