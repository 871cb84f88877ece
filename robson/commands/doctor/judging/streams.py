"""Whether prices and order events come in."""

from robson.commands.doctor.check import Check, doubtful, fine, wrong
from robson.domain.values import Value


class Listening(Value):
    """What became of one attempt to listen; seconds from the attempt's begin, None for what did not happen."""

    address: str
    fault: str = ""
    subscribed_after: float | None = None
    heard_after: float | None = None


def judge_market(stream: Listening, streams: str, patience_seconds: float) -> Check:
    """Without prices no stop is seen."""
    name = "market_stream"
    if stream.fault or stream.subscribed_after is None:
        why = stream.fault or f"no answer within {patience_seconds:g} s"
        return wrong(name, f"{stream.address} gave no stream: {why}", "binance.stream_url, the network, a firewall")
    if stream.heard_after is None:
        detail = f"{stream.address} took the subscription to {streams}, and sent no price within {patience_seconds:g} s"
        return doubtful(name, detail, "a quiet pair, or a mute stream: try again")
    return fine(name, f"{stream.address} sent a price of {streams} after {stream.heard_after * 1000:.0f} ms")


def judge_user(stream: Listening, symbol: str, patience_seconds: float) -> Check:
    """It only hurries what REST says anyway, so it never fails the whole."""
    name = "user_stream"
    if stream.subscribed_after is not None:
        took = stream.subscribed_after * 1000
        return fine(name, f"{stream.address} subscribed to the account of {symbol} after {took:.0f} ms")
    why = stream.fault or f"no answer within {patience_seconds:g} s"
    hint = "Robson works without it, a little later: it asks by REST"
    return doubtful(name, f"{stream.address} gave no events of {symbol}: {why}", hint)
