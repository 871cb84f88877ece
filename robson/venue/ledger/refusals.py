"""The venue's refusals, code and text as Binance words them; raised as `Rejected(*REFUSAL)`."""

from robson.domain.errors import Rejected

Refusal = tuple[str, str]

OUTSIDE_WINDOW: Refusal = ("-1021", "Timestamp for this request is outside of the recvWindow.")
AHEAD_OF_SERVER: Refusal = ("-1021", "Timestamp for this request was 1000ms ahead of the server's time.")
ILLEGAL_CLIENT_ORDER_ID: Refusal = (
    "-1100",
    "Illegal characters found in parameter 'newClientOrderId'; legal range is '^[a-zA-Z0-9-_]{1,36}$'.",
)
ILLEGAL_AMOUNT: Refusal = (
    "-1100",
    "Illegal characters found in parameter 'amount'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
)
TOO_PRECISE: Refusal = ("-1111", "Precision is over the maximum defined for this asset.")
INVALID_SYMBOL: Refusal = ("-1121", "Invalid symbol.")
INSUFFICIENT_BALANCE: Refusal = ("-2010", "Account has insufficient balance for requested action.")
MARKET_CLOSED: Refusal = ("-2010", "Market is closed.")
DUPLICATE_ORDER: Refusal = ("-2010", "Duplicate order sent.")
UNKNOWN_ORDER: Refusal = ("-2011", "Unknown order sent.")
ABOVE_MAXIMUM_BORROW: Refusal = ("-3006", "Your borrow amount has exceed maximum borrow amount.")
BELOW_MINIMUM_BORROW: Refusal = ("-3013", "Borrow amount less than minimum borrow amount.")
REPAY_ABOVE_DEBT: Refusal = ("-3015", "Repay amount exceeds borrow amount.")
REPAY_LEAVES_CRUMB: Refusal = ("-3015", "The unpaid debt is too small after this repayment.")
BELOW_MINIMUM_REPAY: Refusal = ("-3016", "Repay amount less than minimum repay amount.")
ABOVE_MAXIMUM_TRANSFER: Refusal = ("-3020", "Transfer out amount exceeds max amount.")
NOT_A_MARGIN_ASSET: Refusal = ("-3027", "Not a valid margin asset.")
BALANCE_NOT_ENOUGH: Refusal = ("-3041", "Balance is not enough")
NO_PRICE_INDEX: Refusal = ("-3042", "PriceIndex not available for this margin pair.")
ABOVE_BORROWABLE: Refusal = ("-11008", "Exceeding the account's maximum borrowable limit.")


def filter_failure(name: str) -> Rejected:
    """The refusal of an order that one of the pair's filters does not let through."""
    return Rejected("-1013", f"Filter failure: {name}")
