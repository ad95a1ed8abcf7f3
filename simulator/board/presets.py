"""Boards that people have, as data: chip, USB adapter, reset circuit and the levels of the strapping pins.

Makers change parts between batches, above all the USB adapter, so each preset says which batch it means. All but
``esp32-oracle`` model silicon.

Source: docs/sources.md, Bridges (which one on which board), schematics and product pages of the makers for the rest.
Fidelity: from source for chip and bridge; R and C of EN from Espressif's reference design where a schematic is not public.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from simulator.board.autoreset import Wiring
from simulator.board.bridge import BRIDGES, BridgeSpec
from simulator.chip.config import ORACLE, ChipConfig
from simulator.chip.names import unknown
from simulator.chip.straps import StrapPins


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardPreset:
    """One board.

    Args:
        name: How scenarios call it.
        title: What is printed on it.
        chip: The chip with its flash; also names the firmware that the board runs.
        bridge: The USB adapter.
        wiring: How the modem lines reach the chip.
        r_ohm: Pull-up of EN in ohms.
        c_farad: Capacitor of EN in farads.
        strap: Levels of the strapping pins without a button pressed.
        note: What is special about it.
    """

    name: str
    title: str
    chip: ChipConfig
    bridge: BridgeSpec
    wiring: Wiring = Wiring.TRANSISTORS
    r_ohm: float = 10_000.0
    c_farad: float = 100e-9
    strap: StrapPins = field(default_factory=StrapPins)
    note: str = ""

    @property
    def firmware(self) -> str:
        """Name of the profile that apps run as unless they say otherwise, see `simulator.chip.firmware`."""
        return self.chip.firmware

    def strap_value(self, *, io0_low: bool) -> int:
        """Return the strap value that the chip samples, with IO0 pulled down if `io0_low`."""
        return self.strap.value(io0_low=io0_low)


_OLED_ON_IO4 = StrapPins(io4=True)
"""The display's I2C pull-up sits on IO4, so these boards print ``boot:0x17`` and, in download mode, ``boot:0x7``."""

PRESETS: Mapping[str, BoardPreset] = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            BoardPreset(
                name="esp32-devkitc",
                title="Espressif ESP32-DevKitC V4 (ESP32-WROOM-32E)",
                chip=ChipConfig(efuse="D0WD-V3", flash="XM25QH32B", mac="94:b5:55:2b:10:44"),
                bridge=BRIDGES["CP2102N"],
                note="CP2102N since V4; the reference circuit of autoreset, with 100 nF on EN",
            ),
            BoardPreset(
                name="ttgo-lora32-v1",
                title="TTGO / LilyGO LoRa32 V1 (batches since 2021)",
                chip=ChipConfig(efuse="D0WDQ6-V3", flash="W25Q32JV", firmware="arduino", mac="d8:a0:1d:40:8f:1c"),
                bridge=BRIDGES["CH9102F"],
                strap=_OLED_ON_IO4,
                note="CH9102F in place of the former CP2102: on macOS two ports, of which Apple's damages long frames",
            ),
            BoardPreset(
                name="ttgo-lora32-v2.1-1.6",
                title="TTGO / LilyGO LoRa32 V2.1_1.6 (PaxCounter)",
                chip=ChipConfig(efuse="PICO-D4", flash="GD25Q32C", firmware="arduino", mac="4c:75:25:a1:3b:90"),
                bridge=BRIDGES["CH9102F"],
                note="display on IO21 and IO22, so the straps are the chip's own; a chip of revision 1 with the flash inside",
            ),
            BoardPreset(
                name="ttgo-tbeam-v1.1",
                title="TTGO / LilyGO T-Beam V1.1 (batches before 2021)",
                chip=ChipConfig(efuse="D0WDQ6-V3", flash="W25Q32JV", firmware="softrf", mac="08:3a:f2:6d:55:e8"),
                bridge=BRIDGES["CP2104"],
                strap=StrapPins(io4=True),
                note="CP2104, later CH9102F; a power chip feeds the ESP32; the LED's pull-up sits on IO4",
            ),
            BoardPreset(
                name="heltec-wifi-lora-32-v2",
                title="Heltec WiFi LoRa 32 V2",
                chip=ChipConfig(efuse="D0WDQ6-V3", flash="W25Q64", firmware="arduino", mac="24:0a:c4:c9:7e:04"),
                bridge=BRIDGES["CP2102"],
                strap=_OLED_ON_IO4,
                note="CP2102 with the serial number 0001 that all of them share; 8 MB flash",
            ),
            BoardPreset(
                name="esp32-oracle",
                title="The recorded chip, on wires without delay",
                chip=ORACLE,
                bridge=BRIDGES["ideal"],
                note="for comparison with the recordings: instant flash, no baud detection, no watchdog",
            ),
        )
    }
)
"""Every preset by name."""


def preset(name: str) -> BoardPreset:
    """Return the preset called `name`.

    Raises:
        ScenarioError: There is none; the message lists all, the hint names the nearest.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise unknown("board", name, PRESETS) from None
