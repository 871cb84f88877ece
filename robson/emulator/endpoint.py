"""One row of the endpoint table, and what its function is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from robson.emulator.exchange import Exchange
from robson.emulator.faults import Plan
from robson.emulator.gate import Security, Window
from robson.emulator.limits import Scope
from robson.emulator.parameters import Parameters


@dataclass(frozen=True)
class Call:
    """One request that was let in."""

    exchange: Exchange
    parameters: Parameters
    plan: Plan = field(default_factory=dict)
    window: Window | None = None


Answering = Callable[[Call], Awaitable[object]]
Weight = Callable[[Parameters], int]


@dataclass(frozen=True)
class Endpoint:
    """Method and path, who may ask, what it costs from which budget, and the function that answers with JSON."""

    method: str
    path: str
    answer: Answering
    security: Security
    scope: Scope
    weight: Weight

    @property
    def name(self) -> str:
        """Method and path as one text."""
        return f"{self.method} {self.path}"


def public(path: str, weight: int | Weight, answer: Answering) -> Endpoint:
    """A market data endpoint of /api that needs no key."""
    weigh = weight if callable(weight) else lambda _: weight
    return Endpoint("GET", path, answer, Security.NONE, Scope.API, weigh)


def signed(
    method: str, path: str, answer: Answering, *, ip: int | Weight = 0, uid: int | Weight = 0, key_only: bool = False
) -> Endpoint:
    """An endpoint of /sapi; its weight counts for the address (`ip`) or for the account (`uid`)."""
    weight = uid or ip
    return Endpoint(
        method,
        path,
        answer,
        Security.KEY if key_only else Security.SIGNED,
        Scope.SAPI_UID if uid else Scope.SAPI_IP,
        weight if callable(weight) else lambda _: weight,
    )
