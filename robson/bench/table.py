"""A report as a table for people, alone or beside an older one."""

from collections.abc import Iterable, Iterator

from robson.bench.figure import Figure, Report

_ABOVE_NOISE = 1.1


def table(report: Report) -> str:
    """The machine, one line a figure, and the notes."""
    return "\n".join([*_head(report), "", *_aligned([_HEADINGS, *map(_row, report.figures)]), "", *_foot(report)])


def rows_of(figures: Iterable[Figure]) -> list[str]:
    """The lines of figures alone, with their notes."""
    listed = list(figures)
    notes = [f"{figure.name}: {figure.note}" for figure in listed if figure.note]
    return [*_aligned([_HEADINGS, *map(_row, listed)]), "", *notes]


def compared(old: Report, new: Report) -> str:
    """What changed: by the ratio to the baseline where both have one, by the plain value where not."""
    before = {figure.name: figure for figure in old.figures}
    rows: list[tuple[str, ...]] = [("figure", "before", "now", "now/before", "")]
    for figure in new.figures:
        earlier = before.pop(figure.name, None)
        if earlier is None:
            rows.append((figure.name, "", _measure(figure), "", "new"))
        else:
            rows.append((figure.name, _measure(earlier), _measure(figure), *_change(earlier, figure)))
    rows += [(name, _measure(figure), "", "", "gone") for name, figure in before.items()]
    return "\n".join([f"before: {old.machine.at}, Robson {old.machine.robson}", *_aligned(rows)])


_HEADINGS = ("figure", "ours", "bare", "ratio", "rounds", "target", "")


def _head(report: Report) -> Iterator[str]:
    machine = report.machine
    yield f"Robson {machine.robson}, Python {machine.python}, SQLite {machine.sqlite}, {machine.kernel}"
    yield (
        f"{machine.processor}, processors {', '.join(map(str, machine.cores))}"
        f" {'kept awake' if machine.kept_awake else 'left to sleep'}; {machine.rounds} rounds; {machine.at}"
    )
    slowed = f", EACH SYNC MADE {machine.sync_slowed_ms} ms LONGER" if machine.sync_slowed_ms else ""
    yield f"disk {machine.disk}{slowed}: a sync of 4 KiB took {machine.disk_sync_us:,.0f} us"
    if len(machine.cores) == 1:
        yield "ONE PROCESSOR: both sides, the venue and the clock between share it; nobody works while another does"
    yield f"load before {machine.load_before:.1f}, after {machine.load_after:.1f}"
    if machine.load_before > len(machine.cores) / 2:
        yield "BUSY: others wanted the processors before it began; medians' ratios may hold, tails do not"
    if machine.quick:
        yield "QUICK: it shows that everything runs; its figures are worth little"


def _foot(report: Report) -> Iterator[str]:
    for figure in report.figures:
        if figure.note:
            yield f"{figure.name}: {figure.note}"
    for name, why in report.failed.items():
        yield f"{name} was NOT MEASURED: {why}"


def _row(figure: Figure) -> tuple[str, ...]:
    ratios = figure.ratios
    spread = (
        f"{min(ratios):.2f}-{max(ratios):.2f}" if ratios else f"{_short(min(figure.ours))}-{_short(max(figure.ours))}"
    )
    return (
        figure.what,
        f"{_short(figure.value)} {figure.unit}",
        f"{_short(figure.baseline)} {figure.unit}" if figure.baseline is not None else "",
        f"{figure.ratio:.2f}x" if figure.ratio is not None else "",
        spread,
        _wanted(figure),
        figure.verdict,
    )


def _wanted(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{figure.target}{'' if figure.target.of == 'ratio' else ' ' + figure.unit}"


def _measure(figure: Figure) -> str:
    return f"{figure.ratio:.2f}x" if figure.ratio is not None else f"{_short(figure.value)} {figure.unit}"


def _change(earlier: Figure, figure: Figure) -> tuple[str, str]:
    both = earlier.ratio is not None and figure.ratio is not None
    then, now = (earlier.ratios, figure.ratios) if both else (earlier.ours, figure.ours)
    first = earlier.ratio if both else earlier.value
    second = figure.ratio if both else figure.value
    if not first or second is None:
        return "", ""
    apart = min(now) > max(then) or max(now) < min(then)
    by = second / first
    told = "outside the spread of both" if apart and not 1 / _ABOVE_NOISE < by < _ABOVE_NOISE else "within the noise"
    return f"{by:.2f}", told


def _short(value: float) -> str:
    size = abs(value)
    if size >= 1000:  # noqa: PLR2004 - three figures are more than the noise leaves
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if 0 < column < len(row) - 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
