"""What only a check-up asks of the exchange: how an account stands, and what is paid in BNB."""

from decimal import Decimal
from typing import Any

from robson.domain.values import Value
from robson.venue.binance import endpoints
from robson.venue.binance.client import Client
from robson.venue.binance.reading import Fields
from robson.venue.binance.weights import Priority


class Standing(Value):
    """How the isolated account of a pair stands; what the exchange does not say counts as in order."""

    is_created: bool
    is_enabled: bool
    trades: bool
    margin_level: Decimal | None
    level_word: str


class Survey:
    """Reads for people, from the budget of bookkeeping; each raises as `Client.call` does."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def standing(self, symbol: str) -> Standing | None:
        """The pair's isolated account; None when the exchange lists none."""
        return await self._client.call(
            endpoints.ACCOUNT,
            [("symbols", symbol)],
            lambda document: standing(document, symbol),
            priority=Priority.BOOKKEEPING,
        )

    async def burns_bnb(self) -> tuple[bool, bool]:
        """Whether fees and whether interest are paid in BNB."""
        return await self._client.call(endpoints.BNB_BURN, [], burns, priority=Priority.BOOKKEEPING)


def standing(document: Any, symbol: str) -> Standing | None:
    """One pair of isolated/account; None when it is not listed."""
    for pair in Fields(document, "account").rows("assets"):
        if str(pair.get("symbol") or "") == symbol:
            return Standing(
                is_created=pair.flag("isolatedCreated", default=True),
                is_enabled=pair.flag("enabled", default=True),
                trades=pair.flag("tradeEnabled", default=True),
                margin_level=pair.decimal_or_none("marginLevel"),
                level_word=str(pair.get("marginLevelStatus") or ""),
            )
    return None


def burns(document: Any) -> tuple[bool, bool]:
    """The answer of bnbBurn: fees, interest."""
    fields = Fields(document, "bnbBurn")
    return fields.flag("spotBNBBurn", default=False), fields.flag("interestBNBBurn", default=False)
