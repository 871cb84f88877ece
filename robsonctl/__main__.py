"""`robsonctl`: argv to an exit code."""

import signal
import sys

from robsonctl.cli import run


def main() -> int:
    """Run the command line of this process."""
    code = run(sys.argv[1:])
    # All is said. Python gives SIGINT its deadly meaning back while it ends, which would replace the exit code.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    sys.exit(main())
