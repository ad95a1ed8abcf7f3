"""The way in: the overview at once, everything else through `simulator.cli.main`."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code."""
    if not arguments or arguments in (["--help"], ["-h"]):
        from simulator.cli.overview import render

        sys.stdout.write(render())
        return 0
    from simulator.cli.main import status_of

    return status_of(arguments)
