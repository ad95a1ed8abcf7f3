"""One file per row of the fault catalogue: the desk on which it happens, and what a flasher owes its user."""

from simulator.faults.presets.preset import FaultPreset
from simulator.faults.presets.reader import fingerprint, names, preset

__all__ = ["FaultPreset", "fingerprint", "names", "preset"]
