"""The endpoints that Robson uses, with what a call of each weighs and against which limit."""

from enum import Enum

from robson.domain.values import Value


class Limit(Enum):
    """Whose budget a call is taken from, with its weight a minute."""

    API = "api"
    """All of /api together, by IP address."""
    IP = "ip"
    """Each endpoint of /sapi alone, by IP address."""
    UID = "uid"
    """Each endpoint of /sapi alone, by account."""

    @property
    def per_minute(self) -> int:
        """The weight that the venue allows in a minute."""
        return {Limit.API: 6_000, Limit.IP: 12_000, Limit.UID: 180_000}[self]

    @property
    def header(self) -> str:
        """The header of an answer that says how much of it is used."""
        return {
            Limit.API: "x-mbx-used-weight-1m",
            Limit.IP: "x-sapi-used-ip-weight-1m",
            Limit.UID: "x-sapi-used-uid-weight-1m",
        }[self]


class Security(Enum):
    """What a request must carry."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


class Endpoint(Value):
    """One endpoint; `weight` is an ordinary call's, `is_secret` says that nobody may read its answer."""

    method: str
    path: str
    limit: Limit
    weight: int
    security: Security = Security.SIGNED
    is_secret: bool = False

    @property
    def is_write(self) -> bool:
        """Whether a call of it changes something at the exchange: it is sent once, as a form."""
        return self.method != "GET"

    @property
    def bucket(self) -> str:
        """The budget that calls of it share; the methods of one path are counted apart."""
        return "/api" if self.limit is Limit.API else f"{self.method} {self.path}"


# An order that borrows weighs this much instead (since 2026-05-07).
BORROWING_ORDER_WEIGHT = 1_500

SERVER_TIME = Endpoint(method="GET", path="/api/v3/time", limit=Limit.API, weight=1, security=Security.NONE)
EXCHANGE_RULES = Endpoint(method="GET", path="/api/v3/exchangeInfo", limit=Limit.API, weight=20, security=Security.NONE)
LAST_PRICE = Endpoint(method="GET", path="/api/v3/ticker/price", limit=Limit.API, weight=2, security=Security.NONE)
LAST_PRICES = Endpoint(method="GET", path="/api/v3/ticker/price", limit=Limit.API, weight=4, security=Security.NONE)
BOOK_TOPS = Endpoint(method="GET", path="/api/v3/ticker/bookTicker", limit=Limit.API, weight=4, security=Security.NONE)
ORDER_BOOK = Endpoint(method="GET", path="/api/v3/depth", limit=Limit.API, weight=5, security=Security.NONE)
PAST_TRADES = Endpoint(method="GET", path="/api/v3/aggTrades", limit=Limit.API, weight=4, security=Security.NONE)
CANDLES = Endpoint(method="GET", path="/api/v3/klines", limit=Limit.API, weight=2, security=Security.NONE)
COMMISSION = Endpoint(method="GET", path="/api/v3/account/commission", limit=Limit.API, weight=20)

PLACE_ORDER = Endpoint(method="POST", path="/sapi/v1/margin/order", limit=Limit.UID, weight=6)
ORDER = Endpoint(method="GET", path="/sapi/v1/margin/order", limit=Limit.IP, weight=10)
OPEN_ORDERS = Endpoint(method="GET", path="/sapi/v1/margin/openOrders", limit=Limit.IP, weight=10)
ALL_ORDERS = Endpoint(method="GET", path="/sapi/v1/margin/allOrders", limit=Limit.IP, weight=200)
TRADES = Endpoint(method="GET", path="/sapi/v1/margin/myTrades", limit=Limit.IP, weight=10)
ACCOUNT = Endpoint(method="GET", path="/sapi/v1/margin/isolated/account", limit=Limit.IP, weight=10)
REPAY = Endpoint(method="POST", path="/sapi/v1/margin/borrow-repay", limit=Limit.UID, weight=1_500)
LOAN_RECORDS = Endpoint(method="GET", path="/sapi/v1/margin/borrow-repay", limit=Limit.IP, weight=10)
INTEREST = Endpoint(method="GET", path="/sapi/v1/margin/interestHistory", limit=Limit.IP, weight=1)
LIQUIDATIONS = Endpoint(method="GET", path="/sapi/v1/margin/forceLiquidationRec", limit=Limit.IP, weight=1)
TIERS = Endpoint(method="GET", path="/sapi/v1/margin/isolatedMarginTier", limit=Limit.IP, weight=1)
RATES = Endpoint(method="GET", path="/sapi/v1/margin/isolatedMarginData", limit=Limit.IP, weight=1)
# Its change log and its client disagree (750 by account, 50 by address): the dearer one is counted.
MAX_BORROWABLE = Endpoint(method="GET", path="/sapi/v1/margin/maxBorrowable", limit=Limit.UID, weight=750)
PAIRS = Endpoint(
    method="GET", path="/sapi/v1/margin/isolated/allPairs", limit=Limit.IP, weight=10, security=Security.KEY
)
INDEX_PRICE = Endpoint(
    method="GET", path="/sapi/v1/margin/priceIndex", limit=Limit.IP, weight=10, security=Security.KEY
)
KEY_PERMISSIONS = Endpoint(method="GET", path="/sapi/v1/account/apiRestrictions", limit=Limit.IP, weight=1)
BNB_BURN = Endpoint(method="GET", path="/sapi/v1/bnbBurn", limit=Limit.IP, weight=1)
# Its answer is a secret: whoever has the token hears the account's events.
LISTEN_TOKEN = Endpoint(method="POST", path="/sapi/v1/userListenToken", limit=Limit.UID, weight=1, is_secret=True)
