"""What is asked and told about notifications."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from robson.protocol.requests import Mutation, Request
from robson.protocol.results import Result


class NotifyTestRequest(Mutation, tag="notify_test"):
    """Send one test message over each channel of notifications, once, and say what came of it."""


class NotifyStatusRequest(Request, tag="notify_status"):
    """How far notifications are: each channel's backlog, its last delivery and what it fails of."""


class TrialView(Result):
    """One channel's answer to a test message."""

    channel: str
    ok: Annotated[bool, Meta(description="whether the other side took it")]
    detail: Annotated[str, Meta(description="why not")]


class NotifyTestResult(Result):
    """Every channel's answer; none when no channel is set up."""

    channels: tuple[TrialView, ...]


class ChannelView(Result):
    """One channel; its numbers are those of this run."""

    channel: str
    backlog: Annotated[int, Meta(description="events that it has not dealt with")]
    delivered: Annotated[int, Meta(description="messages that the other side took")]
    failed: Annotated[int, Meta(description="attempts that did not get through")]
    given_up: Annotated[int, Meta(description="messages that the other side will never take")]
    delivered_at: Annotated[datetime | None, Meta(description="the last delivery; null before the first")]
    trouble: Annotated[str | None, Meta(description="what the last attempt failed of; null: it did not")]
    last_given_up: Annotated[str | None, Meta(description="why the last message was given up")]


class NotifyStatusResult(Result):
    """Every channel, and the ping."""

    channels: tuple[ChannelView, ...]
    ping: Annotated[str, Meta(description="off, not yet, well, or what the last one failed of")]
