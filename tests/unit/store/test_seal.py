"""The seal is whole only for the very run, boot and journal that left it so, and gone before anything is unwritten."""

import os
from pathlib import Path

import pytest

from robson.ports import Seal
from robson.store.seal import JOURNAL_NAME, MEMORY, FileSeal


def seal(state: Path, boot_id: str = "boot-1") -> FileSeal:
    return FileSeal(state, place=state, boot_id=boot_id)


def test_a_run_that_was_killed_leaves_it_whole_for_the_next_one_only(tmp_path: Path) -> None:
    first: Seal = seal(tmp_path)
    assert not first.is_whole(0)
    first.apply(1)
    assert seal(tmp_path).is_whole(1)
    assert not seal(tmp_path).is_whole(2)


def test_torn_it_stays_torn(tmp_path: Path) -> None:
    first = seal(tmp_path)
    first.apply(1)
    first.tear()
    first.tear()
    assert not seal(tmp_path).is_whole(1)


def test_another_boot_another_journal_or_an_unknown_boot_has_none(tmp_path: Path) -> None:
    (tmp_path / JOURNAL_NAME).touch()
    seal(tmp_path).apply(1)
    assert not seal(tmp_path, "boot-2").is_whole(1)
    assert seal(tmp_path).is_whole(1)
    (tmp_path / "restored").touch()
    (tmp_path / "restored").replace(tmp_path / JOURNAL_NAME)
    assert not seal(tmp_path).is_whole(1)
    seal(tmp_path, "").apply(1)
    assert not seal(tmp_path, "").is_whole(1)


@pytest.mark.parametrize("text", [b"", b"{", b"{}", b'{"boot_id":"boot-1","journal":"","epoch":"1"}'])
def test_what_cannot_be_read_is_torn(tmp_path: Path, text: bytes) -> None:
    seal(tmp_path).path.write_bytes(text)
    assert not seal(tmp_path).is_whole(1)


def test_a_link_or_another_users_file_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal(tmp_path).apply(1)
    path = seal(tmp_path).path
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert not seal(tmp_path).is_whole(1)
    path.unlink()
    seal(tmp_path).apply(1)
    stranger = seal(tmp_path)
    stranger._owner += 1
    monkeypatch.setattr("os.geteuid", lambda: stranger._owner)
    assert not stranger.is_whole(1)


def test_where_it_cannot_be_written_or_removed_nothing_is_raised(tmp_path: Path) -> None:
    lost = FileSeal(tmp_path, place=tmp_path / "nowhere", boot_id="boot-1")
    lost.apply(1)
    lost.tear()
    assert not lost.is_whole(1)


def test_what_cannot_be_removed_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = seal(tmp_path)
    first.apply(1)

    def refused(_path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(Path, "unlink", refused)
    first.tear()
    assert not first.is_whole(1)


def test_it_is_kept_in_memory_under_a_name_of_the_state_directory(tmp_path: Path) -> None:
    kept = FileSeal(tmp_path)
    assert kept.path.parent == (MEMORY if os.access(MEMORY, os.W_OK) else tmp_path)
    (tmp_path / "other").mkdir()
    assert FileSeal(tmp_path / "other").path.name != kept.path.name
    kept.apply(4)
    assert kept.is_whole(4)
    assert kept.path.stat().st_mode & 0o777 == 0o600
    kept.tear()
    assert not kept.path.exists()
