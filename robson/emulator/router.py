"""One request from its raw target to its answer: endpoint, limits, the gate, faults, the answer or the refusal."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
import trio

from robson.domain.errors import InDoubt, Rejected, Unreachable
from robson.emulator import rest_lending, rest_margin, rest_public, rest_terms, rest_wallet
from robson.emulator.endpoint import Call, Endpoint
from robson.emulator.exchange import Exchange
from robson.emulator.faults import ORDER, Plan
from robson.emulator.gate import Security, admit
from robson.emulator.limits import banned, too_many
from robson.emulator.parameters import Parameters
from robson.emulator.refusals import Cut, Refused, from_ledger, no_answer, unknown
from robson.emulator.wire import Reply, html

ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    (endpoint.method, endpoint.path): endpoint
    for endpoints in (
        rest_public.ENDPOINTS,
        rest_margin.ENDPOINTS,
        rest_lending.ENDPOINTS,
        rest_terms.ENDPOINTS,
        rest_wallet.ENDPOINTS,
    )
    for endpoint in endpoints
}
PATHS = {path for _, path in ENDPOINTS}
# These look at their parameters first, and at this fault themselves.
_REFUSE_LATER = {ORDER, "POST /sapi/v1/margin/borrow-repay"}
FORM = "application/x-www-form-urlencoded"

_log = structlog.get_logger("robson.emulator")


@dataclass(frozen=True)
class Request:
    """An HTTP request as it came in: query and body still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


async def answer(exchange: Exchange, request: Request) -> Reply:
    """The answer to one request; raises Cut where the connection is to end without one."""
    endpoint = ENDPOINTS.get((request.method, request.path))
    if endpoint is None:
        return _not_found(request)
    plan = exchange.faults.plan(endpoint.name, is_signed=endpoint.security is not Security.NONE)
    headers: dict[str, str] = {"X-MBX-UUID": str(exchange.now_ms())}
    try:
        meet_before(exchange, plan)
        if "echo" in plan:
            raise _echoed(request)
        body = request.body.decode("latin-1")
        parameters = Parameters.read(request.query, body)
        now_ms = exchange.now_ms()
        headers.update(exchange.limits.charge(endpoint.scope, endpoint.path, endpoint.weight(parameters), now_ms))
        window = admit(
            endpoint.security,
            request.headers.get("x-mbx-apikey"),
            request.query,
            body,
            parameters,
            exchange.keys,
            now_ms,
        )
        if endpoint.name == ORDER:
            headers.update(exchange.limits.count_order(now_ms))
        reply = await _answered(endpoint, Call(exchange, parameters, plan, window), headers)
        await _meet_after(plan)
    except Refused as error:
        return _refused(error, headers)
    except InDoubt as error:
        _log.error("account_in_doubt", error=str(error))
        return _refused(no_answer(), headers)
    except Unreachable as error:
        _log.error("account_unreachable", error=str(error))
        return _refused(unknown(), headers)
    except _Page as page:
        return page.reply
    return reply


async def _answered(endpoint: Endpoint, call: Call, headers: Mapping[str, str]) -> Reply:
    """What the exchange says, a refusal as well: either may be lost on its way."""
    refuse = call.plan.get("refuse")
    if refuse is not None and endpoint.name not in _REFUSE_LATER:
        return _refused(Refused(refuse.code, refuse.text), headers)
    try:
        return Reply(value=await endpoint.answer(call), headers=headers)
    except Refused as error:
        return _refused(error, headers)
    except Rejected as error:
        return _refused(from_ledger(error), headers)


class _Page(Exception):
    """An answer that is a page, not JSON."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def meet_before(exchange: Exchange, plan: Plan) -> None:
    """The faults of a request that never reaches the exchange."""
    if "drop_request" in plan:
        raise Cut
    if "html_403" in plan:
        raise _Page(html(403, "403 Forbidden"))
    if "limit_429" in plan:
        raise too_many("Too many requests.", max(1, round(plan["limit_429"].length_seconds)))
    if "ban_418" in plan:
        now_ms = exchange.now_ms()
        raise banned(now_ms + round(plan["ban_418"].length_seconds * 1000), now_ms)


def _echoed(request: Request) -> Refused:
    words = f"{request.headers.get('x-mbx-apikey', '')} {request.query}{request.body.decode('latin-1')}"
    return Refused(-1102, f"{words} {request.method} {request.path} was malformed.")


async def _meet_after(plan: Plan) -> None:
    """The faults of an answer on its way to the client."""
    if "late_reply" in plan:
        await trio.sleep(plan["late_reply"].length_seconds)
    if "drop_reply" in plan:
        raise Cut
    if "reply_503" in plan:
        raise _Page(html(503, "503 Service Temporarily Unavailable"))
    if "reply_1007" in plan:
        raise no_answer()


def _not_found(request: Request) -> Reply:
    if request.path in PATHS:
        allowed = sorted(method for method, path in ENDPOINTS if path == request.path)
        refusal = Refused(-1000, f"Request method '{request.method[:20]}' not supported.", status=405)
        return Reply(status=405, value=refusal.body(), headers={"Allow": ", ".join(allowed)})
    return html(404, "404 Not Found")


def _refused(error: Refused, headers: Mapping[str, str]) -> Reply:
    return Reply(status=error.status, value=error.body(), headers={**headers, **error.headers})
