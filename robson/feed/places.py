"""Where each watch of a symbol stands to the stream: live, ahead of it, or behind with prices to make up for."""

from collections.abc import Iterable

from robson.domain.market import Tick
from robson.engine.missed import Seen
from robson.feed.attachment import Attachment
from robson.feed.quote import Quote


def leave(quote: Quote, attachment: Attachment) -> None:
    """Stand nowhere any more."""
    number = attachment.number
    was_live = quote.live.pop(number, None) is not None
    # What a price has hit has left the crowd already.
    if was_live and attachment.watch.seat is not None and quote.crowd(attachment).leave(attachment.watch):
        quote.moved[attachment] = None
    quote.ahead.pop(number, None)
    quote.behind.pop(number, None)


def go_on(quote: Quote, attachment: Attachment) -> None:
    """Go on with the stream, or wait for it where the watch has seen more: a tape may have begun again."""
    leave(quote, attachment)
    seen, last = attachment.seen, quote.last
    if seen is None or (last is not None and (seen.is_of(last) or not seen.covers(last))):
        _observe(quote, attachment)
    else:
        attachment.place = "ahead"
        quote.ahead[_number(quote, attachment)] = attachment


def stay_behind(quote: Quote, attachment: Attachment) -> None:
    """Wait for the prices that were missed; ticks may hit the stop and never move it."""
    leave(quote, attachment)
    attachment.place = "behind"
    quote.behind[_number(quote, attachment)] = attachment


def fall_behind(quote: Quote, tick: Tick) -> list[Attachment]:
    """After an interruption or a silence: those who have missed trades before this tick must not follow it yet."""
    quote.break_off()
    behind = []
    for attachment in (*quote.live.values(), *quote.ahead.values()):
        seen = last_seen(quote, attachment)
        # A source without ids cannot tell that nothing is missing: after an interruption something may be.
        if seen is not None and not seen.joins(tick):
            attachment.seen = seen
            stay_behind(quote, attachment)
            behind.append(attachment)
    return behind


def join(quote: Quote, tick: Tick) -> None:
    """Let those who had seen more than the stream go on with it, once it has passed them."""
    for attachment in list(quote.ahead.values()):
        if not attachment.has_seen(tick):
            del quote.ahead[attachment.number]
            _observe(quote, attachment)


def _observe(quote: Quote, attachment: Attachment) -> None:
    attachment.place = "live"
    number = _number(quote, attachment)
    quote.live[number] = attachment
    quote.crowd(attachment).join(attachment.watch, number)


def _number(quote: Quote, attachment: Attachment) -> int:
    quote.joined += 1
    attachment.number = quote.joined
    return attachment.number


def last_seen(quote: Quote, attachment: Attachment) -> Seen | None:
    """The last price that a watch has taken into account; None where nothing is known."""
    last = quote.last
    if attachment.place != "live" or last is None or attachment.has_seen(last):
        return attachment.seen
    return Seen(trade_id=last.trade_id, at=last.at)


def beyond_stop(attachments: Iterable[Attachment], tick: Tick) -> list[Attachment]:
    """Those whose stop a tick is beyond; nothing moves."""
    return [one for one in attachments if one.watch.glance(tick.exit_price(is_long=one.watch.is_long))]
