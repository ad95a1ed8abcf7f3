"""The way in: the overview at once, everything else through `flashcore.cli.app`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code."""
    if not arguments or arguments in (["--help"], ["-h"]):
        from flashcore.cli.overview import render

        sys.stdout.write(render())
        return 0
    from flashcore.cli.app import run as run_app

    return run_app(arguments)
