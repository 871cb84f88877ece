"""What is remembered of the last copy: by `robson backup` for `robsonctl journal`, and never in the copy's way."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from robson.__main__ import main
from robson.ports.journal import LastBackup
from robson.store.backup import JOURNAL_NAME
from robson.store.backups import LAST_BACKUP_NAME, last_backup, remember_backup
from tests.unit.store.test_backup import arm, opened

MADE = LastBackup(file="/somewhere/copy.db", at=datetime(2026, 5, 6, tzinfo=UTC), last_seq=7, size=4096)


def test_the_last_copy_is_remembered_privately(tmp_path: Path) -> None:
    journal = tmp_path / JOURNAL_NAME
    assert last_backup(journal) is None
    remember_backup(journal, MADE)
    assert last_backup(journal) == MADE
    assert (tmp_path / LAST_BACKUP_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [LAST_BACKUP_NAME]


@pytest.mark.parametrize("kept", [b"", b"nonsense", b"{}", b'{"file":1}'])
def test_what_makes_no_sense_is_no_copy(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / LAST_BACKUP_NAME).write_bytes(kept)
    assert last_backup(tmp_path / JOURNAL_NAME) is None


def test_robson_backup_remembers_it_and_the_journal_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, target = tmp_path / "state", tmp_path / "copy.db"
    state.mkdir()
    journal = opened(state)
    arm(journal, "one")
    assert journal.measure().last_backup is None
    before = datetime.now(UTC)  # noqa: TID251  the command has the machine's clock
    monkeypatch.setattr("sys.argv", ["robson", "backup", str(target), "--state-dir", str(state)])
    assert main() == 0
    size = journal.measure()
    assert size.last_backup is not None
    assert size.last_backup.at >= before
    assert (size.last_backup.file, size.last_backup.last_seq) == (str(target), 1)
    assert size.last_backup.size == target.stat().st_size
    assert size.size >= (state / JOURNAL_NAME).stat().st_size
    journal.close()


def test_a_copy_is_whole_although_it_cannot_be_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state, target = tmp_path / "state", tmp_path / "copy.db"
    state.mkdir()
    journal = opened(state)
    arm(journal, "one")
    (state / LAST_BACKUP_NAME).mkdir()
    monkeypatch.setattr("sys.argv", ["robson", "backup", str(target), "--state-dir", str(state)])
    assert main() == 0
    assert target.exists()
    assert "was not noted beside the journal" in capsys.readouterr().err
    assert not list(state.glob("*.part"))
    journal.close()
