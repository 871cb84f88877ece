"""The runtime part of requirements.lock as wheels for one target, each checked against its hash."""

import email.message
import email.parser
import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

# What a locked package asks for and Robson's use of it never reaches.
LEFT_OUT = {
    "pip": "sqlite-utils' own command line installs plugins with it; the library does not import it",
}
LINE = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Target(NamedTuple):
    """Where wheels are to run: CPython's version, such as 3.11, the machine, such as x86_64, and the newest glibc."""

    python: str
    machine: str
    glibc: int

    @property
    def marks(self) -> dict[str, str]:
        """What environment markers are judged by."""
        fixed = {
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "platform_machine": self.machine,
            "sys_platform": "linux",
            "platform_system": "Linux",
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }
        return {**{name: str(value) for name, value in default_environment().items()}, **fixed}

    @property
    def options(self) -> list[str]:
        """pip's options that choose wheels for the target, on whatever machine pip runs."""
        abi = "cp" + self.python.replace(".", "")
        platforms = [f"manylinux_2_{minor}_{self.machine}" for minor in range(self.glibc, 4, -1)]
        platforms += [f"manylinux{year}_{self.machine}" for year in ("2014", "2010", "1")]
        words = ["--only-binary=:all:", "--python-version", self.python, "--implementation", "cp"]
        for name in (abi, "abi3", "none"):
            words += ["--abi", name]
        for platform in platforms:
            words += ["--platform", platform]
        return words


class Wheel(NamedTuple):
    """One package as it is shipped."""

    name: str
    version: str
    path: Path
    sha256: str
    about: email.message.Message
    needs: tuple[str, ...]


def pins(lock: str) -> dict[str, str]:
    """The lock's entries by normalised name, each with its hashes as pip wants them."""
    found: dict[str, str] = {}
    for entry in re.sub(r"\\\n\s*", " ", lock).splitlines():
        if match := LINE.match(entry):
            hashes = " ".join(f"--hash=sha256:{value}" for value in HASH.findall(entry))
            found[canonicalize_name(match["name"])] = f"{match['name']}=={match['version']} {hashes}"
    return found


def asked_by(requirements: list[str], extras: tuple[str, ...], marks: Mapping[str, str]) -> Iterator[Requirement]:
    """Those of the requirements that hold under the target's marks, with any of the extras."""
    for text in requirements:
        wanted = Requirement(text)
        if canonicalize_name(wanted.name) in LEFT_OUT:
            continue
        if wanted.marker is None or any(wanted.marker.evaluate({**marks, "extra": extra}) for extra in ("", *extras)):
            yield wanted


def collect(requirements: list[str], lock: str, target: Target, folder: Path) -> list[Wheel]:
    """Everything that the requirements need on the target, by name.

    Raises RuntimeError for a package that the lock does not have or that has no wheel for the target, and for one
    whose hash is not in the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    locked = pins(lock)
    wheels: dict[str, Wheel] = {}
    extras: dict[str, set[str]] = {}
    waiting = list(asked_by(requirements, (), target.marks))
    while waiting:
        new: set[str] = set()
        for wanted in waiting:
            name: str = canonicalize_name(wanted.name)
            known = extras.setdefault(name, set())
            if name not in wheels or not wanted.extras <= known:
                new.add(name)
            known |= wanted.extras
        missing = sorted(new - locked.keys())
        if missing:
            raise RuntimeError(f"requirements.lock had no {', '.join(missing)}; make lock")
        _download([locked[name] for name in sorted(new - wheels.keys())], target, folder)
        waiting = []
        for name in sorted(new):
            wheel = _read(name, locked[name], target, folder)
            asked = list(asked_by(wheel.about.get_all("Requires-Dist") or [], tuple(extras[name]), target.marks))
            needs = sorted({*wheel.needs, *(canonicalize_name(each.name) for each in asked)})
            wheels[name] = wheel._replace(needs=tuple(needs))
            waiting += asked
    return [wheels[name] for name in sorted(wheels)]


def unpack(wheel: Path, folder: Path) -> None:
    """Put a wheel's modules below the folder; its scripts are not wanted."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            first = entry.filename.partition("/")[0]
            if entry.is_dir() or first.endswith(".data"):
                continue
            path = folder / entry.filename
            if not path.resolve().is_relative_to(folder.resolve()):
                raise RuntimeError(f"{wheel.name} has an entry outside of itself: {entry.filename}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(entry))


def _download(lines: list[str], target: Target, folder: Path) -> None:
    if not lines:
        return
    asked = folder / "asked.txt"
    asked.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--dest", str(folder), "--find-links", str(folder), *target.options, "-r", str(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip download for Python {target.python} on {target.machine}: {done.stderr.strip()}")


def _read(name: str, pin: str, target: Target, folder: Path) -> Wheel:
    version = pin.partition("==")[2].split()[0]
    hashes = set(HASH.findall(pin))
    for path in sorted(folder.glob("*.whl")):
        found, found_version, _, _ = parse_wheel_filename(path.name)
        if found != name or str(found_version) != version:
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in hashes:
            raise RuntimeError(f"{path.name} had the SHA-256 {digest}, which is not in requirements.lock")
        return Wheel(name, version, path, digest, metadata(path), ())
    raise RuntimeError(f"no wheel of {name} {version} for Python {target.python} on {target.machine}")


def metadata(wheel: Path) -> email.message.Message:
    """A wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        (inside,) = (x for x in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", x))
        return email.parser.BytesParser().parsebytes(archive.read(inside))
