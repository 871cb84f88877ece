"""Listening for a moment: to prices, and to an account's own events."""

from collections.abc import Sequence

import trio

from robson.commands.doctor.judging.streams import Listening
from robson.domain.market import Tick
from robson.feed.binance import codec, user_codec
from robson.feed.binance.wire import SocketLost, open_socket
from robson.venue.binance.listen_token import ListenToken


async def hear_prices(stream_url: str, streams: Sequence[str], patience_seconds: float) -> Listening:
    """Subscribe and wait for one price."""
    began = trio.current_time()
    subscribed = heard = None
    fault = ""
    try:
        with trio.move_on_after(patience_seconds):
            async with open_socket(f"{stream_url.rstrip('/')}/stream") as socket:
                await socket.send(codec.request("SUBSCRIBE", streams, 1))
                while not fault and (heard is None or subscribed is None):
                    for message in await socket.receive():
                        match codec.decode(message):
                            case codec.Acknowledged():
                                subscribed = trio.current_time() - began
                            case codec.RequestRefused() as refusal:
                                fault = f"it refused with {refusal.code}: {refusal.message}"
                            case Tick() | codec.BookTop():
                                heard = heard or trio.current_time() - began
                            case _:
                                pass
    except (SocketLost, codec.MalformedFrame) as error:
        fault = str(error)
    return Listening(address=stream_url, fault=fault, subscribed_after=subscribed, heard_after=heard)


async def hear_account(ws_api_url: str, token: ListenToken, patience_seconds: float) -> Listening:
    """Subscribe to an account's events by a listenToken."""
    began = trio.current_time()
    subscribed, fault = None, ""
    try:
        with trio.move_on_after(patience_seconds):
            async with open_socket(ws_api_url) as socket:
                await socket.send(user_codec.subscribe(token.token, "1"))
                while not fault and subscribed is None:
                    for message in await socket.receive():
                        match user_codec.decode(message):
                            case user_codec.Subscribed():
                                subscribed = trio.current_time() - began
                            case codec.RequestRefused() as refusal:
                                fault = f"it refused with {refusal.code}"
                            case _:
                                pass
    except (SocketLost, codec.MalformedFrame) as error:
        fault = str(error)
    return Listening(address=ws_api_url, fault=fault, subscribed_after=subscribed)
