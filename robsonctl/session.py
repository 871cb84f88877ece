"""What every command works with: the daemon, the output, the colours and the options."""

import argparse
import os
from typing import TYPE_CHECKING

from robsonctl.connection import Daemon, Refused
from robsonctl.exits import Ended, Exit
from robsonctl.output import Output
from robsonctl.paint import Paint, moment, now
from robsonctl.wire import question, view

if TYPE_CHECKING:
    from datetime import datetime

_SHOWN_MAX = 10


class Session:
    """One run of robsonctl."""

    def __init__(self, daemon: Daemon, output: Output, paint: Paint, options: argparse.Namespace) -> None:
        self.daemon = daemon
        self.output = output
        self.paint = paint
        self.options = options

    def key(self) -> str:
        """The idempotency key of this command: the operator's, or a new one."""
        key: str = self.options.key or os.urandom(16).hex()
        return key

    def present(self) -> "datetime":
        """The daemon's clock, by which ages are told: on a tape it is not this machine's."""
        try:
            return moment(view(self.daemon.ask(question("ping"))).at)
        except Ended:
            return now()

    def position_id(self, text: str) -> str:
        """The whole id of the position that `text` names or is the unique beginning of.

        Raises Ended: 3 when there is none, 2 when there are several.
        """
        try:
            self.daemon.ask(question("status", position_id=text))
        except Refused as refusal:
            if refusal.code != "unknown_position":
                raise
            return self._completed(text, refusal)
        return text

    def _completed(self, text: str, refusal: Refused) -> str:
        every = view(self.daemon.ask(question("status", all=True)))
        found = [position.position_id for position in every.positions if position.position_id.startswith(text)]
        match found:
            case []:
                raise refusal
            case [only]:
                found_id: str = only
                return found_id
            case _:
                shown = ", ".join(found[:_SHOWN_MAX]) + (", …" if len(found) > _SHOWN_MAX else "")
                raise Ended(
                    Exit.USAGE, f"{text!r} is the beginning of {len(found)} positions: {shown}", code="ambiguous_id"
                )
