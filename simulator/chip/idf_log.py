"""Log lines in the form of ESP-IDF: level, milliseconds since reset, tag, text, coloured by level.

Source: ESP-IDF documentation, "Logging library"; colours are on by default up to 5.x. Fidelity: from source.
"""

from __future__ import annotations

from simulator.chip.efuse_fields import variant
from simulator.chip.script import Step
from simulator.chip.soc import Soc
from simulator.kernel import MS

_COLOURS = {"E": b"\x1b[0;31m", "W": b"\x1b[0;33m", "I": b"\x1b[0;32m"}
_PLAIN = b"\x1b[0m"


class IdfLog:
    """Makes the steps of a script out of log messages.

    Args:
        soc: The chip that logs.
        since_ns: When it was reset, from where time stamps count.
        coloured: Whether lines carry colours.
    """

    def __init__(self, soc: Soc, since_ns: int, *, coloured: bool = True) -> None:
        self._soc = soc
        self._since_ns = since_ns
        self._coloured = coloured
        chip = variant(soc.config.efuse)
        self.revision = 100 * chip.revision + chip.minor
        """Revision of the chip, times 100."""

    def info(self, tag: str, text: str) -> Step:
        """Log that all goes well."""
        return self._step("I", tag, text)

    def warning(self, tag: str, text: str) -> Step:
        """Log something odd."""
        return self._step("W", tag, text)

    def error(self, tag: str, text: str) -> Step:
        """Log a failure."""
        return self._step("E", tag, text)

    def _step(self, level: str, tag: str, text: str) -> Step:
        stamp = (self._soc.kernel.now - self._since_ns) // MS
        line = f"{level} ({stamp}) {tag}: {text}".encode()
        return Step(_COLOURS[level] + line + _PLAIN + b"\r\n" if self._coloured else line + b"\r\n")
