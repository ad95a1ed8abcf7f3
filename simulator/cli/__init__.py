"""The ``espsim`` command."""

from simulator.cli.main import main

__all__ = ["main"]
