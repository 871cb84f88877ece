"""Checks side by side: each in a cancel scope and a guard of its own, told in the order they were asked in."""

from collections.abc import Awaitable, Callable

import trio

from robson.commands.doctor.check import Check, doubtful, wrong
from robson.domain.errors import Fatal, RateLimited, Rejected, RobsonError, VenueError

Look = Callable[[], Awaitable[Check]]


class Ward:
    """Gathers checks; `look` starts one within a nursery, `checks` has them in the order of the calls."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._found: dict[str, Check | None] = {}

    @property
    def checks(self) -> list[Check]:
        """What was found so far."""
        return [check for check in self._found.values() if check is not None]

    def look(self, name: str, look: Look, *, seconds: float, is_optional: bool = False) -> None:
        """Start one; what it cannot find out is a failure, or a doubt where Robson can do without."""
        self._found[name] = None
        self._nursery.start_soon(self._guarded, name, look, seconds, is_optional)

    def leave_out(self, name: str, why: str) -> None:
        """Say that one was not asked for, and why."""
        self._found[name] = doubtful(name, f"not checked: {why}", "mend that first")

    async def _guarded(self, name: str, look: Look, seconds: float, is_optional: bool) -> None:
        self._found[name] = await guarded(name, look, seconds=seconds, is_optional=is_optional)


async def guarded(name: str, look: Look, *, seconds: float, is_optional: bool = False) -> Check:
    """One check within its time, whatever is raised in it."""
    say = doubtful if is_optional else wrong
    try:
        with trio.fail_after(seconds):
            return await look()
    except trio.TooSlowError:
        return say(name, f"no answer within {seconds:g} s", "the network, or the exchange's status page")
    except VenueError as error:
        return of_venue(name, error, is_optional=is_optional)
    except (RobsonError, OSError, ValueError) as error:
        return say(name, str(error), "")
    except Exception as error:  # noqa: BLE001  one broken check must not hide the others
        return say(name, f"the check itself failed: {type(error).__name__}", "a bug of Robson's: report it")


def of_venue(name: str, error: VenueError, *, is_optional: bool) -> Check:
    """What the exchange's refusal means for a check."""
    say = doubtful if is_optional else wrong
    match error:
        case Fatal():
            return wrong(
                name, f"the exchange did not accept the key ({error})", "the key, its secret, its list of addresses"
            )
        case RateLimited():
            hint = f"try again in {error.retry_after_seconds:.0f} s, and find out what else uses this address"
            return say(name, f"the exchange wants silence ({error})", hint)
        case Rejected():
            return say(name, f"the exchange refused with {error}", "")
        case _:
            return say(name, f"no answer: {error}", "the network, a firewall, or the exchange's status page")
