"""Make the packages: `python -m release [--out dist] [--suite NAME] [--arch NAME]`, each built twice and compared."""

import argparse
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release import deb, source
from release.licences import licence, require_allowed
from release.sbom import bill
from release.wheels import LEFT_OUT, Wheel, collect

BUILD = source.ROOT / "build"
# Keys of both kinds work in a package that has to bring everything.
EXTRAS = ("ed25519",)


def requirements() -> list[str]:
    """What Robson needs at run time, as pyproject.toml has it."""
    project = source.project()
    return [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]


def python_packages(out: Path, epoch: int) -> Path:
    """Make wheel and sdist in `out`; gives the wheel."""
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out), "-t", "sdist", "-t", "wheel"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(command, cwd=source.ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
    (wheel,) = out.glob("*.whl")
    return wheel


def debian_package(suite: deb.Suite, arguments: argparse.Namespace, own: Path, out: Path, epoch: int) -> list[Wheel]:
    """Make one Debian package and its bill in `out`; gives what it brings."""
    target = suite.target(arguments.arch)
    lock = (source.ROOT / "requirements.lock").read_text("utf-8")
    wheels = collect(requirements(), lock, target, BUILD / "wheels" / f"{target.python}-{target.machine}")
    top: list[str] = [canonicalize_name(Requirement(line).name) for line in requirements()]
    text = bill(wheels, target, top, epoch)
    package = deb.Package(suite, arguments.arch, arguments.revision, epoch, own, wheels, text, arguments.compression)
    deb.build(package, BUILD / "deb" / suite.name, out)
    (out / package.name).with_suffix(".cdx.json").write_text(text, "utf-8")
    return wheels


def make(arguments: argparse.Namespace, out: Path) -> None:
    """Make everything that was asked for in `out`, which is emptied first."""
    epoch = source.epoch()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    own = python_packages(out, epoch)
    shipped: dict[str, str] = {"robson": f"{source.VERSION} {source.project()['license']}"}
    for name in arguments.suite or deb.SUITES:
        wheels = debian_package(deb.SUITES[name], arguments, own, out, epoch)
        require_allowed({wheel.name: licence(wheel.about) for wheel in wheels})
        shipped |= {wheel.name: f"{wheel.version} {licence(wheel.about)}" for wheel in wheels}
    rows = [f"{name} {said}\n" for name, said in sorted(shipped.items())]
    (out / "LICENCES.txt").write_text("".join(rows), "utf-8")
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(out.iterdir())]
    (out / "SHA256SUMS").write_text("".join(sums), "utf-8")


def main() -> int:
    """Make the packages and give an exit code: 1 when a second build differs."""
    parser = argparse.ArgumentParser(prog="python -m release", description=__doc__)
    parser.add_argument("--out", type=Path, default=source.ROOT / "dist")
    parser.add_argument("--suite", action="append", choices=sorted(deb.SUITES), help="default: all")
    parser.add_argument("--arch", choices=sorted(deb.MACHINES), default="amd64")
    parser.add_argument("--revision", type=int, default=1, help="counts Debian packages of the same version")
    parser.add_argument("--compression", choices=("xz", "none"), default="xz", help="none is made sooner, for tests")
    parser.add_argument("--once", action="store_true", help="do not build a second time to compare")
    arguments = parser.parse_args()
    make(arguments, arguments.out)
    names = sorted(path.name for path in arguments.out.iterdir())
    if not arguments.once:
        again = BUILD / "again"
        make(arguments, again)
        _, different, missing = filecmp.cmpfiles(arguments.out, again, names, shallow=False)
        if different or missing:
            print(f"built twice, and not the same: {', '.join([*different, *missing])}", file=sys.stderr)
            return 1
    for name in names:
        print(f"{(arguments.out / name).stat().st_size:>10}  {name}")
    for name, reason in LEFT_OUT.items():
        print(f"left out: {name} ({reason})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
