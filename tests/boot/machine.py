"""A machine of its own for tests: a Debian root, booted with systemd as its first process, without a network."""

import hashlib
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.end_to_end.daemon import ROOT

CACHE = ROOT / "build" / "boot"
PATIENCE_SECONDS = 120.0
TRY_SECONDS = 0.1
INCLUDED = ("systemd", "systemd-sysv", "dbus", "python3", "procps")
# They want a console, or modules of a kernel that is not theirs.
MASKED = ("console-getty.service", "systemd-modules-load.service", "apt-daily.timer", "apt-daily-upgrade.timer")
_numbers = itertools.count(1)

Done = subprocess.CompletedProcess[str]


class Unavailable(Exception):
    """What a machine needs is missing here; the text says what."""


def sources(suite: str) -> str:
    """This machine's own sources of packages, for another suite; what cannot be had is Unavailable."""
    folder = Path("/etc/apt")
    listed = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    texts = [path.read_text("utf-8") for path in listed if path.suffix in {".list", ".sources"} and path.is_file()]
    own = next(
        (line.split("=")[1] for line in Path("/etc/os-release").read_text().splitlines() if "CODENAME" in line), ""
    )
    chosen = [text for text in texts if own and own in text and "debian" in text.lower()]
    if not chosen:
        raise Unavailable("no source of Debian's packages is configured here")
    return "\n\n".join(chosen).replace(own, suite)


def archive(suite: str) -> Path:
    """A tar file of the suite's root, built the first time and kept in build/."""
    for program in ("mmdebstrap", "unshare", "nsenter"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not installed")
    if os.geteuid() != 0:
        raise Unavailable("booting a machine needs root")
    mark = hashlib.sha256(repr(INCLUDED).encode()).hexdigest()[:8]
    made = CACHE / f"{suite}-{mark}.tar"
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        listed = CACHE / f"{suite}.sources"
        listed.write_text(sources(suite))
        # Of this process: another one may be making the same.
        half = made.with_suffix(f".{os.getpid()}.tar")
        command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}", suite, str(half), str(listed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"mmdebstrap of {suite} failed: {done.stderr.strip().splitlines()[-1:]}")
        half.rename(made)
    return made


def cgroups() -> Path:
    """Where the cgroup v2 hierarchy is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise Unavailable("no cgroup v2 hierarchy is mounted")


class Machine:
    """One root, unpacked anew, and the systemd that runs in it."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.name = f"robson-{suite}-{os.getpid()}-{next(_numbers)}"
        self.root = CACHE / self.name
        self.cgroup = cgroups() / self.name
        self.log = CACHE / f"{self.name}.log"
        self.outer: subprocess.Popen[bytes] | None = None
        self.first = 0

    def prepare(self) -> None:
        """Unpack the root."""
        made = archive(self.suite)
        self.root.mkdir(parents=True)
        subprocess.run(["tar", "-C", str(self.root), "-xf", str(made), "--exclude=./dev/*"], check=True)
        (self.root / "mnt").mkdir(exist_ok=True)
        (self.root / "etc" / "machine-id").write_text("")
        (self.root / "etc" / "hostname").write_text(f"{self.name}\n")
        for unit in MASKED:
            (self.root / "etc" / "systemd" / "system" / unit).symlink_to("/dev/null")

    def boot(self) -> None:
        """Start systemd and wait until it says that it is up."""
        self.cgroup.mkdir()
        with self.log.open("ab") as log:
            self.outer = subprocess.Popen(
                ["bash", str(Path(__file__).with_name("boot.sh")), str(self.root), self.name, str(self.cgroup)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self._find_first, "systemd to start")
        state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
        assert state == "running", (state, self.run("systemctl", "--failed", "--no-pager", check=False).stdout)

    def _find_first(self) -> bool:
        assert self.outer is not None
        assert self.outer.poll() is None, self.log.read_text()
        children = Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text().split()
        if len(children) != 1:
            return False
        # Before its exec it is a shell that mounts.
        if Path(f"/proc/{children[0]}/comm").read_text().strip() != "systemd":
            return False
        self.first = int(children[0])
        return self.run("test", "-S", "/run/systemd/private", check=False).returncode == 0

    def run(self, *command: str, user: str = "", check: bool = True) -> Done:
        """Run a command in the machine to its end."""
        words = ["runuser", "-u", user, "--", *command] if user else list(command)
        inside = ["nsenter", "--target", str(self.first), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "env", "--chdir=/"]
        done = subprocess.run(
            [*inside, *words],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def sh(self, script: str, *, check: bool = True) -> str:
        """What a line of shell prints."""
        return self.run("sh", "-ec", script, check=check).stdout

    def write(self, path: str, text: str) -> None:
        """Write a file of the machine."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def bring(self, file: Path, folder: str = "packages") -> str:
        """Copy a file into the machine; gives its path there."""
        place = self.root / folder / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.read_bytes())
        return f"/{folder}/{file.name}"

    def shown(self, unit: str, *names: str) -> dict[str, str]:
        """Properties of a unit."""
        listed = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.split("=", 1) for line in listed.splitlines())

    def until(self, condition: Callable[[], Any], what: str, *, patience: float = PATIENCE_SECONDS) -> Any:
        """Wait until something holds, at most so many seconds, and give it."""
        deadline = time.monotonic() + patience
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited {patience:g} s for {what}"
            time.sleep(TRY_SECONDS)  # noqa: TID251  what systemd does can only be looked at
        return found

    def files(self) -> set[str]:
        """All files of the root."""
        return set(self.run("find", "/", "-xdev").stdout.splitlines())

    def end(self) -> None:
        """End everything that runs in it and remove its root."""
        if self.outer is not None:
            # Its death ends its child, the namespace's first process, and with that all others.
            self.outer.kill()
            self.outer.wait()
            self.until(self._is_empty, "the machine's processes to end")
        for folder in sorted(self.cgroup.rglob("*"), key=lambda path: -len(path.parts)):
            if folder.is_dir():
                folder.rmdir()
        if self.cgroup.exists():
            self.cgroup.rmdir()
        shutil.rmtree(self.root, ignore_errors=True)

    def _is_empty(self) -> bool:
        return "populated 0" in (self.cgroup / "cgroup.events").read_text()
