"""What a stub does with a command that a fault has got at, see `simulator.chip.gate`; the same for both generations."""

from __future__ import annotations

from collections.abc import Callable

from flashcore.protocol.opcodes import Opcode
from simulator.chip.gate import CommandEffect
from simulator.chip.soc import Soc


def take(
    soc: Soc,
    opcode: int,
    effect: CommandEffect,
    *,
    unknown: int,
    carry_out: Callable[[int | None], None],
    idle: Callable[[], None],
) -> None:
    """Do with a command what `effect` says.

    Args:
        soc: The chip.
        opcode: The command.
        effect: What becomes of it.
        unknown: Status with which the stub refuses a command that it does not have.
        carry_out: Does what the command asks for and answers, or answers with the status that it is given.
        idle: Goes on as if nothing had come.
    """
    if effect.silent:
        idle()
        return
    if effect.crash is not None:
        if opcode != Opcode.MEM_END:
            soc.crash(effect.crash, effect.restart_ns)
            return
        soc.doom(effect.crash, effect.restart_ns)
    refusal = unknown if effect.unknown else effect.status
    if effect.late_ns:
        soc.after(effect.late_ns, lambda: carry_out(refusal))
    else:
        carry_out(refusal)
