"""`mode = "live"` with real processes: the daemon trades at the emulator as it would at the exchange."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from tests.end_to_end import evidence
from tests.end_to_end.daemon import Daemon, Reply, daemon
from tests.end_to_end.emulator import PAIR, Emulator

# So little that a long has to borrow, too.
COLLATERAL = {"ROBSON_PAPER_COLLATERAL": "1000"}


class Rehearsal:
    """An emulator and a daemon in live mode that trades at it."""

    def __init__(self, place: Path, emulator: Emulator, running: Daemon) -> None:
        self.place = place
        self.emulator = emulator
        self.daemon = running

    def enter(self, side: str = "long", percent: str = "3") -> str:
        """Arm a position and signal at the present price, with the stop so far away; its id."""
        position_id = self.daemon.arm(PAIR, side)
        entry = Decimal(self.daemon.price(PAIR))
        sign = -1 if side == "long" else 1
        stop = (entry * (1 + sign * Decimal(percent) / 100)).quantize(Decimal("0.01"))
        answer = self.daemon.ok("signal", position_id=position_id, entry_price=str(entry), stop_price=str(stop))
        assert answer["accepted"], answer
        return position_id

    def entered(self, side: str = "long") -> str:
        """The same, and wait until it is in the market."""
        position_id = self.enter(side)
        self.daemon.wait_event("entry_filled", position_id=position_id)
        return position_id

    def closed(self, position_id: str) -> Reply:
        """Wait until it is Closed; what position_closed said."""
        found: Reply = self.daemon.wait_event("position_closed", position_id=position_id)["data"]
        return found

    def assert_flat(self) -> None:
        """Nothing is owed at the exchange, and all that is held there is the dust that the journal names."""
        account = self.emulator.account()
        for leg in (account["baseAsset"], account["quoteAsset"]):
            assert Decimal(leg["borrowed"]) == Decimal(leg["interest"]) == Decimal(leg["locked"]) == 0, leg
        ((dust,),) = evidence.rows(self.daemon.state / "robson.db", "SELECT dust_base FROM pairs")
        assert Decimal(account["baseAsset"]["free"]) == Decimal(dust)

    def assert_books_agree(self) -> None:
        """Status is the folded journal, and every order at the exchange is one that it announced, once."""
        events = self.daemon.events()
        evidence.assert_gapless(events)
        evidence.assert_status_is_the_fold(self.daemon.ok("status", all=True), evidence.folded(events), stops=False)
        announced = [line["data"]["client_order_id"] for line in events if line["event"].endswith("_order_placed")]
        placed = [order["clientOrderId"] for order in self.emulator.orders()]
        assert len(set(announced)) == len(announced)
        assert sorted(placed) == sorted(set(placed) & set(announced))


@contextmanager
def rehearsing(place: Path, *, env: dict[str, str] | None = None, **feed: str) -> Iterator[Rehearsal]:
    """Both processes, which end with the block."""
    emulator = Emulator(place / "exchange", "--control", "--seed", "live", env=COLLATERAL | (env or {})).start()
    with ExitStack() as stack:
        stack.callback(emulator.end)
        (place / "robson.toml").write_text(emulator.settings(**feed), "utf-8")
        arguments = ("--config", str(place / "robson.toml"), "--credentials-dir", str(emulator.credentials))
        running = stack.enter_context(daemon(place / "state", *arguments))
        yield Rehearsal(place, emulator, running)


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("fee_asset", ["", "BNB"])
def test_a_life_from_arm_to_repaid(tmp_path: Path, side: str, fee_asset: str) -> None:
    with rehearsing(tmp_path, env={"ROBSON_PAPER_FEE_ASSET": fee_asset} if fee_asset else None) as live:
        robson, sign = live.daemon, 1 if side == "long" else -1
        assert robson.ok("hello")["mode"] == robson.ok("status")["mode"] == "live"
        follower = robson.subscribe(0)
        position_id = live.enter(side)
        filled = follower.event("entry_filled")["data"]
        owed = live.emulator.account()["quoteAsset" if side == "long" else "baseAsset"]
        assert Decimal(owed["borrowed"]) > 0
        fill, stop = Decimal(filled["fill_price"]), Decimal(filled["trailing_stop"])
        # Up for a long, down for a short: the stop follows; then through the stop.
        better = fill + sign * 500
        live.emulator.trade_at(better.quantize(Decimal("0.01")))
        moved = follower.event(
            "trailing_stop_updated", where=lambda line: Decimal(line["data"]["extreme"]) * sign >= better * sign - 1
        )
        followed = Decimal(moved["data"]["trailing_stop"])
        assert (followed - stop) * sign > 0
        live.emulator.trade_at((followed - sign * 100).quantize(Decimal("0.01")))
        assert follower.event("exit_triggered")["data"]["reason"] == "trailing_stop"
        result = follower.event("position_closed")["data"]
        assert result["exit_reason"] == "trailing_stop"
        view = robson.position(position_id)
        assert view["state"] == "Closed"
        paid = set(view["fees_by_asset"])
        assert paid == ({"BNB"} if fee_asset else {"BTC", "USDT"})
        live.assert_flat()
        live.assert_books_agree()
        assert robson.stop() == 0
