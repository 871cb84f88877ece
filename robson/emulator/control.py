"""The control endpoint, off by default: arm faults, move the price, while the emulator runs."""

from decimal import Decimal, InvalidOperation

import msgspec

from robson.domain.market import Tick
from robson.emulator.exchange import Exchange
from robson.emulator.faults import STREAM_FAULTS, Chance, Fault
from robson.emulator.refusals import Refused
from robson.emulator.router import Request
from robson.emulator.wire import Reply

PREFIX = "/control/"


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One trade to be made up at this price (quote per base)."""

    symbol: str
    price: str


class StreamActions:
    """What the faults of streams do at once."""

    def now(self, fault: Fault) -> bool:
        """Do it; False for a fault that waits for frames."""
        raise NotImplementedError

    def chance_changed(self) -> None:
        """Random faults of streams were switched on, off or over."""
        raise NotImplementedError


class Control:
    """What stands under /control/."""

    def __init__(self, exchange: Exchange, act: StreamActions) -> None:
        self._exchange = exchange
        self._act = act

    async def answer(self, request: Request) -> Reply:
        """Obey one control request; anything that a web page could have sent is refused."""
        if "origin" in request.headers:
            return Reply(status=403, value={"code": -1002, "msg": "Control requests of web pages are refused."})
        try:
            return Reply(value=await self._obey(request))
        except (msgspec.DecodeError, msgspec.ValidationError, InvalidOperation, ValueError) as error:
            return Reply(status=400, value={"code": -1130, "msg": str(error)})
        except Refused as error:
            return Reply(status=error.status, value=error.body())

    async def _obey(self, request: Request) -> object:
        faults = self._exchange.faults
        match (request.method, request.path.removeprefix(PREFIX)):
            case ("GET", "faults"):
                pass
            case ("POST", "faults"):
                fault = msgspec.json.decode(request.body, type=Fault)
                if fault.fault in STREAM_FAULTS and self._act.now(fault):
                    faults.fired[fault.fault] += 1
                else:
                    faults.arm(fault)
            case ("GET", "tokens"):
                return self._exchange.tokens()
            case ("DELETE", "faults"):
                name = request.query.removeprefix("fault=")
                faults.clear(name or None)
                if not name:
                    self._act.chance_changed()
            case ("POST", "random"):
                faults.randomise(msgspec.json.decode(request.body, type=Chance))
                self._act.chance_changed()
            case ("DELETE", "random"):
                faults.randomise(None)
                self._act.chance_changed()
            case ("POST", "price"):
                await self._trade(msgspec.json.decode(request.body, type=Price))
            case _:
                raise Refused(-1000, f"{request.method} {request.path} does not exist.", status=404)
        return faults.describe()

    async def _trade(self, wanted: Price) -> None:
        price = Decimal(wanted.price)
        tape = await self._exchange.market.open(wanted.symbol)
        tick = tape.instrument.tick_size
        if not price.is_finite() or price <= 0 or price % tick != 0:
            raise Refused(-1013, "Filter failure: PRICE_FILTER")
        self._exchange.market.observe(
            Tick(
                symbol=wanted.symbol,
                price=price,
                quantity=tape.instrument.step_size,
                trade_id=None,
                at=self._exchange.clock.now(),
            )
        )
