"""`robsonctl`: argv to an exit code."""

import sys

from robsonctl.cli import run


def main() -> int:
    """Run the command line of this process."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
