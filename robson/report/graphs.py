"""The report's own pictures: the sum of results with its drawdown, and how often which multiple of R was reached."""

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from robson.drawing import scale
from robson.drawing.scene import Line, Role, Scene, Text, rectangle
from robson.report.figures import Account, Row

WIDTH = 960.0
_LEFT, _RIGHT = 18.0, 120.0
_SIZE, _TITLE = 12.0, 15.0
# Beyond these an R is counted in the last bar of its side.
_R_LOW, _R_HIGH, _R_STEP = -3.0, 6.0, 0.5


def equity_scene(account: Account) -> Scene:
    """The sum of net results over time, and below it how far it was from its best."""
    scene = Scene(WIDTH, 400, f"Net result and drawdown in {account.quote}")
    worst = min((amount for _, amount in account.drawdown), default=Decimal(0))
    scene.add(Text(_LEFT, 18, f"Net result, {account.quote}", "ink", _TITLE, bold=True))
    scene.add(Text(_LEFT, 262, f"Drawdown, at most {-worst:.2f} {account.quote}", "ink", _TITLE, bold=True))
    begin = min((row.entered_at or row.armed_at for row in account.rows), default=None)
    end = account.equity[-1][0] if account.equity else None
    if begin is None or end is None or end <= begin:
        return scene
    _curve(scene, (begin, end), account.equity, 36, 232, fill=False)
    _curve(scene, (begin, end), account.drawdown, 280, 366, fill=True)
    right = WIDTH - _RIGHT
    moments = scale.time_steps(begin, end, 7)
    form, edge = scale.time_form(moments), 0.0
    for moment in moments:
        x = _LEFT + (moment - begin) / (end - begin) * (right - _LEFT)
        label = Text(x, 384, f"{moment:{form}}", "muted", _SIZE, "middle")
        if label.box[0] >= edge and label.box[2] <= right + 8:
            scene.add(label)
            edge = label.box[2] + 8
    scene.add(Text(right + 12, 384, "UTC", "muted", _SIZE))
    return scene


def _curve(
    scene: Scene,
    span: tuple[datetime, datetime],
    curve: Sequence[tuple[datetime, Decimal]],
    top: float,
    bottom: float,
    *,
    fill: bool,
) -> None:
    begin, end = span
    right = WIDTH - _RIGHT
    amounts = [0.0, *(float(amount) for _, amount in curve)]
    low, high = min(amounts), max(amounts)
    if high == low:
        low, high = low - 1, high + 1

    def x(moment: datetime) -> float:
        return _LEFT + (moment - begin) / (end - begin) * (right - _LEFT)

    def y(amount: float) -> float:
        return bottom - (amount - low) / (high - low) * (bottom - top)

    for step in scale.price_steps(low, high, 2, 5 if bottom - top > 100 else 3):
        scene.add(Line(((_LEFT, y(float(step))), (right, y(float(step)))), "grid"))
        scene.add(Text(right + 12, y(float(step)), f"{step:f}", "muted", _SIZE))
    spots = [(_LEFT, y(0.0))]
    for moment, amount in curve:
        spots += [(x(moment), spots[-1][1]), (x(moment), y(float(amount)))]
    if fill:
        for one, other in pairwise(spots):
            if other[0] > one[0] and one[1] != y(0.0):
                scene.add(rectangle(one[0], y(0.0), other[0], one[1], "band"))
    scene.add(Line(((_LEFT, y(0.0)), (right, y(0.0))), "muted"))
    scene.add(Line(tuple(spots), "loss" if fill else "price", 1.8))


def r_scene(rows: Sequence[Row]) -> Scene:
    """How many positions ended in which half R."""
    scene = Scene(WIDTH, 260, "R-multiples")
    multiples = [float(row.r_multiple) for row in rows if row.r_multiple is not None]
    average = sum(multiples) / len(multiples) if multiples else 0.0
    told = f"R-multiples of {len(multiples)} positions, {average:+.2f} on average" if multiples else "R-multiples: none"
    scene.add(Text(_LEFT, 18, told, "ink", _TITLE, bold=True))
    bars = round((_R_HIGH - _R_LOW) / _R_STEP)
    counts = [0] * bars
    for multiple in multiples:
        counts[min(bars - 1, max(0, math.floor((multiple - _R_LOW) / _R_STEP)))] += 1
    top, bottom, most = 52.0, 220.0, max([*counts, 1])
    wide = (WIDTH - 2 * _LEFT) / bars
    for number, count in enumerate(counts):
        left = _LEFT + number * wide
        if count:
            height = max(1.0, count / most * (bottom - top))
            role: Role = "profit" if _R_LOW + number * _R_STEP >= 0 else "loss"
            scene.add(rectangle(left + 3, bottom - height, left + wide - 3, bottom, role))
            scene.add(Text(left + wide / 2, bottom - height - 10, str(count), "ink", _SIZE, "middle"))
    for number in range(0, bars + 1, 2):
        value = _R_LOW + number * _R_STEP
        edge = "≤ " if number == 0 else "≥ " if number == bars else ""
        anchor = 14.0 if number == 0 else -14.0 if number == bars else 0.0
        scene.add(
            Text(
                _LEFT + number * wide + anchor,
                bottom + 18,
                f"{edge}{value:+.0f}".replace("+0", "0"),
                "muted",
                _SIZE,
                "middle",
            )
        )
    scene.add(Line(((_LEFT, bottom), (WIDTH - _LEFT, bottom)), "muted"))
    return scene
