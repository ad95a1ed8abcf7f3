"""How verdicts look: a letter, a symbol and a colour each, so that none of them is needed to tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from simulator.campaign.oracle import Verdict


@dataclass(frozen=True, slots=True)
class Mark:
    """How a verdict looks.

    Args:
        letter: For the smallest cells.
        symbol: Beside the word.
        meaning: In one line.
        style: For rich, on a terminal.
    """

    letter: str
    symbol: str
    meaning: str
    style: str


MARKS = MappingProxyType(
    {
        Verdict.FALSE_SUCCESS: Mark("F", "!", "Said that it worked; the flash is wrong.", "bold white on red"),
        Verdict.BRICKED: Mark("B", "\u25a0", "Left a board that cannot be flashed any more.", "bold red"),
        Verdict.HUNG: Mark("H", "\u221e", "Did not end in time.", "bold magenta"),
        Verdict.CRASHED: Mark("X", "\u00d7", "Ended in a traceback, or was killed.", "red"),
        Verdict.FAILED_MISDIAGNOSED: Mark("M", "?", "Stopped in time, and named another cause or none.", "yellow"),
        Verdict.MODEL_GAP: Mark("G", "\u2026", "The simulator does not know what the real thing does.", "dim"),
        Verdict.NOT_EXERCISED: Mark("N", "\u2013", "The planned fault did not strike.", "dim"),
        Verdict.FAILED_CLEAN: Mark("C", "\u25cb", "Stopped in time, with a right diagnosis.", "cyan"),
        Verdict.RECOVERED: Mark("R", "\u2713", "Finished in time, and the flash is right.", "green"),
    }
)
"""The worst first."""
