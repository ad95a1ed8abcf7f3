"""A board preset as texts to show."""

from __future__ import annotations

from simulator.board.bridge import Driver
from simulator.board.presets import BoardPreset
from simulator.chip.flash_parts import part


def fields(preset: BoardPreset) -> dict[str, str]:
    """Return what there is to say about a board, by name of the field."""
    bridge, chip = preset.bridge, preset.chip
    flash = part(chip.flash)
    names = {driver.value: bridge.port_name(driver, 3 if driver is Driver.WINDOWS else 0) for driver in Driver}
    return {
        "name": preset.name,
        "board": preset.title,
        "chip": f"ESP32-{chip.efuse}, {chip.crystal_mhz} MHz crystal",
        "mac": chip.mac,
        "flash": f"{chip.flash}, {flash.size // 2**20} MB",
        "firmware": preset.firmware,
        "bridge": bridge.name,
        "usb_id": f"{bridge.vid:04X}:{bridge.pid:04X}",
        "ports": "\n".join(f"{system}: {text}" for system, text in names.items() if text),
        "autoreset": f"{preset.wiring.value}, EN {preset.r_ohm / 1000:g} kOhm, {preset.c_farad * 1e9:g} nF",
        "straps": f"0x{preset.strap_value(io0_low=False):02x}, with BOOT held 0x{preset.strap_value(io0_low=True):02x}",
        "note": preset.note,
    }
