"""An interpreter for small programs that a host loads into RAM."""

from simulator.chip.xtensa.program import RamProgram

__all__ = ["RamProgram"]
