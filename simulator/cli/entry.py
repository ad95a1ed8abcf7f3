"""The way in: the overview at once, everything else through `simulator.cli.main`."""

from __future__ import annotations

import os
import signal
import sys

_FAILED = 70
_INTERRUPTED = 130


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for name in ("SIGTERM", "SIGHUP"):
        # As Ctrl-C does, they end what was started too; nohup ignores the second, and that is to stay.
        if (number := getattr(signal, name, None)) is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    try:
        status = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except OSError as error:  # of the system, not of the model: no more descriptors, processes, room or rights
        status = _FAILED
        # Who read our output may have enough of it, as `head` does; that needs no words, and nothing is left to be written.
        if not isinstance(error, BrokenPipeError):
            sys.stderr.write(f"espsim: {error.filename or 'this computer'}: {error.strerror or error}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run the command line `arguments` and return the exit code."""
    if not arguments or arguments in (["--help"], ["-h"]):
        from simulator.cli.overview import render

        sys.stdout.write(render())
        return 0
    from simulator.cli.main import status_of

    return status_of(arguments)
