"""Many watches of one symbol and side, observed together: a price that touches none of them costs two comparisons.

Watches that follow the same high have the same extreme, so they stand in groups: a price above a group's extreme lifts
the group, and joins it with those that it overtakes. A member's own numbers are worked out when somebody asks.
"""

from decimal import Decimal
from heapq import heapify, heappop, heappush

from robson.engine.groups import NEVER_HIT, NEVER_RISES, Group, Seat
from robson.engine.trailing import Watch

# Fewer seats that are left empty are not worth clearing away.
_EMPTY_MAX = 64


class Crowd:
    """The watches of one side; `observe` comes to what `Watch.observe` comes to for each of them."""

    def __init__(self, *, is_long: bool) -> None:
        self._is_long = is_long
        self.trade_id: int | None = None
        # How many prices came with a trade id.
        self.stamps = 0
        # By falling extreme, so that the next to rise is the last; groups without members may lie between.
        self._groups: list[Group] = []
        # The stops of those that stand, and the highest of each group but the last one: negated, for the heap.
        self._stops: list[tuple[Decimal, int, Seat]] = []
        self._tops: list[tuple[Decimal, int, int, Group]] = []
        self._moved: list[Group] = []
        self._serial = self._size = self._empty = 0
        self._hit_at, self._rise_at = NEVER_HIT, NEVER_RISES

    def signed(self, price: Decimal) -> Decimal:
        """A price in which up is good, and back."""
        return price if self._is_long else price.copy_negate()

    @property
    def has_moved(self) -> bool:
        """Whether a stop has moved since they were last taken."""
        return bool(self._moved)

    # Coming and going.

    def join(self, watch: Watch, number: int) -> None:
        """Let a watch observe from the next price on; numbers rise."""
        group = Group(self.signed(watch.extreme))
        self._serial += 1
        seat = Seat(self, watch, number, self._serial, group)
        group.put(seat)
        self._size += 1
        if not seat.follows:
            heappush(self._stops, (seat.stop.copy_negate(), seat.serial, seat))
        self._insert(group)
        watch.seat = seat
        self._tidy()

    def leave(self, watch: Watch) -> bool:
        """Take a watch out, as it stands; True when its stop has moved since those that moved were last taken."""
        seat = watch.seat
        assert isinstance(seat, Seat), watch
        seat.bring_up()
        self._vacate(seat)
        self._tidy()
        return seat.follows and seat.group.has_moved

    def seat_again(self, seat: Seat) -> None:
        """Take the seat's place anew from its watch, which has got another stop."""
        self._vacate(seat)
        self.join(seat.watch, seat.number)

    def take_moved(self) -> list[int]:
        """The numbers of those whose stop has moved since the last call, in the order of joining."""
        found = []
        for group in self._moved:
            if group.has_moved:
                found += [seat.number for _, _, seat in group.following if seat.is_taken]
                group.has_moved = False
        self._moved = []
        found.sort()
        return found

    def _insert(self, group: Group) -> None:
        groups = self._groups
        low, high = 0, len(groups)
        while low < high:
            middle = (low + high) // 2
            if groups[middle].extreme >= group.extreme:
                low = middle + 1
            else:
                high = middle
        if low < len(groups):
            self._push_top(group)
        elif groups:
            self._push_top(groups[-1])
        groups.insert(low, group)

    def _vacate(self, seat: Seat) -> None:
        seat.is_taken = False
        seat.watch.seat = None
        self._size -= 1
        self._empty += 1
        group = seat.group
        group.size -= 1
        if group.following and group.following[0][2] is seat:
            group.find_top()
            self._push_top(group)

    # Observing.

    def observe(self, price: Decimal, trade_id: int | None) -> list[Seat]:
        """Take the next price in order; those that it hits have left, as they stood, in the order of joining."""
        price = self.signed(price)
        if trade_id is not None:
            self.trade_id = trade_id
            self.stamps += 1
        hit = self._take_hit(price) if price <= self._hit_at else []
        if price > self._rise_at:
            self._rise(price)
        return hit

    def glance(self, price: Decimal) -> list[Seat]:
        """Take a polled price, which moves nothing; those that it hits have left."""
        price = self.signed(price)
        return self._take_hit(price) if price <= self._hit_at else []

    def _rise(self, price: Decimal) -> None:
        groups = self._groups
        lead = groups.pop()
        while groups and groups[-1].extreme < price:
            lead = lead.joined(groups.pop())
        groups.append(lead)
        lead.rise(price)
        if lead.following and not lead.has_moved:
            lead.has_moved = True
            self._moved.append(lead)
        self._rise_at = price
        self._find_hit_at()

    def _take_hit(self, price: Decimal) -> list[Seat]:
        hit: list[Seat] = []
        stops, tops, touched = self._stops, self._tops, []
        while stops and (not _stands(stops[0]) or price <= stops[0][0].copy_negate()):
            entry = heappop(stops)
            if _stands(entry):
                hit.append(entry[2])
        self._groups[-1].take_hit(price, hit)
        while tops and (not _counts(tops[0]) or price <= tops[0][0].copy_negate()):
            *_, version, group = heappop(tops)
            if group.size and group.version == version:
                group.take_hit(price, hit)
                touched.append(group)
        for seat in hit:
            seat.bring_up()
            self._vacate(seat)
        for group in touched:
            self._push_top(group)
        self._tidy()
        hit.sort(key=_number)
        return hit

    def _push_top(self, group: Group) -> None:
        if group.size and group.following:
            self._serial += 1
            heappush(self._tops, (group.top.copy_negate(), self._serial, group.version, group))

    def _tidy(self) -> None:
        """See who is next, and clear away what has no members any more, at the latest when that is half of it."""
        groups = self._groups
        if self._empty > max(_EMPTY_MAX, self._size):
            self._clear()
        while groups and not groups[-1].size:
            groups.pop()
        self._rise_at = groups[-1].extreme if groups else NEVER_RISES
        self._find_hit_at()

    def _clear(self) -> None:
        self._empty = 0
        self._groups = [group for group in self._groups if group.size]
        self._moved = [group for group in self._moved if group.size]
        self._stops = [entry for entry in self._stops if _stands(entry)]
        self._tops = [entry for entry in self._tops if _counts(entry)]
        heapify(self._stops)
        heapify(self._tops)
        for group in self._groups:
            group.clear()

    def _find_hit_at(self) -> None:
        stops, tops = self._stops, self._tops
        while stops and not _stands(stops[0]):
            heappop(stops)
        while tops and not _counts(tops[0]):
            heappop(tops)
        highest = self._groups[-1].top if self._groups else NEVER_HIT
        if stops:
            highest = max(highest, stops[0][0].copy_negate())
        if tops:
            highest = max(highest, tops[0][0].copy_negate())
        self._hit_at = highest


def _stands(entry: tuple[Decimal, int, Seat]) -> bool:
    return entry[2].is_taken and not entry[2].follows


def _counts(entry: tuple[Decimal, int, int, Group]) -> bool:
    return entry[3].size > 0 and entry[3].version == entry[2]


def _number(seat: Seat) -> int:
    return seat.number
