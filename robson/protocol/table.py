"""The one table of commands: dispatch, help, the schema, the documentation and robsonctl are made from it."""

import inspect
from dataclasses import dataclass
from typing import Any, Literal

from robson.protocol import charting, oversight, oversight_results, panic_results, requests, results, telling
from robson.protocol.requests import Mutation
from robson.protocol.unions import AnyRequest

# What the operator may keep to some users: to let in and change, or to take out and hold back.
Right = Literal["arm", "panic"]


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it takes, what it gives, and a request line to copy."""

    name: str
    request: type[AnyRequest]
    result: type[Any]
    example: str
    codes: tuple[str, ...] = ()
    # Whether the read-only socket answers it.
    monitoring: bool = False
    right: Right | None = None

    @property
    def mutating(self) -> bool:
        """Whether it changes something and may carry an idempotency key."""
        return issubclass(self.request, Mutation)

    @property
    def meaning(self) -> str:
        """What it does, in full."""
        return inspect.getdoc(self.request) or ""

    @property
    def summary(self) -> str:
        """What it does, in one paragraph's first line."""
        return self.meaning.split("\n")[0]


_ID = '"01234567-89ab-7def-8123-456789abcdef"'

_ROWS = (
    Command("hello", requests.HelloRequest, results.HelloResult, '{"cmd":"hello"}', monitoring=True),
    Command("ping", requests.PingRequest, results.PingResult, '{"id":1,"cmd":"ping"}', monitoring=True),
    Command("schema", requests.SchemaRequest, dict, '{"cmd":"schema"}', monitoring=True),
    Command("help", requests.HelpRequest, results.HelpResult, '{"cmd":"help"}', monitoring=True),
    Command("version", oversight.VersionRequest, results.VersionResult, '{"cmd":"version"}', monitoring=True),
    Command("health", requests.HealthRequest, results.HealthResult, '{"cmd":"health"}', monitoring=True),
    Command(
        "status",
        requests.StatusRequest,
        results.StatusResult,
        '{"cmd":"status","all":true}',
        ("unknown_position",),
        monitoring=True,
    ),
    Command(
        "show",
        oversight.ShowRequest,
        oversight_results.ShowResult,
        f'{{"cmd":"show","position_id":{_ID}}}',
        ("unknown_position",),
        monitoring=True,
    ),
    Command(
        "why",
        oversight.WhyRequest,
        oversight_results.WhyResult,
        f'{{"cmd":"why","position_id":{_ID}}}',
        ("unknown_position",),
        monitoring=True,
    ),
    Command(
        "chart",
        charting.ChartRequest,
        charting.ChartResult,
        f'{{"cmd":"chart","position_id":{_ID},"points":200}}',
        ("unknown_position",),
        monitoring=True,
    ),
    Command(
        "plan",
        requests.PlanRequest,
        results.PlanResult,
        '{"cmd":"plan","symbol":"BTCUSDT","side":"long","entry_price":"95000","stop_price":"93500"}',
        ("unknown_symbol",),
    ),
    Command(
        "arm",
        requests.ArmRequest,
        results.ArmResult,
        '{"cmd":"arm","symbol":"BTCUSDT","side":"long","strategy":"signal","idempotency_key":"monday-1"}',
        ("unknown_symbol", "unknown_strategy", "panic_latched", "recovering"),
        right="arm",
    ),
    Command(
        "signal",
        requests.SignalRequest,
        results.SignalResult,
        f'{{"cmd":"signal","position_id":{_ID},"entry_price":"95000","stop_price":"93500","signal_id":"s-1"}}',
        ("unknown_position", "wrong_state", "recovering"),
        right="arm",
    ),
    Command(
        "disarm",
        requests.DisarmRequest,
        results.DisarmResult,
        f'{{"cmd":"disarm","position_id":{_ID}}}',
        ("unknown_position", "wrong_state", "recovering"),
        right="panic",
    ),
    Command(
        "close",
        requests.CloseRequest,
        results.CloseResult,
        f'{{"cmd":"close","position_id":{_ID}}}',
        ("unknown_position", "wrong_state", "recovering"),
        right="panic",
    ),
    Command(
        "adjust",
        oversight.AdjustRequest,
        oversight_results.AdjustResult,
        f'{{"cmd":"adjust","position_id":{_ID},"stop_price":"94200"}}',
        ("unknown_position", "wrong_state", "stop_looser", "stop_passed", "stop_not_watched", "recovering"),
        right="arm",
    ),
    Command(
        "adopt",
        requests.AdoptRequest,
        results.AdoptResult,
        '{"cmd":"adopt","symbol":"BTCUSDT","side":"long","quantity":"0.05","stop_price":"93500"}',
        ("not_held", "stop_passed", "panic_latched", "recovering"),
        right="arm",
    ),
    Command(
        "release",
        requests.ReleaseRequest,
        results.ReleaseResult,
        f'{{"cmd":"release","position_id":{_ID}}}',
        ("unknown_position", "wrong_state", "orders_out", "recovering"),
        right="arm",
    ),
    Command("panic", requests.PanicRequest, results.PanicResult, '{"cmd":"panic"}', right="panic"),
    Command("panic_preview", requests.PanicPreviewRequest, panic_results.PanicPreviewResult, '{"cmd":"panic_preview"}'),
    Command("resume", requests.ResumeRequest, results.ResumeResult, '{"cmd":"resume"}', ("recovering",), right="arm"),
    Command("pause", oversight.PauseRequest, oversight_results.PauseResult, '{"cmd":"pause"}', right="panic"),
    Command(
        "unpause",
        oversight.UnpauseRequest,
        oversight_results.PauseResult,
        '{"cmd":"unpause"}',
        ("recovering",),
        right="arm",
    ),
    Command("journal", oversight.JournalRequest, oversight_results.JournalResult, '{"cmd":"journal"}'),
    Command("notify_test", telling.NotifyTestRequest, telling.NotifyTestResult, '{"cmd":"notify_test"}', right="arm"),
    Command(
        "notify_status",
        telling.NotifyStatusRequest,
        telling.NotifyStatusResult,
        '{"cmd":"notify_status"}',
    ),
    Command(
        "events",
        requests.EventsRequest,
        results.EventsResult,
        '{"cmd":"events","from_seq":1,"limit":100}',
        ("events_archived",),
        monitoring=True,
    ),
    Command(
        "subscribe",
        requests.SubscribeRequest,
        results.SubscribeResult,
        '{"cmd":"subscribe","from_seq":1,"types":["entry_filled","position_closed"]}',
        ("unknown_event_type", "already_subscribed", "events_archived"),
        monitoring=True,
    ),
)

COMMANDS: dict[str, Command] = {row.name: row for row in _ROWS}
