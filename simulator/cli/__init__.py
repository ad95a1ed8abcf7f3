"""The ``espsim`` command."""

from simulator.cli.entry import main

__all__ = ["main"]
