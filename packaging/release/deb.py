"""A Debian package with its own Python packages: a tree of files, then dpkg-deb."""

import gzip
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from release import source
from release.licences import licence
from release.wheels import Target, Wheel, unpack

PACKAGING = source.ROOT / "packaging"
DEBIAN = PACKAGING / "debian"
# Its own tree: nothing of it is on anybody's sys.path but Robson's.
HOME = Path("usr/lib/robson")
PROGRAMS = ("robson", "robsonctl")
ALERTING = ("robson-alert", "robson-failed")
COMPLETION = {
    ".bash": "usr/share/bash-completion/completions/{stem}",
    ".zsh": "usr/share/zsh/vendor-completions/_{stem}",
    ".fish": "usr/share/fish/vendor_completions.d/{stem}.fish",
}


class Suite(NamedTuple):
    """A release of Debian: its name, what stands in versions, its Python and its glibc."""

    name: str
    mark: str
    python: str
    glibc: int

    def target(self, architecture: str) -> Target:
        """Which wheels run there."""
        return Target(self.python, MACHINES[architecture], self.glibc)


SUITES = {suite.name: suite for suite in (Suite("bookworm", "deb12", "3.11", 36), Suite("trixie", "deb13", "3.13", 41))}
# How many there are would show in what xz makes.
ONE_THREAD = ("--threads-max=1",)
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class Package(NamedTuple):
    """What one package is made of; `revision` counts packages of the same version."""

    suite: Suite
    architecture: str
    revision: int
    epoch: int
    own: Path
    wheels: list[Wheel]
    bill: str
    compression: str = "xz"

    @property
    def version(self) -> str:
        """Such that the next release of Debian brings an upgrade."""
        return f"{source.VERSION}+{self.suite.mark}u{self.revision}"

    @property
    def name(self) -> str:
        """The file's name."""
        return f"robson_{self.version}_{self.architecture}.deb"


def build(package: Package, staging: Path, out: Path) -> Path:
    """Make the package in `out`; the same for the same source, lock and time."""
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    _programs(package, staging)
    _system(staging)
    _documents(package, staging)
    _control(package, staging)
    _modes(staging)
    path = out / package.name
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", f"-Z{package.compression}", *ONE_THREAD, "--build", str(staging), str(path)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(package.epoch)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return path


def _programs(package: Package, staging: Path) -> None:
    """A virtual environment over the system's Python, so that children started by sys.executable are in it, too."""
    python = package.suite.python
    home = staging / HOME
    modules = home / "lib" / f"python{python}" / "site-packages"
    for wheel in package.wheels:
        unpack(wheel.path, modules)
    unpack(package.own, modules)
    (home / "bin").mkdir()
    (home / "bin" / "python3").symlink_to(f"../../../bin/python{python}")
    _write(home / "pyvenv.cfg", f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n")
    for program in PROGRAMS:
        script = f'#!/bin/sh\nexec /{HOME}/bin/python3 -I -m {program} "$@"\n'
        _write(staging / "usr" / "bin" / program, script)


def _system(staging: Path) -> None:
    """Units, users, configuration, manual pages and completion."""
    units = PACKAGING / "systemd"
    for unit in sorted(units.glob("robson*")):
        if unit.suffix in {".service", ".socket", ".timer", ".target"}:
            _copy(unit, staging / "usr/lib/systemd/system" / unit.name)
    _copy(units / "robson.sysusers", staging / "usr/lib/sysusers.d/robson.conf")
    examples = staging / "usr/share/doc/robson/examples"
    _copy(units / "credentials.conf", examples / "credentials.conf")
    # For whoever runs Prometheus and Grafana, here or elsewhere: neither reads them by itself.
    _copy(PACKAGING / "prometheus" / "robson.rules.yml", examples / "prometheus" / "robson.rules.yml")
    _copy(PACKAGING / "grafana" / "robson.json", examples / "grafana" / "robson.json")
    for program in ALERTING:
        _copy(units / program, staging / HOME / program)
    _copy(DEBIAN / "tmpfiles.conf", staging / "usr/lib/tmpfiles.d/robson.conf")
    _copy(DEBIAN / "robson.toml", staging / "etc/robson/robson.toml")
    for page in sorted((PACKAGING / "man").glob("*.[1-8]")):
        _compressed(page.read_bytes(), staging / f"usr/share/man/man{page.suffix[1:]}" / f"{page.name}.gz")
    for script in sorted((PACKAGING / "completion").glob("*.*")):
        if script.suffix in COMPLETION:
            _copy(script, staging / COMPLETION[script.suffix].format(stem=script.stem.lstrip("_")))


def _documents(package: Package, staging: Path) -> None:
    documents = staging / "usr/share/doc/robson"
    _compressed((source.ROOT / "CHANGELOG.md").read_bytes(), documents / "NEWS.md.gz")
    # The rules' annotations point there.
    _copy(source.ROOT / "docs" / "RUNBOOK.md", documents / "RUNBOOK.md")
    at = datetime.fromtimestamp(package.epoch, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    entry = f"robson ({package.version}) {package.suite.name}; urgency=medium\n\n  * See NEWS.md.gz.\n\n"
    _compressed(f"{entry} -- {_maintainer()}  {at}\n".encode(), documents / "changelog.gz")
    _write(documents / "robson.cdx.json", package.bill)
    _write(documents / "copyright", _copyright(package))
    overrides = staging / "usr/share/lintian/overrides/robson"
    _copy(DEBIAN / "lintian-overrides", overrides)


def _copyright(package: Package) -> str:
    template = (DEBIAN / "copyright").read_text("utf-8")
    rows = [f"{wheel.name} {wheel.version}: {licence(wheel.about)}" for wheel in package.wheels]
    text = (source.ROOT / "LICENSE").read_text("utf-8")
    # What a paragraph of the format may look like: one space before each line, a dot on an empty one.
    mit = "\n".join(f" {line}" if line else " ." for line in text.strip().splitlines())
    return template.replace("@PACKAGES@", "\n".join(f"  {row}" for row in rows)).replace("@LICENCE@", mit)


def _control(package: Package, staging: Path) -> None:
    control = staging / "DEBIAN"
    control.mkdir()
    low = package.suite.python
    major, minor = low.split(".")
    fields = {
        "@VERSION@": package.version,
        "@ARCHITECTURE@": package.architecture,
        "@MAINTAINER@": _maintainer(),
        "@PYTHON@": f"python3 (>= {low}), python3 (<< {major}.{int(minor) + 1})",
        "@GLIBC@": "2.34",
        "@SIZE@": str(sum(-(-path.lstat().st_size // 1024) for path in _files(staging))),
    }
    text = (DEBIAN / "control").read_text("utf-8")
    for field, value in fields.items():
        text = text.replace(field, value)
    if left := re.findall(r"@\w+@", text):
        raise RuntimeError(f"packaging/debian/control had {', '.join(left)}, which nobody fills in")
    _write(control / "control", text)
    for script in ("postinst", "prerm", "postrm"):
        _copy(DEBIAN / script, control / script)
    configuration = [f"/{path.relative_to(staging)}\n" for path in _files(staging / "etc")]
    _write(control / "conffiles", "".join(configuration))
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(staging)}\n"
        for path in _files(staging)
        if path.relative_to(staging).parts[0] not in {"DEBIAN", "etc"} and not path.is_symlink()
    ]
    _write(control / "md5sums", "".join(sums))


def _maintainer() -> str:
    """Debian wants an address; the reserved domain says that there is none."""
    return f"{source.project()['authors'][0]['name']} <robson@packages.invalid>"


def _modes(staging: Path) -> None:
    """The same whatever the umask was."""
    staging.chmod(0o755)
    for path in staging.rglob("*"):
        if path.is_symlink():
            continue
        inside = path.relative_to(staging).parts
        runs = inside[:2] == ("usr", "bin") or path.name in {"postinst", "prerm", "postrm", *ALERTING}
        path.chmod(0o755 if path.is_dir() or runs else 0o644)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or path.is_file():
            yield path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _copy(here: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_bytes(here.read_bytes())


def _compressed(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, 9, mtime=0))
