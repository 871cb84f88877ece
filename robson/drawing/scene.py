"""What a picture is made of before it is SVG or PNG: lines, areas and texts in logical pixels, each with a role."""

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["paper", "ink", "muted", "grid", "gap", "price", "band", "stop", "entry", "profit", "loss", "flat"]
Anchor = Literal["start", "middle", "end"]
Spot = tuple[float, float]

# Light and dark, each readable on its own paper; colours that the usual kinds of colour blindness keep apart.
COLOURS: dict[Role, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1b2129", "#e6eaf0"),
    "muted": ("#5c6773", "#9aa6b4"),
    "grid": ("#e3e7ec", "#2a323c"),
    "gap": ("#eceff3", "#222932"),
    "price": ("#1f5fbf", "#6ea8fe"),
    "band": ("#1f5fbf", "#6ea8fe"),
    "stop": ("#c2410c", "#fb923c"),
    "entry": ("#6b3fa0", "#b794f4"),
    "profit": ("#0f766e", "#2dd4bf"),
    "loss": ("#be123c", "#fb7185"),
    "flat": ("#5c6773", "#9aa6b4"),
}
BAND_OPACITY = 0.22
# The widest digits of the fonts that may stand in, in ems; texts are placed as if every character were so wide.
CHARACTER = 0.64
LINE_HEIGHT = 1.25


@dataclass(frozen=True, slots=True)
class Line:
    """A line through several points; `dash` is on, off in pixels."""

    spots: tuple[Spot, ...]
    role: Role
    width: float = 1.0
    dash: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon."""

    spots: tuple[Spot, ...]
    role: Role


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; `y` is its middle."""

    x: float
    y: float
    text: str
    role: Role = "ink"
    size: float = 12.0
    anchor: Anchor = "start"
    bold: bool = False

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the room that it may need."""
        width = len(self.text) * self.size * CHARACTER
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        half = self.size * LINE_HEIGHT / 2
        return left, self.y - half, left + width, self.y + half


@dataclass(slots=True)
class Scene:
    """A picture of a size in logical pixels; what comes later lies above."""

    width: float
    height: float
    title: str
    parts: list[Line | Area | Text] = field(default_factory=list)

    def add(self, *parts: Line | Area | Text) -> None:
        """Put parts on top."""
        self.parts.extend(parts)

    @property
    def texts(self) -> list[Text]:
        """Every text."""
        return [part for part in self.parts if isinstance(part, Text)]


def clipped(text: str, width: float, size: float) -> str:
    """As much of a text as has room in `width` pixels."""
    most = max(1, int(width / (size * CHARACTER)))
    return text if len(text) <= most else text[: most - 1] + "…"


def rectangle(left: float, top: float, right: float, bottom: float, role: Role) -> Area:
    """A filled rectangle."""
    return Area(((left, top), (right, top), (right, bottom), (left, bottom)), role)
