"""Market streams: /ws and /stream, subscriptions by message, and the frames of each trade and candle."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
import structlog
import trio

from robson.emulator import klines, reports
from robson.emulator.exchange import Exchange
from robson.emulator.market import MarketTrade
from robson.emulator.refusals import Refused
from robson.emulator.router import Request
from robson.emulator.websocket import Socket
from robson.emulator.wire import JsonObject, amount, to_json

STREAMS_PER_CONNECTION = 1024

_SHUTDOWN = "!serverShutdown"
_STREAM = re.compile(r"([a-z0-9]{2,20})@(aggTrade|trade|bookTicker|kline_(\w{2,3}))", re.ASCII)
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_KLINE_SECONDS = 2.0
_log = structlog.get_logger("robson.emulator")


class Session:
    """One connection's subscriptions."""

    def __init__(self, socket: Socket, *, combined: bool) -> None:
        self.socket = socket
        self.combined = combined
        self.names: dict[str, None] = {}

    def say(self, name: str, raw: str) -> None:
        """Send a stream's frame, wrapped where the connection is a combined one."""
        self.socket.say(f'{{"stream":"{name}","data":{raw}}}' if self.combined else raw)


class Streams:
    """Who listens to what. Frames are made once for each trade, for streams that have a listener."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._sessions: dict[str, set[Session]] = {}
        self._open: set[Session] = set()
        self._muted_until = 0.0
        self._held: dict[str, list[tuple[str, str]]] = {}
        exchange.market.listeners.append(self._on_trade)

    # --- connections --------------------------------------------------------------------------------------------------

    def open(self, request: Request, socket: Socket) -> tuple[Session, list[str]]:
        """A session for this path, and the streams that the path names."""
        combined = request.path.startswith("/stream")
        if combined:
            named = dict(parse_qsl(request.query)).get("streams", "").split("/")
        else:
            named = request.path.removeprefix("/ws").strip("/").split("/")
        session = Session(socket, combined=combined)
        self._open.add(session)
        return session, [name for name in named if name]

    def close(self, session: Session) -> None:
        """Forget a session."""
        self._open.discard(session)
        for name in session.names:
            self._leave(session, name)
        session.names.clear()

    async def hear(self, session: Session, text: str) -> None:
        """One message of a client: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY or GET_PROPERTY."""
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            session.socket.say(_error(3, f"Invalid JSON: {error}", None))
            return
        identity = message.get("id") if isinstance(message, dict) else None
        if not isinstance(message, dict) or not _is_identity(identity):
            session.socket.say(_error(2, "Invalid request: id must be an integer, a short string or null", None))
            return
        try:
            result = await self._obey(session, message.get("method"), message.get("params", []))
        except ValueError as error:
            session.socket.say(_error(2, f"Invalid request: {error}", identity))
            return
        session.socket.say(to_json({"result": result, "id": identity}).decode())

    async def subscribe(self, session: Session, names: list[str]) -> None:
        """Add streams; names that do not exist are taken and stay silent, as they do on the exchange."""
        fresh = [name for name in names if name not in session.names]
        if len(session.names) + len(fresh) > STREAMS_PER_CONNECTION:
            await session.socket.close(1008, f"more than {STREAMS_PER_CONNECTION} streams")
            return
        for name in fresh:
            session.names[name] = None
            self._sessions.setdefault(name, set()).add(session)
            found = _STREAM.fullmatch(name)
            if found is None:
                continue
            try:
                await self._exchange.market.subscribe(found[1].upper())
            except Refused:
                _log.info("unknown_stream", stream=name)

    async def _obey(self, session: Session, method: object, params: object) -> object:
        match method:
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                if not isinstance(params, list) or not params or not all(isinstance(name, str) for name in params):
                    raise ValueError("params must be a list of stream names")
                if method == "SUBSCRIBE":
                    await self.subscribe(session, params)
                else:
                    for name in params:
                        session.names.pop(name, None)
                        self._leave(session, name)
                return None
            case "LIST_SUBSCRIPTIONS":
                return list(session.names)
            case "SET_PROPERTY":
                if not isinstance(params, list) or len(params) != 2 or params[0] != "combined":  # noqa: PLR2004
                    raise ValueError("unknown property")
                session.combined = bool(params[1])
                return None
            case "GET_PROPERTY":
                return session.combined
            case _:
                raise ValueError("unknown method")

    def _leave(self, session: Session, name: str) -> None:
        listeners = self._sessions.get(name)
        if listeners is not None:
            listeners.discard(session)
            if not listeners:
                del self._sessions[name]

    # --- frames -------------------------------------------------------------------------------------------------------

    def _on_trade(self, symbol: str, trade: MarketTrade) -> None:
        low = symbol.lower()
        frames: tuple[tuple[str, Callable[[], JsonObject]], ...] = (
            (f"{low}@aggTrade", lambda: aggregate_frame(symbol, trade, self._exchange.now_ms())),
            (f"{low}@trade", lambda: trade_frame(symbol, trade, self._exchange.now_ms())),
            (f"{low}@bookTicker", lambda: self._book_frame(symbol)),
        )
        made = [(name, to_json(make()).decode()) for name, make in frames if name in self._sessions]
        if not made or self._is_muted() or self._exchange.faults.take("gap") is not None:
            return
        self._say_all(symbol, made)

    def _say_all(self, symbol: str, made: list[tuple[str, str]]) -> None:
        held = self._held.pop(symbol, None)
        if held is None and self._exchange.faults.take("reorder") is not None:
            self._held[symbol] = made
            return
        times = 2 if self._exchange.faults.take("duplicate") is not None else 1
        for name, raw in [*made * times, *(held or ())]:
            self._say(name, raw)

    def _say(self, name: str, raw: str) -> None:
        for session in self._sessions.get(name, ()):
            session.say(name, raw)

    def _book_frame(self, symbol: str) -> JsonObject:
        book = self._exchange.market.known(symbol).book()
        return {
            "u": book.update_id,
            "s": symbol,
            "b": amount(book.bid),
            "B": amount(book.bid_quantity),
            "a": amount(book.ask),
            "A": amount(book.ask_quantity),
        }

    async def run_klines(self) -> None:
        """Send the forming candles of the streams that are listened to, and each closed one as it closes."""
        forming: dict[str, klines.Kline] = {}
        while True:
            now_ms = self._exchange.now_ms()
            await trio.sleep(_until_next_second(now_ms))
            now_ms = self._exchange.now_ms()
            names = [(name, found) for name in self._sessions if (found := _STREAM.fullmatch(name)) and found[3]]
            forming = {name: kline for name, kline in forming.items() if name in self._sessions}
            for name, found in names:
                await self._say_kline(name, found[1].upper(), found[3], now_ms, forming)

    async def _say_kline(
        self, name: str, symbol: str, interval: str, now_ms: int, forming: dict[str, klines.Kline]
    ) -> None:
        market = self._exchange.market
        if interval not in klines.INTERVAL_SECONDS or market.price(symbol) is None:
            return
        tape = market.known(symbol)
        before = forming.get(name)
        present = await klines.forming(market, tape, interval, now_ms)
        said = []
        if before is not None and now_ms > before.close_ms:
            ended = await klines.closed(market, tape, interval, now_ms, 1)
            said += [kline for kline in ended if kline.open_ms == before.open_ms] or [before]
        seconds = klines.INTERVAL_SECONDS[interval]
        if present is not None:
            forming[name] = present
            if seconds == 1 or said or (now_ms // 1000) % _KLINE_SECONDS == 0:
                said.append(present)
        if not self._is_muted():
            for kline in said:
                self._say(name, to_json(kline.event(symbol, interval, now_ms)).decode())

    # --- faults -------------------------------------------------------------------------------------------------------

    def mute(self, seconds: float) -> None:
        """No frame for so long."""
        self._muted_until = trio.current_time() + seconds

    def _is_muted(self) -> bool:
        return self._exchange.faults.switch("mute") is not None or trio.current_time() < self._muted_until

    def cut_all(self) -> None:
        """Every market stream ends now."""
        for session in list(self._open):
            session.socket.cut()

    def announce_shutdown(self) -> None:
        """Tell every connection that the server goes down."""
        raw = to_json({"e": "serverShutdown", "E": self._exchange.now_ms()}).decode()
        for session in self._open:
            session.say(_SHUTDOWN, raw)


def aggregate_frame(symbol: str, trade: MarketTrade, now_ms: int) -> JsonObject:
    """A frame of <symbol>@aggTrade."""
    return {"e": "aggTrade", "E": now_ms, "s": symbol, **reports.aggregate(trade)}


def trade_frame(symbol: str, trade: MarketTrade, now_ms: int) -> JsonObject:
    """A frame of <symbol>@trade."""
    return {
        "e": "trade",
        "E": now_ms,
        "s": symbol,
        "t": trade.trade_id,
        "p": amount(trade.price),
        "q": amount(trade.quantity),
        "T": trade.at_ms,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def _until_next_second(now_ms: int) -> float:
    # Just past the full second, so that a candle that ended there is seen as closed.
    return (1000 - now_ms % 1000) / 1000 + 0.005


def _is_identity(identity: object) -> bool:
    if identity is None or (isinstance(identity, int) and not isinstance(identity, bool)):
        return True
    return isinstance(identity, str) and _IDENTITY.fullmatch(identity) is not None


def _error(code: int, text: str, identity: object) -> str:
    return to_json({"code": code, "msg": text, "id": identity}).decode()
