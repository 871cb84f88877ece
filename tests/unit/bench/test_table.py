"""The table of a report, and two reports side by side."""

from collections.abc import Sequence

from msgspec.structs import replace

from robson.bench.figure import Figure, Machine, Report, Target
from robson.bench.table import compared, rows_of, table

MACHINE = Machine(
    at="2026-11-22T10:00:00+00:00",
    robson="1",
    python="3.11.7",
    sqlite="3.40.1",
    kernel="Linux 6",
    processor="a processor",
    cores=(0, 1),
    kept_awake=True,
    rounds=3,
    quick=False,
    disk="ext4",
    disk_sync_us=150.4,
    load_before=0.5,
)
FAST = Figure("a.fast", "the fast one", "us", (10.0, 11.0, 12.0), (10.0, 10.0, 10.0), Target(1.5, beyond=1.2))
SLOW = Figure("b.slow", "the slow one", "us", (90.0, 60.0, 30.0), (10.0, 10.0, 10.0), Target(4), "the disk")
PLAIN = Figure("c.plain", "memory", "MiB", (70.0,), target=Target(64, of="value"))


def report(*figures: Figure, failed: Sequence[str] = ()) -> Report:
    return Report(machine=MACHINE, figures=figures, failed=dict.fromkeys(failed, "OSError: no room"))


def test_each_row_of_a_target_ends_in_its_verdict() -> None:
    lines = table(report(FAST, SLOW, PLAIN)).splitlines()
    fast, slow, plain = (next(line for line in lines if line.startswith(word)) for word in ("the f", "the s", "mem"))
    assert fast.split() == [
        "the",
        "fast",
        "one",
        "11",
        "us",
        "10",
        "us",
        "1.10x",
        "1.00-1.20",
        "<=",
        "1.5x",
        "MET,",
        "and",
        "beyond",
    ]
    assert " ".join(slow.split()) == "the slow one 60 us 10 us 6.00x 3.00-9.00 <= 4x MISSED"
    assert " ".join(plain.split()) == "memory 70 MiB 70-70 <= 64 MiB MISSED"
    assert "b.slow: the disk" in lines


def test_what_was_not_measured_is_said_and_how_it_was_measured() -> None:
    told = table(report(FAST, failed=("feed",)))
    assert "feed was NOT MEASURED: OSError: no room" in told
    assert "processors 0, 1 kept awake; 3 rounds" in told
    assert "QUICK" not in told
    quick = Report(machine=replace(MACHINE, quick=True, kept_awake=False), figures=())
    assert "QUICK" in table(quick)
    assert "left to sleep" in table(quick)


def test_one_processor_and_a_slowed_disk_stand_in_the_head() -> None:
    assert "ONE PROCESSOR" not in table(report(FAST))
    assert "LONGER" not in table(report(FAST))
    told = table(Report(machine=replace(MACHINE, cores=(0,), sync_slowed_ms=20, disk_sync_us=20_186), figures=()))
    assert "ONE PROCESSOR" in told
    assert "disk ext4, EACH SYNC MADE 20 ms LONGER: a sync of 4 KiB took 20,186 us" in told


def test_a_busy_machine_is_told_of() -> None:
    assert "BUSY" not in table(report(FAST))
    assert "BUSY" in table(Report(machine=replace(MACHINE, load_before=1.1), figures=()))
    assert "BUSY" in table(Report(machine=replace(MACHINE, load_before=0.6, cores=(0,)), figures=()))


def test_a_change_counts_only_outside_the_spread_of_both() -> None:
    better = replace(SLOW, ours=(20.0, 21.0, 22.0))
    noisy = replace(FAST, ours=(10.0, 13.0, 14.0))
    new = Figure("d.new", "new", "us", (1.0,))
    lines = compared(report(FAST, SLOW, PLAIN), report(noisy, better, new)).splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert rows["b.slow"].split() == ["b.slow", "6.00x", "2.10x", "0.35", "outside", "the", "spread", "of", "both"]
    assert rows["a.fast"].endswith("within the noise")
    assert rows["d.new"].split() == ["d.new", "1", "us", "new"]
    assert rows["c.plain"].split() == ["c.plain", "70", "MiB", "gone"]


def test_figures_alone_have_headings_and_notes() -> None:
    figure = Figure("a.b", "what it is", "us", (3.0,), (1.0,), Target(2), "why it is so")
    lines = rows_of([figure])
    assert lines[0].split() == ["figure", "ours", "bare", "ratio", "rounds", "target"]
    assert lines[1].startswith("what it is")
    assert lines[1].endswith("MISSED")
    assert lines[-1] == "a.b: why it is so"
