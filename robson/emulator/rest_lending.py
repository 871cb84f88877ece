"""Loans, interest, tiers, collateral and the user stream's token under /sapi/v1."""

from enum import StrEnum

from robson.domain.errors import Rejected
from robson.domain.values import ZERO, cut_to_unit
from robson.emulator.endpoint import Call, Endpoint, signed
from robson.emulator.exchange import TOKEN_HOURS
from robson.emulator.gate import Security
from robson.emulator.limits import Scope
from robson.emulator.refusals import Refused, from_ledger, invalid
from robson.emulator.rest_margin import page
from robson.emulator.rest_terms import known_symbol
from robson.emulator.wire import JsonObject, amount, short
from robson.venue.answers import known_instrument
from robson.venue.ledger import Change, LoanKind, LoanOrigin, Pair, PairRules, borrow, max_borrowable, repay, transfer
from robson.venue.ledger.lending import TRANSFER_OUT_RATIO

_HOURS_A_DAY = 24
_MS_PER_HOUR = 3_600_000
_IN, _OUT = "MARGIN_ISOLATEDMARGIN", "ISOLATEDMARGIN_MARGIN"
_ELSEWHERE = {"MAIN_MARGIN", "MARGIN_MAIN"}


class Way(StrEnum):
    """Which way a loan is moved by hand."""

    BORROW = "BORROW"
    REPAY = "REPAY"


async def borrow_repay(call: Call) -> object:
    """Borrow or repay by hand."""
    parameters = call.parameters
    parameters.isolated()
    way = parameters.choice("type", Way, lambda: invalid("type"))
    symbol, asset, wanted = parameters.symbol(), parameters.text("asset"), parameters.decimal("amount")
    await call.exchange.market.open(symbol)
    if call.window is not None:
        call.window.check(call.exchange.now_ms())
    if "refuse" in call.plan:
        raise Refused(call.plan["refuse"].code, call.plan["refuse"].text)

    def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
        move = borrow if way is Way.BORROW else repay
        return move(pair, rules, asset, wanted, now_ms)

    try:
        change = call.exchange.change(symbol, step)
    except Rejected as error:
        raise from_ledger(error) from error
    return {"tranId": change.loans[-1].transaction_id}


async def loans(call: Call) -> object:
    """Loans or repayments, newest first."""
    parameters = call.parameters
    kind = LoanKind(parameters.choice("type", Way, lambda: invalid("type")).value)
    symbol = parameters.symbol("isolatedSymbol")
    await call.exchange.market.open(symbol)
    asset, number = parameters.text("asset", ""), parameters.maybe_integer("txId")
    rows: list[JsonObject] = []
    for record in call.exchange.file.loans(symbol, since_ms=parameters.integer("startTime", 0)):
        if record.kind is not kind or (asset and record.asset != asset):
            continue
        if number is not None and record.transaction_id != number:
            continue
        rows.append(
            {
                "type": "MANUAL" if record.origin is LoanOrigin.MANUAL else "AUTO",
                "isolatedSymbol": symbol,
                "amount": amount(record.principal + record.interest),
                "asset": record.asset,
                "interest": amount(record.interest),
                "principal": amount(record.principal),
                "status": "CONFIRMED",
                "timestamp": record.at_ms,
                "txId": record.transaction_id,
            }
        )
    rows.reverse()
    return page(rows, parameters)


async def interest_history(call: Call) -> object:
    """Interest that was charged, newest first."""
    parameters = call.parameters
    symbol = parameters.symbol("isolatedSymbol")
    await call.exchange.market.open(symbol)
    call.exchange.read(symbol)
    asset = parameters.text("asset", "")
    end = parameters.integer("endTime", call.exchange.now_ms())
    rows: list[JsonObject] = [
        {
            "txId": number,
            "interestAccuredTime": record.at_ms,
            "asset": record.asset,
            "rawAsset": record.asset,
            "principal": amount(record.principal),
            "interest": amount(record.interest),
            "interestRate": amount(record.hourly_rate),
            "type": "ON_BORROW" if record.on_borrow else "PERIODIC",
            "isolatedSymbol": symbol,
        }
        for number, record in enumerate(
            call.exchange.file.interest(symbol, since_ms=parameters.integer("startTime", 0)), start=1
        )
        if record.at_ms <= end and asset in {"", record.asset}
    ]
    rows.reverse()
    return page(rows, parameters)


async def most_borrowable(call: Call) -> object:
    """What may still be borrowed of an asset."""
    pair, rules, asset = await _account(call)
    try:
        most = max_borrowable(pair, rules, asset)
        limit = rules.borrow_limit(asset)
        pair.leg(asset)
    except Rejected as error:
        raise from_ledger(error) from error
    return {"amount": short(most), "borrowLimit": short(limit if limit is not None else most)}


async def most_transferable(call: Call) -> object:
    """What may leave of an asset: without a debt all that is free, otherwise what keeps twice the debts."""
    pair, _, asset = await _account(call)
    try:
        leg = pair.leg(asset)
    except Rejected as error:
        raise from_ledger(error) from error
    price, most = pair.priced(), leg.free
    debts = pair.account.debt_value(price)
    if debts > 0:
        spare = pair.account.equity(price) + debts - TRANSFER_OUT_RATIO * debts
        most = max(ZERO, min(most, spare / (price if asset == pair.base_asset else 1)))
    return {"amount": amount(cut_to_unit(most))}


async def move_collateral(call: Call) -> object:
    """Bring collateral into an isolated account or take it out; what lies elsewhere has no bottom and no ceiling."""
    parameters = call.parameters
    kind, asset, wanted = parameters.text("type"), parameters.text("asset"), parameters.decimal("amount")
    if kind in _ELSEWHERE:
        return {"tranId": call.exchange.now_ms()}
    if kind not in {_IN, _OUT}:
        raise invalid("type")
    symbol = parameters.symbol("toSymbol" if kind == _IN else "fromSymbol")
    await call.exchange.market.open(symbol)

    def step(pair: Pair, rules: PairRules, now_ms: int) -> Change:
        return transfer(pair, asset, wanted if kind == _IN else -wanted, now_ms)

    try:
        change = call.exchange.change(symbol, step)
    except Rejected as error:
        raise from_ledger(error) from error
    return {"tranId": change.transfers[-1].transaction_id}


async def listen_token(call: Call) -> object:
    """A token that opens the events of one isolated account, for at most a day."""
    call.parameters.isolated()
    symbol = known_symbol(call)
    validity = call.parameters.integer("validity", TOKEN_HOURS * _MS_PER_HOUR)
    if not 0 < validity <= TOKEN_HOURS * _MS_PER_HOUR:
        raise invalid("validity")
    name, token = call.exchange.issue_token(symbol, validity)
    return {"token": name, "expirationTime": token.expires_ms}


async def _account(call: Call) -> tuple[Pair, PairRules, str]:
    symbol = call.parameters.symbol("isolatedSymbol")
    await call.exchange.market.open(symbol)
    pair = call.exchange.read(symbol)
    return pair, call.exchange.rules(known_instrument(symbol)), call.parameters.text("asset")


_MARGIN = "/sapi/v1/margin"
ENDPOINTS: tuple[Endpoint, ...] = (
    signed("POST", f"{_MARGIN}/borrow-repay", borrow_repay, uid=1500),
    signed("GET", f"{_MARGIN}/borrow-repay", loans, ip=10),
    signed("GET", f"{_MARGIN}/interestHistory", interest_history, ip=1),
    signed("GET", f"{_MARGIN}/maxBorrowable", most_borrowable, uid=750),
    signed("GET", f"{_MARGIN}/maxTransferable", most_transferable, ip=50),
    signed("POST", "/sapi/v1/asset/transfer", move_collateral, uid=900),
    Endpoint("POST", "/sapi/v1/userListenToken", listen_token, Security.KEY_OR_SIGNED, Scope.SAPI_UID, lambda _: 1),
)
