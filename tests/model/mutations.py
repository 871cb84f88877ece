"""Rules of the intent protocol, each left out in turn, and what the model must then find.

`python -m tests.model.mutations` prints every shortest counterexample.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.model import intent_model as model
from tests.model.checker import Result, check
from tests.model.intent_model import Settings, State

# An account that could fund a second exit: nothing but the clock fence keeps it away.
RICH = Settings(self_fencing=None, surpluses=(2,), entry_partials=False, exit_partials=False)
# The venue's records never lag: what is late here is the request.
PROMPT = replace(RICH, query_lag=0)
PARTIAL = replace(RICH, entry_partials=True)
SELF_FENCING = Settings(entry_partials=False, exit_partials=False, capped=False)
# The journal may fail once; exits go out all the same, and a crash may come at any moment after.
OUTAGE = replace(RICH, outages=1)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A rule left out, and the invariant that no longer holds; None: some state cannot reach the end."""

    rule: str
    what: str
    breaks: Callable[[State], bool] | None
    settings: Settings = RICH

    def check(self) -> Result:
        """What the search finds."""
        invariants = (self.breaks,) if self.breaks is not None else ()
        settings = replace(self.settings, broken=frozenset({self.rule}))
        return check(settings, invariants, can_finish=self.breaks is None)


MUTATIONS = (
    Mutation("resend_without_query", "an exit in doubt is sent again without asking", model.never_flipped),
    Mutation("resend_without_query", "an entry in doubt is sent again without asking", model.one_entry),
    Mutation("fence_removed", "a denial is believed at any time: an exit", model.never_flipped),
    Mutation("fence_removed", "a denial is believed at any time: an entry", model.nothing_unowned),
    Mutation(
        "fence_without_venue_timeout",
        "the fence opens at timestamp + recvWindow: the venue still works on the request",
        model.never_flipped,
        PROMPT,
    ),
    Mutation(
        "fence_without_receive_window",
        "the fence opens at timestamp + venue timeout: a request taken late is still worked on",
        model.never_flipped,
        PROMPT,
    ),
    Mutation("denials_in_one_moment", "the denials span less than the query lag", model.never_flipped),
    Mutation("denied_before_clock_read", "the denial is older than the clock reading", model.never_flipped),
    Mutation("entry_sent_again_after_absence", "an absent entry is sent again", model.entry_sent_once),
    Mutation("pending_entry_sent_at_recovery", "an earlier epoch's pending entry is sent", model.no_stale_entry),
    Mutation("entry_topped_up", "a partial entry is followed by one for the rest", model.one_entry, PARTIAL),
    Mutation("wish_to_leave_forgotten", "a close while Entering is forgotten at the fill", model.wish_kept),
    Mutation("commit_after_send", "the first byte leaves before `sent` is durable: an exit", model.never_flipped),
    Mutation("commit_after_send", "the first byte leaves before `sent` is durable: an entry", model.nothing_unowned),
    Mutation("exit_size_from_request", "the exit sells what the entry asked for", model.never_flipped, PARTIAL),
    Mutation("self_fence_always_true", "the self fence is assumed, not read", model.never_flipped, SELF_FENCING),
    Mutation(
        "fence_reread", "the fence is read again, and upgraded, after attempt 1", model.never_flipped, SELF_FENCING
    ),
    Mutation(
        "fence_on_stale_read", "the fence is decided on a read from before the fill", model.never_flipped, SELF_FENCING
    ),
    Mutation(
        "refusal_is_evidence", "a refusal is taken for the other attempt's fill", model.fills_are_true, SELF_FENCING
    ),
    Mutation(
        "closed_before_attempts_end", "Closed does not wait for the second attempt", model.closed_is_over, SELF_FENCING
    ),
    Mutation(
        "stray_trades_bar_absence",
        "a trade of somebody else keeps an order in doubt",
        None,
        replace(RICH, hand_trades=True),
    ),
    Mutation(
        "pending_exit_sent_at_recovery",
        "after an outage a pending exit is taken for unsent",
        model.never_flipped,
        OUTAGE,
    ),
    Mutation(
        "operator_overtakes_recovery",
        "after an outage close sends before the venue's orders were read",
        model.never_flipped,
        OUTAGE,
    ),
    Mutation("recovery_asks_once", "after an outage one denial is believed at once", model.never_flipped, OUTAGE),
    Mutation(
        "recovery_asks_next_id_only",
        "after an outage the search ends at the first unused id",
        model.never_flipped,
        OUTAGE,
    ),
    Mutation(
        "remark_not_written",
        "after an outage the fence counts from the journaled timestamp",
        model.never_flipped,
        OUTAGE,
    ),
    Mutation(
        "pending_exit_outlives_listing",
        "after an outage a pending exit keeps its old size",
        model.never_flipped,
        OUTAGE,
    ),
)

# Not rules of ours but things that the protocol relies on: without them the model finds these.
ASSUMPTIONS = (
    Mutation(
        "",
        "collateral arrives after the self fence was decided",
        model.never_flipped,
        replace(SELF_FENCING, transfers=True),
    ),
    Mutation(
        "",
        "the self fence of a short, and attempt 1 executes in part",
        model.never_flipped,
        Settings(self_fencing="quote", surpluses=(1,), entry_partials=False, capped=False),
    ),
    Mutation(
        "",
        "the self fence of a short, and an underfunded exit is executed as far as the money goes",
        model.never_flipped,
        Settings(self_fencing="quote", surpluses=(1,), entry_partials=False, exit_partials=False),
    ),
)


def main() -> None:
    """Print every counterexample."""
    for mutation in (*MUTATIONS, *ASSUMPTIONS):
        result = mutation.check()
        print(f"{mutation.rule or 'assumption'}: {mutation.what} ({result})")
        print(result.wrong or "NOTHING FOUND", end="\n\n")


if __name__ == "__main__":
    main()
