"""The mask ROM's download loader: what answers a flasher before a stub runs."""

from simulator.chip.rom.loader import RomLoader

__all__ = ["RomLoader"]
