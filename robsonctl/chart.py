"""The command that draws a position: in the terminal, as a picture file, or as its points."""

import os
import sys
from pathlib import Path

from robson.domain.codec import decode
from robson.protocol.charting import ChartRequest, ChartResult
from robsonctl.exits import Ended, Exit
from robsonctl.ranges import FORMS
from robsonctl.session import Session

# Points for a terminal: two for each column of the widest that anybody has.
_TERMINAL_POINTS = 400


def chart(session: Session) -> int:
    """Draw a position."""
    form = session.options.form
    to_file = form not in FORMS
    position_id = session.position_id(session.options.position)
    points = _TERMINAL_POINTS if form == "table" else None
    raw = session.daemon.ask(ChartRequest(position_id=position_id, points=points))
    if to_file:
        _write(Path(form), decode(raw, ChartResult), session.options.width)
        # For whoever sits there; a script has the exit code.
        if sys.stderr is not None and sys.stderr.isatty():
            sys.stderr.write(f"wrote {form}\n")
        return Exit.OK
    session.output.show(raw, lambda: _text(decode(raw, ChartResult), session), rows="points")
    return Exit.OK


def _text(result: ChartResult, session: Session) -> str:
    import shutil

    from robsonctl.chart_text import Screen, chart_text

    columns, lines = shutil.get_terminal_size((80, 24))
    screen = Screen(columns=columns, lines=lines, braille=knows_braille(), zone=None)
    return chart_text(result, screen, session.paint)


def knows_braille() -> bool:
    """Whether the terminal's own characters include the dots: not in a locale of another encoding, or of none."""
    asked = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := os.environ.get(name))), "")
    if asked in {"C", "POSIX"}:
        return False
    try:
        "⣿░".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _write(path: Path, result: ChartResult, width: int) -> None:
    from robson.drawing.chart import draw_chart

    scene = draw_chart(result)
    if path.suffix.lower() == ".svg":
        from robson.drawing.svg import to_svg

        content = to_svg(scene, width=width).encode()
    else:
        try:
            from robson.drawing.png import to_png
        except ImportError as error:
            raise Ended(
                Exit.REFUSED,
                f"{path} was not drawn: a PNG needs the package Pillow, which is not installed",
                code="no_pillow",
                hint="pip install 'robson[png]', or ask for an .svg, which needs nothing more",
            ) from error
        content = to_png(scene, width=width)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise Ended(Exit.REFUSED, f"{path} was not written: {error.strerror}", code="not_written") from error
