"""Stubs that die: by an access that nothing answers, or because they were damaged on their way into RAM."""

from __future__ import annotations

from simulator.chip.memory import BusFault
from simulator.chip.soc import Soc
from simulator.chip.stub.answers import ILLEGAL_INSTRUCTION, LOAD_PROHIBITED, STORE_PROHIBITED, exception_text
from simulator.wire import Chunk


def crash(soc: Soc, fault: BusFault, *, pc: int) -> None:
    """Print what the exception handler prints, and die.

    Source: oracle fact 60, stub_*.json read_zero.
    """
    cause = STORE_PROHIBITED if fault.write else LOAD_PROHIBITED
    soc.uart.send(exception_text(cause, pc, fault.address))
    soc.die(str(fault))


class DamagedStub:
    """A known stub of which some bytes arrived wrong: it crashes at once.

    Args:
        soc: The chip.
        entry: Where it was entered.

    Fidelity: guessed. On silicon the damage decides when and how it crashes; that it does not serve reliably is
    certain."""

    def __init__(self, soc: Soc, entry: int) -> None:
        self._soc = soc
        self._entry = entry

    def start(self) -> None:
        """Crash."""
        self._soc.note("chip", "stub damaged: what lies in RAM is not what any known stub looks like")
        self._soc.uart.send(exception_text(ILLEGAL_INSTRUCTION, self._entry, 0))
        self._soc.die("damaged stub")

    def receive(self, chunk: Chunk) -> None:
        """Swallow everything."""
