"""A rehearsal: `robson emulator` and a daemon in live mode that trades at it, both as processes of their own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

from robson.domain.ids import PREFIX
from tests.end_to_end import evidence
from tests.end_to_end.daemon import Daemon, Reply
from tests.end_to_end.emulator import PAIR, Emulator

# So little that a long has to borrow, too.
COLLATERAL = {"ROBSON_PAPER_COLLATERAL": "1000"}


class Rehearsal:
    """The two processes, and what a trader does with them."""

    def __init__(self, emulator: Emulator, daemon: Daemon) -> None:
        self.emulator = emulator
        self.daemon = daemon

    def enter(self, side: str = "long") -> str:
        """Arm a position and signal at the present price with the stop 3 % away; its id."""
        position_id = self.daemon.arm(PAIR, side)
        self.signal(position_id, side)
        return position_id

    def signal(self, position_id: str, side: str = "long") -> None:
        """One signal that must be accepted."""
        entry = Decimal(self.daemon.price(PAIR))
        stop = (entry * (Decimal("0.97") if side == "long" else Decimal("1.03"))).quantize(Decimal("0.01"))
        answer = self.daemon.ok("signal", position_id=position_id, entry_price=str(entry), stop_price=str(stop))
        assert answer["accepted"], answer

    def entered(self, side: str = "long") -> str:
        """A position that is in the market; its id."""
        position_id = self.enter(side)
        self.daemon.wait_event("entry_filled", position_id=position_id)
        return position_id

    def cross(self, position_id: str) -> None:
        """One trade a hundred beyond the position's stop."""
        view = self.daemon.position(position_id)
        beyond = -100 if view["side"] == "long" else 100
        self.emulator.trade_at((Decimal(view["trailing_stop"]) + beyond).quantize(Decimal("0.01")))

    def until(self, position_id: str, state: str) -> None:
        """Wait until the position is in a state."""
        self.daemon.wait_until(lambda: self.daemon.position(position_id)["state"] == state, f"state {state}")

    def closed(self, position_id: str) -> Reply:
        """Wait until it is Closed, and see that nothing is left; what position_closed said."""
        found: Reply = self.daemon.wait_event("position_closed", position_id=position_id)["data"]
        self.assert_flat()
        self.assert_books_agree()
        return found

    def order_events(self, position_id: str, kind: str) -> list[Reply]:
        """The data of one kind of event of a position."""
        lines = self.daemon.events()
        return [line["data"] for line in lines if line["event"] == kind and line["position_id"] == position_id]

    def assert_flat(self) -> None:
        """Nothing is owed at the exchange, and nothing held beyond the baseline but the dust that the journal names."""
        account = self.emulator.account()
        for leg in (account["baseAsset"], account["quoteAsset"]):
            assert Decimal(leg["borrowed"]) == Decimal(leg["interest"]) == Decimal(leg["locked"]) == 0, leg
        query = "SELECT baseline_base, dust_base FROM pairs"
        ((baseline, dust),) = evidence.rows(self.daemon.state / "robson.db", query)
        assert Decimal(account["baseAsset"]["free"]) == Decimal(baseline) + Decimal(dust)

    def assert_books_agree(self) -> None:
        """Status is the folded journal, and every order at the exchange is one that it announced, once."""
        events = self.daemon.events()
        evidence.assert_gapless(events)
        evidence.assert_status_is_the_fold(self.daemon.ok("status", all=True), evidence.folded(events), stops=False)
        announced = [line["data"]["client_order_id"] for line in events if line["event"].endswith("_order_placed")]
        assert len(set(announced)) == len(announced)
        placed = [name for order in self.emulator.orders() if (name := order["clientOrderId"]).startswith(PREFIX)]
        assert placed
        assert len(set(placed)) == len(placed)
        assert set(placed) <= set(announced)


@contextmanager
def rehearsing(
    place: Path,
    *,
    arguments: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    daemon_env: Mapping[str, str] | None = None,
    **feed: str,
) -> Iterator[Rehearsal]:
    """Both, started; they end with the block. `arguments` and `env` are the emulator's."""
    with ExitStack() as stack:
        emulator = Emulator(
            place / "exchange", "--control", "--seed", "live", *arguments, env={**COLLATERAL, **(env or {})}
        ).start()
        stack.callback(emulator.end)
        settings = place / "robson.toml"
        settings.write_text(emulator.settings(**feed), "utf-8")
        given = ("--config", str(settings), "--credentials-dir", str(emulator.credentials))
        daemon = Daemon(place / "state", *given, env=daemon_env)
        stack.callback(daemon.end)
        yield Rehearsal(emulator, daemon.start())
