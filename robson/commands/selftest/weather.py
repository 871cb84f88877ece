"""Which faults the emulator is to meet: all of them, on orders and on every other signed request, from a seed."""

from robson.emulator.faults import STREAM_FAULTS, SWITCHES, Chance

# How often each is chosen. A page from the firewall silences all but exits for two minutes, a ban all for its length.
_REQUESTS = {
    "drop_request": 10,
    "drop_reply": 10,
    "late_reply": 10,
    "reply_503": 10,
    "reply_1007": 10,
    "late": 10,
    "partial": 10,
    "refuse": 6,
    "loan_without_order": 6,
    "repay_fails": 6,
    "limit_429": 3,
    "ban_418": 2,
    "html_403": 1,
}
_ORDERS, _OTHERS = 0.15, 0.015
_STREAM_EVERY_SECONDS = 4.0
_SWITCH_EVERY_SECONDS, _SWITCH_SECONDS = 12.0, 6.0
# Seconds, least and most: a reply may be later than an exit waits (two seconds).
_LENGTHS = {
    "late_reply": (0.2, 5.0),
    "late": (0.02, 4.5),
    "limit_429": (1.0, 2.0),
    "ban_418": (1.0, 3.0),
    "query_lag": (0.5, 4.0),
    "mute": (1.0, 6.0),
    "shutdown": (1.0, 4.0),
}


def weather(seed: str) -> Chance:
    """Every fault that the emulator knows, at random."""
    return Chance(
        seed=seed,
        probability=_ORDERS,
        others=_OTHERS,
        faults=tuple(name for name, times in _REQUESTS.items() for _ in range(times)),
        stream_faults=tuple(STREAM_FAULTS),
        stream_every_seconds=_STREAM_EVERY_SECONDS,
        switches=tuple(SWITCHES),
        switch_every_seconds=_SWITCH_EVERY_SECONDS,
        switch_seconds=_SWITCH_SECONDS,
        lengths=_LENGTHS,
    )
