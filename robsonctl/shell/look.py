"""Colours of the shell: calm on paper, red where the money is real, and readable without any."""

from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle, Style

_COMMON = {
    "bar": "",
    "bar.good": "#87d787",
    "bar.bad": "#ff8787",
    "bar.warning": "#ffd75f bold",
    "bar.alarm": "bg:#d70000 #ffffff bold",
    "bar.live": "bg:#d70000 #ffffff bold",
    "bar.paper": "bg:#005f87 #ffffff",
    "auto-suggestion": "#808080",
    "completion-menu": "bg:#303030 #d0d0d0",
    "completion-menu.completion.current": "bg:#5f87af #ffffff noreverse",
    "completion-menu.meta.completion": "bg:#262626 #a8a8a8",
    "completion-menu.meta.completion.current": "bg:#3a5f87 #ffffff",
}
_PAPER = Style.from_dict({**_COMMON, "bottom-toolbar": "noreverse bg:#262626 #d0d0d0", "prompt": "#87afd7 bold"})
_LIVE = Style.from_dict({**_COMMON, "bottom-toolbar": "noreverse bg:#5f0000 #ffffff", "prompt": "#ff5f5f bold"})
# Bold, reverse and nothing else: what shouts on a reversed line is not reversed.
_PLAIN = Style.from_dict(
    {
        "bottom-toolbar": "reverse",
        "bar.alarm": "noreverse bold",
        "bar.live": "noreverse bold",
        "bar.warning": "bold",
        "prompt": "bold",
    }
)


def look(mode: str, *, coloured: bool) -> BaseStyle:
    """The style for a mode."""
    if not coloured:
        return _PLAIN
    return _LIVE if mode == "live" else _PAPER


def depth(*, coloured: bool) -> ColorDepth:
    """How many colours: 256, which every terminal of today has, or none."""
    return ColorDepth.DEPTH_8_BIT if coloured else ColorDepth.DEPTH_1_BIT
