"""Where each watch of a symbol stands to the stream: live, ahead of it, or behind with prices to make up for."""

from collections.abc import Iterable

from robson.domain.market import Tick
from robson.engine.missed import Seen
from robson.feed.attachment import Attachment
from robson.feed.quote import Quote


def leave(quote: Quote, attachment: Attachment) -> None:
    """Stand nowhere any more."""
    quote.attachments = tuple(one for one in quote.attachments if one is not attachment)
    quote.ahead = tuple(one for one in quote.ahead if one is not attachment)
    quote.behind = tuple(one for one in quote.behind if one is not attachment)


def go_on(quote: Quote, attachment: Attachment) -> None:
    """Go on with the stream, or wait for it where the watch has seen more: a tape may have begun again."""
    leave(quote, attachment)
    seen, last = attachment.seen, quote.last
    if seen is None or (last is not None and (seen.is_of(last) or not seen.covers(last))):
        attachment.place = "live"
        quote.attachments = (*quote.attachments, attachment)
    else:
        attachment.place = "ahead"
        quote.ahead = (*quote.ahead, attachment)


def stay_behind(quote: Quote, attachment: Attachment) -> None:
    """Wait for the prices that were missed; ticks may hit the stop and never move it."""
    leave(quote, attachment)
    attachment.place = "behind"
    quote.behind = (*quote.behind, attachment)


def fall_behind(quote: Quote, tick: Tick) -> list[Attachment]:
    """After an interruption or a silence: those who have missed trades before this tick must not follow it yet."""
    quote.break_off()
    behind = []
    for attachment in (*quote.attachments, *quote.ahead):
        seen = last_seen(quote, attachment)
        # A source without ids cannot tell that nothing is missing: after an interruption something may be.
        if seen is not None and not seen.joins(tick):
            attachment.seen = seen
            stay_behind(quote, attachment)
            behind.append(attachment)
    return behind


def join(quote: Quote, tick: Tick) -> None:
    """Let those who had seen more than the stream go on with it, once it has passed them."""
    ready = tuple(one for one in quote.ahead if not one.has_seen(tick))
    for attachment in ready:
        attachment.place = "live"
    if ready:
        quote.attachments = (*quote.attachments, *ready)
        quote.ahead = tuple(one for one in quote.ahead if one not in ready)


def last_seen(quote: Quote, attachment: Attachment) -> Seen | None:
    """The last price that a watch has taken into account; None where nothing is known."""
    last = quote.last
    if attachment.place != "live" or last is None or attachment.has_seen(last):
        return attachment.seen
    return Seen(trade_id=last.trade_id, at=last.at)


def beyond_stop(attachments: Iterable[Attachment], tick: Tick) -> list[Attachment]:
    """Those whose stop a tick is beyond; nothing moves."""
    return [one for one in attachments if one.watch.glance(tick.exit_price(is_long=one.watch.is_long))]
