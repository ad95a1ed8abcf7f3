"""The way in: the overview at once, everything else through `flashcore.cli.app`."""

from __future__ import annotations

import sys

_CANCELLED = 130
"""Exit code where an interruption comes before anything is loaded; that of `flashcore.errors.ExitCode`."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = _CANCELLED
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code."""
    if not arguments or arguments in (["--help"], ["-h"]):
        from flashcore.cli.overview import render

        sys.stdout.write(render())
        return 0
    from flashcore.cli.app import run as run_app

    return run_app(arguments)
