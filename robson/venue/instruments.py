"""The pairs that are known without asking a venue, for the paper venue and the synthetic feed."""

from decimal import Decimal
from difflib import get_close_matches

from robson.domain.errors import RuleError
from robson.domain.instrument import Instrument
from robson.domain.values import clip

# base, quote, tick size, step size (also the least quantity), least notional in quote, largest market order in base.
# Plausible filters of the real venue; its market maxima change daily, these are round figures of the same size.
_TABLE = """
BTC  USDT 0.01       0.00001 5      100
ETH  USDT 0.01       0.0001  5      2000
SOL  USDT 0.01       0.001   5      20000
BNB  USDT 0.01       0.001   5      2000
XRP  USDT 0.0001     0.1     5      1000000
ADA  USDT 0.0001     0.1     5      2000000
DOGE USDT 0.00001    1       5      9000000
TRX  USDT 0.0001     0.1     5      5000000
AVAX USDT 0.01       0.01    5      60000
LINK USDT 0.01       0.01    5      60000
DOT  USDT 0.001      0.01    5      200000
LTC  USDT 0.01       0.001   5      10000
BCH  USDT 0.1        0.001   5      3000
UNI  USDT 0.001      0.01    5      100000
ATOM USDT 0.001      0.01    5      100000
NEAR USDT 0.001      0.1     5      400000
SUI  USDT 0.0001     0.1     5      1000000
AAVE USDT 0.01       0.001   5      5000
SHIB USDT 0.00000001 1       1      40000000000
PEPE USDT 0.00000001 1       1      90000000000
BTC  USDC 0.01       0.00001 5      50
ETH  USDC 0.01       0.0001  5      1000
SOL  USDC 0.01       0.001   5      10000
BNB  USDC 0.01       0.001   5      1000
XRP  USDC 0.0001     0.1     5      500000
DOGE USDC 0.00001    1       1      5000000
ETH  BTC  0.00001    0.0001  0.0001 500
BNB  BTC  0.000001   0.001   0.0001 1000
SOL  BTC  0.0000001  0.001   0.0001 5000
LTC  BTC  0.000001   0.001   0.0001 3000
"""


def _read(row: str) -> Instrument:
    base, quote, tick, step, notional, largest = row.split()
    return Instrument(
        symbol=base + quote,
        base=base,
        quote=quote,
        tick_size=Decimal(tick),
        step_size=Decimal(step),
        minimum_quantity=Decimal(step),
        minimum_notional=Decimal(notional),
        maximum_quantity=Decimal(largest),
    )


BUILTIN_INSTRUMENTS = {instrument.symbol: instrument for instrument in map(_read, _TABLE.strip().splitlines())}


def builtin_instrument(symbol: str) -> Instrument:
    """The pair with this symbol; RuleError `unknown_symbol` with the nearest names when the table does not have it."""
    instrument = BUILTIN_INSTRUMENTS.get(symbol)
    if instrument is not None:
        return instrument
    near = get_close_matches(symbol.upper(), BUILTIN_INSTRUMENTS, n=3, cutoff=0.6)
    known = ", ".join(list(BUILTIN_INSTRUMENTS)[:5])
    raise RuleError(
        "unknown_symbol",
        f"symbol was {clip(symbol)!r}, which is not one of the {len(BUILTIN_INSTRUMENTS)} pairs known without a venue",
        hint=f"did you mean {' or '.join(near)}?" if near else f"known are {known} and others",
    )
