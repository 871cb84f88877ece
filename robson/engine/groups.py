"""Watches that have the same extreme, and so differ by their distances alone.

Prices are signed in here, so that up is good for either side.
"""

from decimal import Decimal
from heapq import heapify, heappop, heappush
from typing import Protocol

from robson.engine.trailing import Watch

NEVER_HIT, NEVER_RISES = Decimal("-Infinity"), Decimal("Infinity")


class Around(Protocol):
    """What a seat needs to know of its crowd."""

    trade_id: int | None
    stamps: int

    def signed(self, price: Decimal) -> Decimal:
        """A price in which up is good, and back."""

    def seat_again(self, seat: "Seat") -> None:
        """Take the seat's place anew from its watch."""


class Seat:
    """A watch's place in a crowd; `number` is the order of joining, `serial` is no other seat's."""

    __slots__ = (
        *("_around", "follows", "group", "is_taken", "moves", "number", "rises", "serial", "stamps", "stop"),
        "watch",
    )

    def __init__(self, around: Around, watch: Watch, number: int, serial: int, group: "Group") -> None:
        self._around = around
        self.serial = serial
        self.watch = watch
        self.number = number
        self.group = group
        self.is_taken = True
        self.follows = False
        # As they were when it joined the group: its stop (signed), its moves, the group's rises, the crowd's trade ids.
        self.stop = around.signed(watch.stop)
        self.moves = watch.moves
        self.rises = 0
        self.stamps = around.stamps

    def bring_up(self) -> None:
        """Write into the watch where it stands."""
        around, group = self._around, self.group
        stop, moves = self.stop, self.moves
        risen = group.rises - self.rises if self.follows else 0
        if risen:
            stop, moves = group.extreme - self.watch.distance, moves + risen
        trade_id = around.trade_id if around.stamps > self.stamps else None
        self.watch.stand_at(around.signed(stop), around.signed(group.extreme), moves, trade_id)

    def sit_anew(self) -> None:
        """The watch has got another stop from outside: find its place anew."""
        self._around.seat_again(self)


class Group:
    """`following` is a heap of those whose stop moves with every rise, by distance.

    `standing` have a stop that is tighter than their distance (or looser, before their first rise): a heap by the price
    above which they follow.
    """

    __slots__ = ("extreme", "following", "has_moved", "rises", "size", "standing", "top", "version")

    def __init__(self, extreme: Decimal) -> None:
        self.extreme = extreme
        self.rises = 0
        self.size = 0
        self.following: list[tuple[Decimal, int, Seat]] = []
        self.standing: list[tuple[Decimal, int, Seat]] = []
        # The highest stop of those that follow, and how often it was worked out.
        self.top = NEVER_HIT
        self.version = 0
        # Whether those that follow have moved since they were last taken.
        self.has_moved = False

    def put(self, seat: Seat) -> None:
        """Begin with a first member."""
        assert not self.size, self.size
        self.size = 1
        distance = seat.watch.distance
        turns_at = seat.stop + distance
        if turns_at == self.extreme:
            seat.follows = True
            self.following.append((distance, seat.serial, seat))
        else:
            self.standing.append((max(turns_at, self.extreme), seat.serial, seat))
        self.find_top()

    def rise(self, price: Decimal) -> None:
        """Take a new extreme."""
        self.extreme = price
        self.rises += 1
        standing = self.standing
        while standing and standing[0][0] < price:
            _, serial, seat = heappop(standing)
            if seat.is_taken:
                seat.follows, seat.rises = True, self.rises - 1
                heappush(self.following, (seat.watch.distance, serial, seat))
        self.find_top()

    def find_top(self) -> None:
        """Work out the highest stop anew."""
        following = self.following
        while following and not following[0][2].is_taken:
            heappop(following)
        self.top = self.extreme - following[0][0] if following else NEVER_HIT
        self.version += 1

    def take_hit(self, price: Decimal, hit: list[Seat]) -> None:
        """Add those that follow and that a price hits to `hit`; the caller vacates their seats."""
        following, extreme = self.following, self.extreme
        while following and (not following[0][2].is_taken or price <= extreme - following[0][0]):
            seat = heappop(following)[2]
            if seat.is_taken:
                hit.append(seat)
        self.find_top()

    def joined(self, other: "Group") -> "Group":
        """One group of both, which is about to rise above either extreme: the smaller joins the larger."""
        small, large = (self, other) if self.size <= other.size else (other, self)
        for entry in small.following:
            seat = entry[2]
            if seat.is_taken:
                seat.moves, seat.rises, seat.group = seat.moves + small.rises - seat.rises, large.rises, large
                heappush(large.following, entry)
        for entry in small.standing:
            if entry[2].is_taken:
                entry[2].group = large
                heappush(large.standing, entry)
        large.size += small.size
        small.size, small.has_moved = 0, False
        small.following, small.standing = [], []
        return large

    def clear(self) -> None:
        """Forget the seats that are left empty."""
        self.following = [entry for entry in self.following if entry[2].is_taken]
        self.standing = [entry for entry in self.standing if entry[2].is_taken]
        heapify(self.following)
        heapify(self.standing)
