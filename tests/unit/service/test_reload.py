"""Settings that are read again: what may change does, anything else changes nothing."""

from pathlib import Path

import pytest
from trio.testing import MockClock

from robson.config import Settings, load
from robson.domain.errors import ConfigurationError
from robson.service.reload import CHANGEABLE, Reloader, differences
from robson.service.signals import reload
from tests.rig import Rig
from tests.unit.service.manager import Heard, announcer_of

RUNBOOK = Path(__file__).resolve().parents[3] / "docs" / "RUNBOOK.md"
BEFORE = '[account]\ncapital = "500"\n[paper]\nlatency_ms = 1\n'


class File:
    """robson.toml, and what was made of it."""

    def __init__(self, directory: Path, text: str) -> None:
        self.path = directory / "robson.toml"
        self.write(text)
        self.applied: list[Settings] = []
        self.reloader = Reloader(self.read(), self.read, self.applied.append)

    def write(self, text: str) -> None:
        self.path.write_text(text)

    def read(self) -> Settings:
        return load(self.path, {}, {})


def test_what_may_change_does(tmp_path: Path) -> None:
    file = File(tmp_path, BEFORE)
    file.write(BEFORE.replace("500", "700") + '[log]\nlevel = "debug"\n')
    assert file.reloader.reload() == ["account.capital", "log.level"]
    assert file.applied[0].account.capital == "700"
    assert file.reloader.reload() == []


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ('[feed]\nsource = "synthetic"\n', "feed.source"),
        ('[http]\nlisten = "127.0.0.1:1"\n', "http.listen"),
        ('[log]\nlevel = "debug"\n[control]\nsocket = "/run/secret"\n', "control.socket may not change"),
    ],
)
def test_what_may_not_change_keeps_everything_as_it_was(tmp_path: Path, more: str, named: str) -> None:
    file = File(tmp_path, BEFORE)
    file.write(BEFORE + more)
    with pytest.raises(ConfigurationError, match=named) as refused:
        file.reloader.reload()
    assert "/run/secret" not in str(refused.value), "a value may be secret"
    assert file.applied == []


@pytest.mark.parametrize("text", ["[account\n", '[account]\ncapital = "-1"\n', '[account]\ncapitol = "1"\n'])
def test_a_broken_file_keeps_the_old_settings(tmp_path: Path, text: str) -> None:
    file = File(tmp_path, BEFORE)
    file.write(text)
    with pytest.raises(ConfigurationError):
        file.reloader.reload()
    assert file.applied == []


def test_a_table_of_any_keys_is_compared_key_by_key(tmp_path: Path) -> None:
    file = File(tmp_path, BEFORE)
    before = file.read()
    file.write(BEFORE.replace("= 1", "= 2"))
    assert differences(before, file.read()) == ["paper.latency_ms"]


async def test_the_manager_hears_of_a_reload_and_of_its_refusal(tmp_path: Path, autojump_clock: MockClock) -> None:
    file, heard = File(tmp_path, BEFORE), Heard()
    async with Rig(tmp_path).running() as rig:
        announcer = announcer_of(rig, heard)
        announcer.is_ready = True
        file.write("[account\n")
        reload(announcer, file.reloader)
        assert heard.told[0] == "RELOADING=1"
        assert heard.told[1].startswith("MONOTONIC_USEC=")
        assert heard.told[2] == "READY=1"
        assert "reload refused: configuration file" in heard.status
        file.write(BEFORE)
        reload(announcer, file.reloader)
        assert heard.count("READY=1") == 2
        assert "refused" not in heard.status


async def test_a_reload_during_the_recovery_makes_nothing_ready(tmp_path: Path, autojump_clock: MockClock) -> None:
    file, heard = File(tmp_path, BEFORE), Heard()
    async with Rig(tmp_path).running() as rig:
        reload(announcer_of(rig, heard), file.reloader)
    assert not {"READY=1", "RELOADING=1"} & set(heard.told)


def test_the_runbook_lists_what_may_change() -> None:
    text = RUNBOOK.read_text("utf-8")
    assert all(f"`{key}`" in text for key in CHANGEABLE)
