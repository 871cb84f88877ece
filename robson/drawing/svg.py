"""A scene as SVG: self-contained, escaped, without script, light or dark as the reader's screen is."""

import unicodedata

from robson.drawing.scene import BAND_OPACITY, COLOURS, Area, Line, Scene, Spot, Text

_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


def style_sheet() -> str:
    """The rules for the roles, in both themes; one for each page or picture.

    Colours stand in the rules themselves: many a viewer knows no variables.
    """
    light, dark = (
        "".join(f".l-{role}{{stroke:{pair[n]}}}.a-{role}{{fill:{pair[n]}}}" for role, pair in COLOURS.items())
        for n in (0, 1)
    )
    return (
        f"svg text{{font-family:{_FONT};font-variant-numeric:tabular-nums}}svg polyline{{fill:none}}"
        f".l-price,.l-stop{{stroke-linejoin:round}}.a-band{{fill-opacity:{BAND_OPACITY}}}{light}"
        f"@media screen and (prefers-color-scheme:dark){{{dark}}}"
    )


def to_svg(scene: Scene, *, width: int | None = None, alone: bool = True) -> str:
    """The picture as a file of its own, `width` pixels wide; not `alone`, as a part of a page that has the style."""
    size = f' width="{width}" height="{round(width * scene.height / scene.width)}"' if width is not None else ""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_number(scene.width)} {_number(scene.height)}"{size}'
    lines = [f'{head} role="img" aria-label="{escaped(scene.title)}">', f"<title>{escaped(scene.title)}</title>"]
    if alone:
        lines.insert(0, '<?xml version="1.0" encoding="UTF-8"?>')
        lines.append(f"<style>{style_sheet()}</style>")
    lines += [f'<rect class="a-paper" width="{_number(scene.width)}" height="{_number(scene.height)}"/>']
    lines += [_part(part) for part in scene.parts]
    return "\n".join([*lines, "</svg>"]) + "\n"


def escaped(text: str) -> str:
    """Somebody's text as XML or HTML may hold it, in content and in quotes; what neither can hold is replaced."""
    held = "".join(character if _is_held(character) else "\ufffd" for character in text)
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        held = held.replace(plain, entity)
    return held


def _is_held(character: str) -> bool:
    # Controls and halves of surrogates are no XML; marks that turn the direction of writing would hide what is there.
    return character in "\t\n" or not unicodedata.category(character).startswith("C")


def _part(part: Line | Area | Text) -> str:
    match part:
        case Line():
            dash = f' stroke-dasharray="{part.dash[0]} {part.dash[1]}"' if part.dash else ""
            return (
                f'<polyline class="l-{part.role}" stroke-width="{_number(part.width)}"{dash} '
                f'points="{_points(part.spots)}"/>'
            )
        case Area():
            return f'<polygon class="a-{part.role}" points="{_points(part.spots)}"/>'
        case Text():
            bold = ' font-weight="600"' if part.bold else ""
            return (
                f'<text class="a-{part.role}" x="{_number(part.x)}" y="{_number(part.y)}" dy=".35em" '
                f'font-size="{_number(part.size)}" text-anchor="{part.anchor}"{bold}>{escaped(part.text)}</text>'
            )


def _points(spots: tuple[Spot, ...]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in spots)


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
