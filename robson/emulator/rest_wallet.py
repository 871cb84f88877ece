"""What clients and `robson doctor` ask of the wallet under /sapi/v1, and the account's fees."""

from robson.domain.values import ZERO
from robson.emulator.endpoint import Call, Endpoint, signed
from robson.emulator.gate import Security
from robson.emulator.limits import Scope
from robson.emulator.rest_terms import known_symbol
from robson.emulator.wire import JsonObject, amount, short
from robson.venue.answers import known_instrument


async def key_permissions(call: Call) -> object:
    """What the key may do: margin, and no withdrawals unless a switch says so."""
    withdraws = call.exchange.faults.switch("withdrawals") is not None
    return {
        "ipRestrict": not withdraws,
        "createTime": 1_700_000_000_000,
        "enableReading": True,
        "enableWithdrawals": withdraws,
        "enableInternalTransfer": False,
        "enableMargin": True,
        "enableFutures": False,
        "permitsUniversalTransfer": True,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": True,
        "enablePortfolioMarginTrading": False,
    }


async def system_status(call: Call) -> object:
    """Whether the exchange is under maintenance: it never is."""
    return {"status": 0, "msg": "normal"}


async def coins(call: Call) -> object:
    """Every coin, none of which can be deposited or withdrawn here."""
    instruments = [known_instrument(symbol) for symbol in call.exchange.market.symbols]
    assets = sorted({asset for instrument in instruments for asset in (instrument.base, instrument.quote)})
    return [_coin(asset) for asset in assets]


def _coin(asset: str) -> JsonObject:
    nothing = amount(ZERO)
    return {
        "coin": asset,
        "depositAllEnable": False,
        "free": nothing,
        "freeze": nothing,
        "ipoable": nothing,
        "ipoing": nothing,
        "isLegalMoney": False,
        "locked": nothing,
        "name": asset,
        "networkList": [],
        "storage": nothing,
        "trading": True,
        "withdrawAllEnable": False,
        "withdrawing": nothing,
    }


async def bnb_burn(call: Call) -> object:
    """Whether fees and interest are paid in BNB."""
    return {"spotBNBBurn": call.exchange.settings.fee_asset == "BNB", "interestBNBBurn": False}


async def commission(call: Call) -> object:
    """The pair's fees, all of them in the standard one."""
    rate, none = short(call.exchange.settings.fee_rate), short(ZERO)
    nothing = {"maker": none, "taker": none, "buyer": none, "seller": none}
    return {
        "symbol": known_symbol(call),
        "standardCommission": {**nothing, "maker": rate, "taker": rate},
        "specialCommission": nothing,
        "taxCommission": nothing,
        "discount": {
            "enabledForAccount": False,
            "enabledForSymbol": False,
            "discountAsset": "BNB",
            "discount": "0.75000000",
        },
    }


ENDPOINTS: tuple[Endpoint, ...] = (
    signed("GET", "/sapi/v1/account/apiRestrictions", key_permissions, ip=1),
    Endpoint("GET", "/sapi/v1/system/status", system_status, Security.NONE, Scope.SAPI_IP, lambda _: 1),
    signed("GET", "/sapi/v1/capital/config/getall", coins, ip=10),
    signed("GET", "/sapi/v1/bnbBurn", bnb_burn, ip=1),
    Endpoint("GET", "/api/v3/account/commission", commission, Security.SIGNED, Scope.API, lambda _: 20),
)
