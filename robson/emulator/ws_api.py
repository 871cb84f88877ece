"""The WebSocket API: time, and the events of isolated accounts that listenTokens open."""

from collections.abc import Mapping

import msgspec
import structlog
import trio

from robson.emulator.exchange import Exchange, Token
from robson.emulator.gate import read_window
from robson.emulator.parameters import Parameters
from robson.emulator.refusals import (
    Refused,
    bad_key,
    bad_signature,
    bad_token,
    missing,
    not_supported,
)
from robson.emulator.websocket import Socket
from robson.emulator.wire import JsonObject, to_json

SUBSCRIPTIONS_PER_SESSION = 1000

_LONGEST_IDENTITY = 64
_log = structlog.get_logger("robson.emulator")


class ApiSession:
    """One connection to the WebSocket API with its subscriptions; `symbol` None stands for the spot account."""

    def __init__(self, exchange: Exchange, socket: Socket) -> None:
        self._exchange = exchange
        self._socket = socket
        self._subscriptions: dict[int, Token | None] = {}
        self._next = 0
        self._changed = trio.Event()
        self._weight = 2

    async def run(self) -> None:
        """End subscriptions as their tokens expire, until cancelled; events flow meanwhile."""
        exchange = self._exchange
        exchange.user_listeners.append(self._on_events)
        exchange.tokens_ended.append(self._on_tokens_ended)
        try:
            while True:
                self._changed = trio.Event()
                now_ms = exchange.now_ms()
                for number, token in list(self._subscriptions.items()):
                    if token is not None and token.expires_ms <= now_ms:
                        self._terminate(number)
                ends = [token.expires_ms for token in self._subscriptions.values() if token is not None]
                wait = (min(ends) - now_ms) / 1000 if ends else float("inf")
                with trio.move_on_after(wait):
                    await self._changed.wait()
        finally:
            exchange.user_listeners.remove(self._on_events)
            exchange.tokens_ended.remove(self._on_tokens_ended)

    async def hear(self, text: str) -> None:
        """One request."""
        await trio.lowlevel.checkpoint()
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            self._refuse(None, Refused(-1135, "Invalid JSON Request"))
            return
        if not isinstance(message, dict):
            self._refuse(None, Refused(-1135, "Invalid JSON Request"))
            return
        identity, params = message.get("id"), message.get("params") or {}
        if not isinstance(params, dict) or not (identity is None or isinstance(identity, (str, int))):
            self._refuse(None, Refused(-1135, "Invalid JSON Request"))
            return
        if isinstance(identity, str) and len(identity) > _LONGEST_IDENTITY:
            self._refuse(None, Refused(-1135, "Invalid JSON Request"))
            return
        try:
            result = self._obey(str(message.get("method")), params)
        except Refused as error:
            self._refuse(identity, error)
            return
        self._answer({"id": identity, "status": 200, "result": result, "rateLimits": self._limits()})

    def _obey(self, method: str, params: Mapping[str, object]) -> object:
        match method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": self._exchange.now_ms()}
            case "session.status":
                return {"apiKey": None, "authorizedSince": None, "connectedSince": None, "returnRateLimits": True,
                        "serverTime": self._exchange.now_ms(), "userDataStream": bool(self._subscriptions)}  # fmt: skip
            case "session.subscriptions":
                return [{"subscriptionId": number} for number in self._subscriptions]
            case "userDataStream.subscribe.listenToken":
                return self._subscribe_token(params)
            case "userDataStream.subscribe.signature":
                self._check_signature(params)
                return {"subscriptionId": self._add(None)}
            case "userDataStream.unsubscribe":
                return self._unsubscribe(params)
            case _:
                raise not_supported()

    def _subscribe_token(self, params: Mapping[str, object]) -> JsonObject:
        name = params.get("listenToken")
        if not isinstance(name, str) or not name:
            raise missing("listenToken")
        token = self._exchange.token(name)
        if token is None:
            raise bad_token()
        same = next((n for n, old in self._subscriptions.items() if old and old.symbol == token.symbol), None)
        if same is None:
            number = self._add(token)
        else:
            # A newer token extends what an older one has opened.
            number, self._subscriptions[same] = same, token
            self._changed.set()
        return {"subscriptionId": number, "expirationTime": token.expires_ms * 1000}

    def _add(self, token: Token | None) -> int:
        if len(self._subscriptions) >= SUBSCRIPTIONS_PER_SESSION:
            raise Refused(-1034, f"Too many subscriptions; at most {SUBSCRIPTIONS_PER_SESSION} are allowed.")
        number, self._next = self._next, self._next + 1
        self._subscriptions[number] = token
        self._changed.set()
        return number

    def _unsubscribe(self, params: Mapping[str, object]) -> JsonObject:
        number = params.get("subscriptionId")
        if number is None:
            self._subscriptions.clear()
        elif not isinstance(number, int) or number not in self._subscriptions:
            raise Refused(-2035, "The user data stream subscription does not exist.")
        else:
            del self._subscriptions[number]
        self._changed.set()
        return {}

    def _check_signature(self, params: Mapping[str, object]) -> None:
        """The payload of this API: parameters sorted by name, not percent-encoded."""
        if params.get("apiKey") is None or not self._exchange.keys.knows(str(params["apiKey"])):
            raise bad_key()
        signature = params.get("signature")
        if not isinstance(signature, str):
            raise missing("signature")
        texts = {name: _text(value) for name, value in params.items() if name != "signature"}
        if not self._exchange.keys.verifier.accepts(signed_payload(texts), signature):
            raise bad_signature()
        read_window(Parameters(texts)).check(self._exchange.now_ms())

    def _on_events(self, symbol: str, events: list[JsonObject]) -> None:
        if self._exchange.faults.switch("user_mute") is not None:
            return
        for number, token in self._subscriptions.items():
            if token is not None and token.symbol == symbol:
                for event in events:
                    self._answer({"subscriptionId": number, "event": event})

    def _on_tokens_ended(self) -> None:
        for number, token in list(self._subscriptions.items()):
            if token is not None:
                self._terminate(number)

    def _terminate(self, number: int) -> None:
        del self._subscriptions[number]
        event = {"e": "eventStreamTerminated", "E": self._exchange.now_ms()}
        self._answer({"subscriptionId": number, "event": event})

    def announce_shutdown(self) -> None:
        """Tell this connection that the server goes down."""
        self._answer({"event": {"e": "serverShutdown", "E": self._exchange.now_ms()}})

    def _refuse(self, identity: object, error: Refused) -> None:
        self._answer({"id": identity, "status": error.status, "error": error.body(), "rateLimits": self._limits()})

    def _limits(self) -> list[JsonObject]:
        self._weight += 2
        return [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000,
             "count": self._weight}
        ]  # fmt: skip

    def _answer(self, message: JsonObject) -> None:
        self._socket.say(to_json(message).decode())


def signed_payload(texts: Mapping[str, str]) -> bytes:
    """What is signed on the WebSocket API."""
    return "&".join(f"{name}={texts[name]}" for name in sorted(texts)).encode()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
