"""What is shipped is what the lock names, for the target, and nothing else."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from release import wheels
from release.wheels import Target, asked_by, collect, pins, unpack

TARGET = Target("3.11", "x86_64", 36)


def wheel(folder: Path, name: str, *needs: str, files: tuple[str, ...] = ()) -> str:
    """Make a wheel; gives its line of the lock."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {need}" for need in needs)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", "\n".join(lines) + "\n")
        for file in (f"{name}/__init__.py", *files):
            archive.writestr(file, "")
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where wheels are; nothing is downloaded."""
    monkeypatch.setattr(wheels, "_download", lambda lines, target, folder: None)
    return tmp_path / "wheels"


def test_what_is_needed_and_what_that_needs_is_collected(folder: Path) -> None:
    lock = wheel(folder, "top", "middle", 'other; sys_platform == "win32"', 'extra_only; extra == "more"')
    lock += wheel(folder, "middle", "bottom") + wheel(folder, "bottom") + wheel(folder, "unasked")
    found = collect(["top"], lock, TARGET, folder)
    assert [each.name for each in found] == ["bottom", "middle", "top"]
    assert [each.needs for each in found] == [(), ("bottom",), ("middle",)]


def test_an_extra_that_somebody_asks_for_is_collected_even_late(folder: Path) -> None:
    lock = wheel(folder, "top", "middle") + wheel(folder, "middle", "side[more]", "side")
    lock += wheel(folder, "side", 'extra_only; extra == "more"') + wheel(folder, "extra_only").replace("_", "-", 1)
    assert "extra-only" in [each.name for each in collect(["top", "side"], lock, TARGET, folder)]


def test_a_marker_is_judged_by_the_target_and_not_by_this_machine() -> None:
    needs = ['typing; python_version < "3.12"', 'arm; platform_machine == "aarch64"']
    assert [wanted.name for wanted in asked_by(needs, (), TARGET.marks)] == ["typing"]
    assert [wanted.name for wanted in asked_by(needs, (), Target("3.13", "aarch64", 41).marks)] == ["arm"]


def test_pip_is_left_out(folder: Path) -> None:
    lock = wheel(folder, "top", "pip") + wheel(folder, "pip")
    assert [each.name for each in collect(["top"], lock, TARGET, folder)] == ["top"]


def test_what_the_lock_does_not_have_is_refused(folder: Path) -> None:
    lock = wheel(folder, "top", "missing")
    with pytest.raises(RuntimeError, match=r"requirements\.lock had no missing"):
        collect(["top"], lock, TARGET, folder)


def test_a_wheel_with_another_hash_is_refused(folder: Path) -> None:
    lock = wheel(folder, "top")
    with zipfile.ZipFile(folder / "top-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("top/evil.py", "")
    with pytest.raises(RuntimeError, match="is not in requirements.lock"):
        collect(["top"], lock, TARGET, folder)


def test_every_line_of_the_lock_is_read() -> None:
    text = (
        "one==1.0 ; sys_platform == 'x' \\\n    --hash=sha256:" + "a" * 64 + " \\\n    --hash=sha256:" + "b" * 64 + "\n"
    )
    assert pins(text) == {"one": f"one==1.0 --hash=sha256:{'a' * 64} --hash=sha256:{'b' * 64}"}


def test_modules_are_unpacked_and_scripts_are_not(folder: Path, tmp_path: Path) -> None:
    wheel(folder, "top", files=("top-1.0.data/scripts/run",))
    unpack(folder / "top-1.0-py3-none-any.whl", tmp_path / "out")
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert files == ["top-1.0.dist-info/METADATA", "top/__init__.py"]


def test_nothing_is_unpacked_beside_the_folder(folder: Path, tmp_path: Path) -> None:
    wheel(folder, "top", files=("../../evil.py",))
    with pytest.raises(RuntimeError, match="outside of itself"):
        unpack(folder / "top-1.0-py3-none-any.whl", tmp_path / "out")
    assert not (tmp_path / "evil.py").exists()
