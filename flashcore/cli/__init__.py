"""The ``flashcore`` command."""

from flashcore.cli.entry import main

__all__ = ["main"]
