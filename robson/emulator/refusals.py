"""The exchange's refusals of a request: HTTP status, code and text as Binance words them."""

from collections.abc import Mapping
from functools import partial

from robson.domain.errors import Rejected, RobsonError


class Refused(RobsonError):
    """A request that is answered with an error; `headers` go out with it (Retry-After)."""

    def __init__(self, code: int, text: str, *, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.status = status
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The answer's JSON."""
        return {"code": self.code, "msg": self.text}


class Cut(RobsonError):
    """The connection ends without an answer, as a network that fails ends it."""


def from_ledger(refusal: Rejected) -> Refused:
    """A refusal of the ledger, which uses the exchange's codes already."""
    return Refused(int(refusal.code), refusal.text)


def missing(name: str) -> Refused:
    """A parameter that has to be there is not."""
    return Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> Refused:
    """A parameter holds what it may not hold."""
    return Refused(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def invalid(name: str) -> Refused:
    """A parameter's value is not one of those that exist."""
    return Refused(-1130, f"Data sent for parameter '{name}' is not valid.")


bad_key_format = partial(Refused, -2014, "API-key format invalid.", status=401)
bad_key = partial(Refused, -2015, "Invalid API-key, IP, or permissions for action.", status=401)
bad_signature = partial(Refused, -1022, "Signature for this request is not valid.")
bad_window = partial(Refused, -1131, "recvWindow must be less than 60000.")
invalid_symbol = partial(Refused, -1121, "Invalid symbol.")
no_such_order = partial(Refused, -2013, "Order does not exist.")
no_cross_account = partial(Refused, -3003, "Margin account does not exist.")
not_supported = partial(Refused, -1020, "This operation is not supported.")
bad_order_type = partial(Refused, -1116, "Invalid orderType.")
bad_side = partial(Refused, -1117, "Invalid side.")
bad_time_in_force = partial(Refused, -1115, "Invalid timeInForce.")
bad_interval = partial(Refused, -1120, "Invalid interval.")
bad_token = partial(Refused, -1209, "Invalid listenToken.")
unknown = partial(Refused, -1000, "An unknown error occurred while processing the request.", status=500)
no_answer = partial(
    Refused,
    -1007,
    "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    status=504,
)
