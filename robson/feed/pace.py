"""How a feed's ticks keep step with the run's clock."""

import math

import trio

# In the package of test tools because tests need it most; it is public and it is the only way to learn that every
# other task waits. A fixed number of checkpoints would be a guess at how many steps a decision takes.
from robson.clock import TapeClock

# A feed that is never held up still lets everybody else run after this many ticks.
_TICKS_PER_TURN = 64


class Pace:
    """The moments of one feed, on a tape's clock or on the machine's own."""

    def __init__(self, tape: TapeClock | None) -> None:
        """`tape` is the clock that the run is on, None for the machine's own."""
        self._tape = tape
        self._zero = math.nan
        self._turn = 0
        # Whether every other task was waiting when this feed last looked, and the feed has not waited since.
        self._is_alone = False

    def begin(self) -> None:
        """The feed's first moment is now."""
        self._zero = self._tape.begin() if self._tape is not None else trio.current_time()

    def moment(self, microseconds: int) -> float:
        """The clock reading so many microseconds after the first moment."""
        return self._zero + microseconds / 1e6

    async def reach(self, moment: float, news: trio.Event) -> bool:
        """Wait until `moment`, or until `news` is set: then False.

        At speed `max`, everything that is due on the way happens first, each thing at its own time.
        """
        tape = self._tape
        if tape is not None:
            tape.hold(moment)
            if tape.is_max and self._may_jump(moment):
                tape.jump(moment)
                self._turn += 1
                return not news.is_set()
        if moment > trio.current_time() or self._turn >= _TICKS_PER_TURN:
            self._turn, self._is_alone = 0, False
            with trio.move_on_at(moment):
                await news.wait()
        if tape is not None and tape.is_max:
            await self.settle()
        self._turn += 1
        return not news.is_set()

    async def settle(self) -> None:
        """Let everything that the last tick woke run until it waits again.

        On a tape only: a decision taken on a tick is then on its way before the next one, however fast the tape runs.
        On the machine's own clock that would let one busy task hold up the prices of all others.
        """
        self._turn = 0
        if self._tape is None:
            await trio.lowlevel.checkpoint()
        else:
            # Its package costs a tenth of a second and 8 MiB, and only a tape needs it.
            from trio.testing import wait_all_tasks_blocked  # noqa: PLC0415

            await wait_all_tasks_blocked()
            self._is_alone = True

    def rest(self) -> None:
        """No next tick is known: let time run on."""
        if self._tape is not None:
            self._tape.release()

    def _may_jump(self, moment: float) -> bool:
        """Whether nobody can notice that this task does not wait: eight times cheaper than waiting."""
        if not self._is_alone or self._turn >= _TICKS_PER_TURN:
            return False
        run = trio.lowlevel.current_statistics()
        return not run.tasks_runnable and trio.current_time() + run.seconds_to_next_deadline > moment
