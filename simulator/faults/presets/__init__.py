"""One file per row of the fault catalogue: which faults make it, and what a flasher owes its user."""

from simulator.faults.presets.reader import FaultPreset, names, preset

__all__ = ["FaultPreset", "names", "preset"]
