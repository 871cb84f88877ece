"""The shell in a real pseudo-terminal before a real daemon: what a person types and what stands on the screen."""

import os
import re
import signal
import stat
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemon import Daemon, daemon
from tests.end_to_end.terminal import Person, person, surroundings


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(tmp_path_factory.mktemp("shell") / "state", "--feed", "synthetic", "--speed", "60") as started:
        yield started


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that the test may kill or leave latched."""
    with daemon(tmp_path / "state", "--feed", "synthetic") as started:
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def ready(sitting: Person) -> None:
    sitting.see_toolbar("PAPER")
    sitting.see_prompt()


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 20)])
def test_a_live_id_is_completed_by_its_symbol_with_its_state_beside_it(
    running: Daemon, home: Path, columns: int, lines: int
) -> None:
    position_id = running.arm("SOLUSDT", "short")
    with person(running, home, columns=columns, lines=lines) as sitting:
        ready(sitting)
        sitting.type("disarm sol")
        sitting.see_now(rf"(?m)^ *{position_id[:8]} +SOLUSDT short Armed")
        sitting.type("\t")
        sitting.type("\r")
        sitting.see(rf"disarmed\s+{position_id[:20]}")
        sitting.see("position_disarmed")
        sitting.see_toolbar("0 armed")


def test_the_toolbar_tells_when_the_daemon_is_killed_and_when_it_is_back(own: Daemon, home: Path) -> None:
    position_id = own.arm("BTCUSDT")
    with person(own, home) as sitting:
        ready(sitting)
        sitting.see_toolbar("● up .*1 armed 0 active")
        own.kill()
        sitting.see_toolbar(r"○ .*(next try in \d s|trying).*PAPER")
        sitting.enter("status")
        sitting.see(r"(?s)no daemon answers at.*\(unreachable\)")
        sitting.see_prompt()
        own.start()
        sitting.see_toolbar("● up .*1 armed 0 active")
        sitting.enter(f"disarm {position_id[:6]}")
        sitting.see(f"disarmed {position_id}")
        # Once, although the subscription began anew.
        sitting.see("position_disarmed")
        sitting.enter("ping")
        sitting.see("pong")
        assert sitting.text().count("position_disarmed") == 1


def test_watch_takes_the_full_screen_and_gives_it_back(running: Daemon, home: Path) -> None:
    position_id = running.arm("ETHUSDT")
    with person(running, home) as sitting:
        ready(sitting)
        sitting.enter("watch 0.2 status")
        sitting.see_now(r"status  every 0.2s .*q leaves")
        sitting.see_now(position_id)
        assert sitting.screen.alternate
        running.ok("disarm", position_id=position_id)
        sitting.wait_for(lambda: position_id not in "\n".join(sitting.display()), "its end")
        assert "position_disarmed" not in "\n".join(sitting.display())
        sitting.resize(60, 15)
        sitting.wait_for(lambda: len(sitting.toolbar()) <= 60 and "PAPER" in sitting.display()[14], "the new size")
        sitting.type("q")
        sitting.wait_for(lambda: not sitting.screen.alternate, "the ordinary screen")
        # What happened meanwhile is told afterwards.
        sitting.see_now("position_disarmed")
        sitting.see_prompt()


def test_panic_is_refused_and_then_confirmed(own: Daemon, home: Path) -> None:
    own.arm("BTCUSDT")
    with person(own, home) as sitting:
        ready(sitting)
        for answer in ("n\r", "\x03"):
            sitting.enter("panic")
            sitting.wait_for(lambda: re.search(r"(?i)type y", sitting.line()), "the question")
            # It is a question to a person whose toolbar lives.
            sitting.see_toolbar("PAPER")
            sitting.type(answer)
            sitting.see_prompt()
        assert sitting.text().count("nothing was done") == 2
        assert not own.ok("status")["panic_latched"]
        sitting.enter("panic")
        sitting.wait_for(lambda: re.search(r"(?i)type y", sitting.line()), "the question")
        sitting.enter("y")
        sitting.see("the latch holds: nothing enters before `resume`")
        sitting.see_toolbar("PANIC LATCHED")
        sitting.see("panic_latched")
        sitting.enter("pause")
        sitting.see_toolbar("PAUSED")
        sitting.enter("resume; unpause")
        sitting.wait_for(lambda: "PANIC" not in sitting.toolbar() and "PAUSED" not in sitting.toolbar(), "the release")


@pytest.mark.parametrize(
    "ending", ["ctrl-d", "exit", "quit", "terminated", "watching", "terminated while watching", "daemon killed"]
)
def test_the_terminal_is_given_back_as_it_was(own: Daemon, home: Path, ending: str) -> None:
    with person(own, home) as shell:
        before = termios.tcgetattr(shell.child.child_fd)
        ready(shell)
        shell.type("status\x03")
        shell.see_prompt()
        match ending:
            case "ctrl-d":
                shell.type("\x04")
            case "terminated":
                shell.child.kill(signal.SIGTERM)
            case "terminated while watching":
                shell.enter("watch")
                shell.see_now("q leaves")
                shell.child.kill(signal.SIGTERM)
            case "watching":
                shell.enter("watch")
                shell.see_now("q leaves")
                shell.type("q")
                shell.see_prompt()
                shell.type("\x04")
            case "daemon killed":
                own.kill()
                shell.see_toolbar("○")
                shell.type("\x04")
            case _:
                shell.enter(ending)
        assert shell.ended() == 0
        assert termios.tcgetattr(shell.child.child_fd) == before


def test_ctrl_c_ends_the_waiting_and_says_that_the_outcome_is_unknown(own: Daemon, home: Path) -> None:
    with person(own, home) as sitting:
        ready(sitting)
        os.kill(own.running.pid, signal.SIGSTOP)
        try:
            sitting.enter("arm BTCUSDT")
            # The toolbar lives while the daemon is silent.
            sitting.see_now("… arm, .*Ctrl-C stops waiting")
            sitting.see_toolbar(r"no answer for \d")
            sitting.type("\x03")
            sitting.see("the outcome is unknown")
            sitting.see("`again` repeats it with the same key")
            sitting.see_prompt()
        finally:
            os.kill(own.running.pid, signal.SIGCONT)
        sitting.see("position_armed")
        sitting.see_toolbar("● up .*1 armed")
        sitting.enter("again")
        (position,) = own.ok("status")["positions"]
        sitting.see(f"armed {position['position_id']}")
        assert len(own.ok("status")["positions"]) == 1
        sitting.enter("again")
        sitting.see("there is no change whose outcome is unknown")


def test_what_is_typed_while_a_command_waits_is_kept(own: Daemon, home: Path) -> None:
    with person(own, home) as sitting:
        ready(sitting)
        os.kill(own.running.pid, signal.SIGSTOP)
        try:
            sitting.enter("ping")
            sitting.see_now("… ping, ")
            sitting.type("hello\rsta")
            sitting.see_toolbar(r"no answer for \d")
        finally:
            os.kill(own.running.pid, signal.SIGCONT)
        sitting.see("pong")
        sitting.see("protocol")
        sitting.wait_for(lambda: sitting.line() == "robson[paper]> sta", "what was typed")


def test_events_appear_above_a_half_typed_line_as_loud_as_wanted(running: Daemon, home: Path) -> None:
    with person(running, home) as sitting:
        ready(sitting)
        sitting.type("plan BTC")
        position_id = running.arm("BTCUSDT")
        sitting.see(rf"{position_id[:8]} BTCUSDT position_armed side=long")
        # The line is drawn again once the news stand above it.
        sitting.wait_for(lambda: "plan BTC" in sitting.line(), "the line that was being typed")
        sitting.type("\x03")
        sitting.see_prompt()
        sitting.enter("events warn")
        sitting.see("events above the prompt: warn")
        running.ok("disarm", position_id=position_id)
        running.ok("pause")
        sitting.see("entries_paused")
        running.ok("unpause")
        sitting.enter("events off")
        sitting.see("events above the prompt: off")
        assert "position_disarmed" not in sitting.text()
        sitting.enter(f"events --position {position_id} -o jsonl")
        sitting.see('"event":"position_disarmed"')


def test_following_events_ends_with_ctrl_c(running: Daemon, home: Path) -> None:
    with person(running, home) as sitting:
        ready(sitting)
        sitting.enter("events -n 1 --follow -o jsonl")
        sitting.see("Ctrl-C stops waiting")
        position_id = running.arm("ETHUSDT")
        # Told once, not as news as well.
        sitting.wait_for(lambda: f'"{position_id}"' in sitting.text().replace("\n", ""), "the event")
        sitting.type("\x03")
        sitting.see("interrupted")
        assert "ETHUSDT position_armed" not in sitting.text()
        sitting.see_prompt()
        running.ok("disarm", position_id=position_id)


def test_mistakes_are_answered_with_what_was_meant(running: Daemon, home: Path) -> None:
    with person(running, home) as sitting:
        ready(sitting)
        for line, answer in (
            ("stauts", "did you mean status"),
            ("status --al", "no positions|POSITION|─"),
            ("status --lal", "did you mean --all"),
            ("arm BTCUSDT lnog", "did you mean long"),
            ("arm BTCUSTD", "did you mean BTCUSDT"),
            ("p", "beginning of .*panic.*ping"),
            ("hea", r"live +ok"),
            ("arm 'BTC", "is not closed"),
            ("disarm nobody", "unknown_position"),
            ("help arm", "examples:"),
            ("status --help", "usage: status"),
        ):
            sitting.enter(line)
            sitting.see(answer)
            sitting.see_prompt()


def test_the_history_is_kept_for_its_owner_without_secrets(running: Daemon, home: Path) -> None:
    secret = "k" * 64
    with person(running, home) as sitting:
        ready(sitting)
        sitting.enter("ping")
        sitting.see("pong")
        sitting.enter(f"arm BTCUSDT --strategy signal --param note={secret}")
        sitting.see("unknown_parameter")
        sitting.enter(" hello")
        sitting.see("protocol")
        sitting.see_prompt()
        sitting.type("\x04")
        sitting.ended()
    file = home / "robson" / "history"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [line[1:] for line in file.read_text().splitlines() if line.startswith("+")] == ["ping"]
    with person(running, home) as again:
        ready(again)
        again.type("pi")
        again.see_now("robson.paper.> ping")
        again.type("\x1b[C\r")
        again.see("pong")


def test_a_long_result_goes_through_the_pager(running: Daemon, home: Path, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\necho paged by $1 in $LESSSECURE\nexec cat\n")
    pager.chmod(0o755)
    with person(running, home, PAGER=f"{pager} 'a; b'") as sitting:
        ready(sitting)
        sitting.enter("help")
        sitting.see("paged by a; b in 1")
        sitting.see("leave the shell")
        sitting.see_prompt()
        sitting.enter("hello")
        sitting.see("protocol")
        assert sitting.text().count("paged by") == 1


def test_wide_tables_are_turned_as_wanted(running: Daemon, home: Path) -> None:
    position_id = running.arm("BTCUSDT")
    with person(running, home, columns=80) as sitting:
        ready(sitting)
        sitting.enter("status")
        sitting.see(rf"─ {position_id} ─")
        sitting.enter(r"\x on; status")
        sitting.see(r"(?m)^risk_percent +1$")
        sitting.enter(r"\x off; status")
        sitting.see(r"POSITION +SYMBOL")
        sitting.enter(r"\x auto")
        sitting.resize(200, 24)
        sitting.enter("status")
        sitting.wait_for(lambda: sitting.text().count("POSITION ") == 2, "a table in the wide window")
        running.ok("disarm", position_id=position_id)


def test_colours_are_used_and_not_used(running: Daemon, home: Path) -> None:
    with person(running, home, NO_COLOR="") as coloured:
        ready(coloured)
        coloured.enter("nonsense")
        coloured.see("there is no command")
        assert b"\x1b[31mthere is no" in coloured.octets
        assert re.search(rb"\x1b\[[0-9;]*48;5;", coloured.octets)
    with person(running, home, NO_COLOR="1") as plain:
        ready(plain)
        plain.enter("nonsense")
        plain.see("there is no command")
        assert not re.search(rb"\x1b\[[0-9;]*(3[0-7]|[34]8;[25])[;0-9]*m", plain.octets)


def test_a_dumb_terminal_is_spoken_to_plainly(running: Daemon, home: Path) -> None:
    with person(running, home, TERM="dumb") as sitting:
        sitting.see("robson.*>")
        sitting.enter("ping")
        sitting.see("pong")
        position_id = running.arm("BTCUSDT")
        sitting.enter("hello")
        sitting.see("protocol")
        # News wait until a line has been typed.
        sitting.see(f"{position_id[:8]} BTCUSDT position_armed")
        sitting.enter("watch")
        sitting.see("watch needs a terminal")
        running.ok("disarm", position_id=position_id)
        sitting.enter("exit")
        assert sitting.ended() == 0
        assert b"\x1b" not in sitting.octets


def test_lists_of_commands_are_obeyed_without_the_shell(running: Daemon, home: Path) -> None:
    def listed(*arguments: str) -> subprocess.CompletedProcess[str]:
        return running.robsonctl(*arguments)

    good = listed("--json", "-c", "hello; pin")
    assert good.returncode == 0, good.stderr
    assert [line[:12] for line in good.stdout.splitlines()] == [
        '{"protocol":',
        '{"at":"' + good.stdout.splitlines()[1][7:12],
    ]
    failed = listed("-c", "disarm nobody; arm BTCUSDT --capital 0\nping")
    assert failed.returncode == 3
    assert "pong" in failed.stdout
    before = running.events()
    mistaken = listed("-c", "arm BTCUSDT; stauts")
    assert mistaken.returncode == 2
    assert "did you mean status" in mistaken.stderr
    assert running.events() == before
    assert listed("-c", "ping", "ping").returncode == 2
    assert listed("-c", "panic").returncode == 64
    assert listed("-c", "help arm").stdout.startswith("usage: arm")
    script = """
import sys
from robsonctl.cli import run
code = run(["-c", "status --json; help"])
print(code, [name for name in ("prompt_toolkit", "asyncio", "difflib") if name in sys.modules], file=sys.stderr)
"""
    env = surroundings(running, home)
    ended = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert ended.stderr == "0 []\n"


def test_what_needs_the_terminal_for_itself_fits_the_shell(running: Daemon, home: Path) -> None:
    with person(running, home) as sitting:
        ready(sitting)
        sitting.enter("panic --direct")
        sitting.see("robsonctl panic --direct")
        sitting.see_prompt()
        sitting.enter("status --watch 1")
        sitting.see_now("every 1s .*q leaves")
        sitting.type("q")
        sitting.see_prompt()
        position_id = running.arm("BTCUSDT")
        sitting.enter(f"chart {position_id}")
        sitting.see(f"{position_id[:8]}.*BTCUSDT")
        sitting.see_prompt()
        sitting.enter(f"chart {position_id} -o {home / 'it.svg'}")
        sitting.see("wrote /")
        sitting.see_prompt()
        assert "<svg " in (home / "it.svg").read_text()
