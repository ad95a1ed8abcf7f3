"""The seam at which a fault gets between a loader and a command that it has received.

A loader asks the gate, if there is one, before it carries a command out. What comes back says what is done instead; the loader
answers in its own form, so a refusal has the ROM's status where the ROM runs and the stub's where a stub does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEffect:
    """What becomes of one command instead of being carried out at once.

    Args:
        status: It is refused with this code.
        unknown: It is answered as if the loader had no such command.
        silent: It is neither carried out nor answered.
        late_ns: It is carried out and answered so much later.
        crash: The loader prints this and dies; where the command is a jump, what it jumps to does.
        restart_ns: How long after a crash the chip starts anew; ``None``: never.
    """

    status: int | None = None
    unknown: bool = False
    silent: bool = False
    late_ns: int = 0
    crash: bytes | None = None
    restart_ns: int | None = None


UNHARMED = CommandEffect()
"""The command is carried out."""

Gate = Callable[[int, int], CommandEffect]
"""Asked about each command that a loader has received, with its opcode and the length of its body as its header says."""
