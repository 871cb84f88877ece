"""What the journal is good for."""

from collections.abc import Sequence

from robson.commands.doctor.check import Check, doubtful, fine, wrong
from robson.domain.values import Value


class JournalState(Value):
    """A journal as it was read, without being opened for writing.

    `fault` says why it could not be read at all; `damage` is what SQLite's quick check found, None when it was not
    finished in its time; `schema` is behind (it will be brought up to date), present or newer.
    """

    path: str
    is_there: bool = True
    fault: str = ""
    damage: Sequence[str] | None = ()
    schema: str = "present"
    steps: int = 0
    mode: str = ""
    events: int = 0
    open_positions: Sequence[str] = ()
    megabytes: float = 0.0


def judge_journal(journal: JournalState, mode: str) -> Check:
    """Whether a daemon in `mode` can go on from it."""
    name = "journal"
    if not journal.is_there:
        return fine(name, f"{journal.path} is not there yet; it is made at the first start")
    if journal.fault:
        return wrong(name, journal.fault, "`robson restore` the newest backup, and compare with the account first")
    if journal.damage:
        told = "; ".join(journal.damage[:3])
        return wrong(name, f"{journal.path} was damaged: {told}", "`robson restore` the newest backup")
    if journal.schema == "newer":
        return wrong(name, f"{journal.path} was of a newer schema", "start the Robson that made it")
    if journal.mode and journal.mode != mode:
        hint = "another --state-dir for each mode"
        return wrong(name, f"{journal.path} was made in mode {journal.mode}, the configuration says {mode}", hint)
    detail = (
        f"schema {journal.steps}{', brought up to date at the next start' if journal.schema == 'behind' else ''}, "
        f"{journal.events} events, {journal.megabytes:.1f} MB, mode {journal.mode or mode}, "
        f"{len(journal.open_positions)} open positions"
    )
    if journal.damage is None:
        return doubtful(
            name, f"{detail}; the quick check was not finished in its time", "`robson backup` checks all of it"
        )
    return fine(name, f"{detail}, quick check clean")
