"""Every test, in three processes: `python -m tests.side_by_side`; most end-to-end tests wait, the others compute.

A file's tests stay in one process, whose temporary files are its own. What is slow shows at the end of each part.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
END_TO_END = ROOT / "tests" / "end_to_end"
PYTEST = (sys.executable, "-m", "pytest", "-q", "--durations=5", "--durations-min=1")


def parts() -> list[tuple[str, list[str]]]:
    """What each process runs, by a name: the end-to-end files in two parts, and everything else."""
    files = sorted(str(file.relative_to(ROOT)) for file in END_TO_END.glob("test_*.py"))
    assert files, END_TO_END
    # Every other file: neighbours by name are often slow for the same reason.
    return [
        ("everything but end to end", ["tests", "--ignore=tests/end_to_end"]),
        ("end to end, one half", files[::2]),
        ("end to end, the other half", files[1::2]),
    ]


def main() -> int:
    """0 when every part has passed; what each one said stands together."""
    with tempfile.TemporaryDirectory(prefix="robson-tests-") as place:
        running = []
        for number, (name, arguments) in enumerate(parts()):
            said = Path(place, f"{number}.txt")
            with said.open("wb") as file:
                command = [*PYTEST, "-p", "no:cacheprovider", *arguments]
                running.append((name, said, subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file)))
        failed = False
        try:
            for name, said, process in running:
                code = process.wait()
                failed |= code != 0
                print(f"== {name}: {'passed' if code == 0 else f'ended with {code}'}", flush=True)
                sys.stdout.buffer.write(said.read_bytes())
                sys.stdout.buffer.flush()
        finally:
            for _, _, process in running:
                if process.poll() is None:
                    process.kill()
                    process.wait()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
