"""What every command works with: the daemon, the output, the colours and the options."""

import argparse
import os
from dataclasses import dataclass
from datetime import datetime

from robson.domain.codec import decode
from robson.protocol.requests import PingRequest, StatusRequest
from robson.protocol.results import PingResult, StatusResult
from robsonctl.connection import Daemon, Refused
from robsonctl.exits import Ended, Exit
from robsonctl.output import Output
from robsonctl.paint import Paint, now

_SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Session:
    """One run of robsonctl."""

    daemon: Daemon
    output: Output
    paint: Paint
    options: argparse.Namespace

    def key(self) -> str:
        """The idempotency key of this command: the operator's, or a new one."""
        return self.options.key or os.urandom(16).hex()

    def present(self) -> datetime:
        """The daemon's clock, by which ages are told: on a tape it is not this machine's."""
        try:
            return decode(self.daemon.ask(PingRequest()), PingResult).at
        except Ended:
            return now()

    def position_id(self, text: str) -> str:
        """The whole id of the position that `text` names or is the unique beginning of.

        Raises Ended: 3 when there is none, 2 when there are several.
        """
        try:
            self.daemon.ask(StatusRequest(position_id=text))
        except Refused as refusal:
            if refusal.code != "unknown_position":
                raise
            return self._completed(text, refusal)
        return text

    def _completed(self, text: str, refusal: Refused) -> str:
        every = decode(self.daemon.ask(StatusRequest(all=True)), StatusResult)
        found = [position.position_id for position in every.positions if position.position_id.startswith(text)]
        match found:
            case []:
                raise refusal
            case [only]:
                return only
            case _:
                shown = ", ".join(found[:_SHOWN_MAX]) + (", …" if len(found) > _SHOWN_MAX else "")
                raise Ended(
                    Exit.USAGE, f"{text!r} is the beginning of {len(found)} positions: {shown}", code="ambiguous_id"
                )
