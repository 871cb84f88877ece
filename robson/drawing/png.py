"""A scene as PNG, through Pillow: its own font comes with it, so that a server without fonts draws the same."""

import io
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from robson.drawing.scene import BAND_OPACITY, COLOURS, Area, Line, Scene, Spot, Text

_ANCHORS = {"start": "lm", "middle": "mm", "end": "rm"}
# Drawn larger and made smaller: Pillow's lines have hard edges.
_OVER = 3


def to_png(scene: Scene, *, width: int) -> bytes:
    """The picture `width` pixels wide, in the light theme."""
    scale = width / scene.width
    large = scale * _OVER
    size = round(scene.width * large), round(scene.height * large)
    image = Image.new("RGB", size, COLOURS["paper"][0])
    draw = ImageDraw.Draw(image)
    for part in scene.parts:
        match part:
            case Line():
                _line(draw, part, large)
            case Area():
                draw.polygon([(x * large, y * large) for x, y in part.spots], fill=_fill(part))
            case Text():
                pass
    image = image.resize((width, round(scene.height * scale)), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    for text in scene.texts:
        _text(draw, text, scale)
    held = io.BytesIO()
    image.save(held, "PNG", optimize=True)
    return held.getvalue()


def _line(draw: ImageDraw.ImageDraw, line: Line, scale: float) -> None:
    colour, width = COLOURS[line.role][0], max(1, round(line.width * scale))
    spots = [(x * scale, y * scale) for x, y in line.spots]
    if line.dash is None:
        draw.line(spots, fill=colour, width=width, joint="curve")
        return
    for one, other in pairwise(spots):
        for begin, end in _dashes(one, other, line.dash[0] * scale, line.dash[1] * scale):
            draw.line([begin, end], fill=colour, width=width)


def _dashes(one: Spot, other: Spot, on: float, off: float) -> list[tuple[Spot, Spot]]:
    length = ((other[0] - one[0]) ** 2 + (other[1] - one[1]) ** 2) ** 0.5
    if not length:
        return []

    def at(way: float) -> Spot:
        part = min(way, length) / length
        return one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part

    return [(at(step * (on + off)), at(step * (on + off) + on)) for step in range(int(length / (on + off)) + 1)]


def _fill(area: Area) -> str | tuple[int, int, int]:
    colour = COLOURS[area.role][0]
    if area.role != "band":
        return colour
    # Nothing of weight lies under a band: its colour on paper is as good as a transparent one.
    inked, paper = (tuple(bytes.fromhex(text[1:])) for text in (colour, COLOURS["paper"][0]))
    red, green, blue = (round(i * BAND_OPACITY + p * (1 - BAND_OPACITY)) for i, p in zip(inked, paper, strict=True))
    return red, green, blue


def _text(draw: ImageDraw.ImageDraw, text: Text, scale: float) -> None:
    font = ImageFont.load_default(text.size * scale)
    stroke = text.size * scale * 0.022 if text.bold else 0
    draw.text(
        (text.x * scale, text.y * scale),
        text.text,
        fill=COLOURS[text.role][0],
        font=font,
        anchor=_ANCHORS[text.anchor],
        stroke_width=stroke,
    )
