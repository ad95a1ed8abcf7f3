"""The way in: the overview at once, everything else through `flashcore.cli.app`."""

from __future__ import annotations

import os
import sys

_UNEXPECTED = 1
_CANCELLED = 130
"""Exit code where an interruption comes before anything is loaded; that of `flashcore.errors.ExitCode`."""


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = _CANCELLED
    except OSError as error:
        status = _UNEXPECTED
        # Who read our output may have enough of it, as `head` does; that needs no words, and nothing is left to be written.
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"flashcore: {error.filename or 'the output'} cannot be used: {error.strerror or error}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code."""
    if not arguments or arguments in (["--help"], ["-h"]):
        from flashcore.cli.overview import render

        sys.stdout.write(render())
        return 0
    from flashcore.cli.app import run as run_app

    return run_app(arguments)
