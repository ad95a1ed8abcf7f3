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
from simulator.chip.efuse_presets import ENCRYPTED, ENCRYPTED_RELEASE, NO_DOWNLOAD, SECURE_BOOT
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
                name="esp32-d0wdq6",
                title="NodeMCU-32S (ESP32-WROOM-32 of 2017)",
                chip=ChipConfig(efuse="D0WDQ6", flash="GD25Q32C", mac="30:ae:a4:0b:5c:18"),
                bridge=BRIDGES["CP2102"],
                note="first production silicon, revision 1, whose ROM of 2016 says `flash read err` for an empty flash",
            ),
            BoardPreset(
                name="esp32-26mhz",
                title="SparkFun ESP32 Thing",
                chip=ChipConfig(efuse="D0WDQ6", crystal_mhz=26, flash="W25Q32JV", mac="24:0a:c4:05:a1:7c"),
                bridge=BRIDGES["FT231X"],
                note="26 MHz crystal, which the ROM measures; FTDI's latency timer of 16 ms",
            ),
            BoardPreset(
                name="esp32-d2wd",
                title="Module with ESP32-D2WD",
                chip=ChipConfig(efuse="D2WD", flash="W25Q16", mac="b4:e6:2d:97:3a:30"),
                bridge=BRIDGES["CH340C"],
                note="2 MB flash inside the chip, rated for 160 MHz; the adapter has no serial number",
            ),
            BoardPreset(
                name="esp32-pico-d4",
                title="Espressif ESP32-PICO-KIT V4",
                chip=ChipConfig(efuse="PICO-D4", flash="GD25Q32C", mac="d8:a0:1d:5c:e2:64"),
                bridge=BRIDGES["CP2102"],
                note="4 MB flash inside the chip, on pins of its own",
            ),
            BoardPreset(
                name="esp32-u4wdh",
                title="Espressif ESP32-DevKitM-1 (ESP32-MINI-1)",
                chip=ChipConfig(efuse="U4WDH", flash="XM25QH32B", mac="c4:dd:57:6e:10:a8"),
                bridge=BRIDGES["CP2102N"],
                note="4 MB flash inside the chip",
            ),
            BoardPreset(
                name="ttgo-t-display-16mb",
                title="TTGO / LilyGO T-Display (16 MB)",
                chip=ChipConfig(efuse="D0WDQ6-V3", flash="W25Q128JV", firmware="arduino", mac="a8:03:2a:6a:77:14"),
                bridge=BRIDGES["CH9102F"],
                note="16 MB flash",
            ),
            BoardPreset(
                name="esp32-encrypted",
                title="ESP32-DevKitC V4, flash encryption on, for development",
                chip=ChipConfig(efuse="D0WD-V3", flash="W25Q32JV", mac="94:b5:55:f1:20:0c", efuse_fields=ENCRYPTED),
                bridge=BRIDGES["CP2102N"],
                note="FLASH_CRYPT_CNT is odd: what is written must be encrypted, by the host or by the stub with --encrypt",
            ),
            BoardPreset(
                name="esp32-encrypted-release",
                title="ESP32-DevKitC V4, flash encryption on, for release",
                chip=ChipConfig(efuse="D0WD-V3", flash="W25Q32JV", mac="94:b5:55:f1:20:10", efuse_fields=ENCRYPTED_RELEASE),
                bridge=BRIDGES["CP2102N"],
                note="FLASH_CRYPT_CNT is used up, and the loader's own encryption is off: only the host's ciphertext boots",
            ),
            BoardPreset(
                name="esp32-secure-boot",
                title="ESP32-DevKitC V4, secure boot V2 on",
                chip=ChipConfig(efuse="D0WD-V3", flash="W25Q32JV", mac="94:b5:55:f1:20:14", efuse_fields=SECURE_BOOT),
                bridge=BRIDGES["CP2102N"],
                note="ABS_DONE_1 is set; esptool refuses to erase the whole flash",
            ),
            BoardPreset(
                name="esp32-no-download",
                title="ESP32-DevKitC V4, download mode off for good",
                chip=ChipConfig(efuse="D0WD-V3", flash="W25Q32JV", mac="94:b5:55:f1:20:18", efuse_fields=NO_DOWNLOAD),
                bridge=BRIDGES["CP2102N"],
                note="UART_DOWNLOAD_DIS is set: no flasher will ever be answered",
            ),
            BoardPreset(
                name="esp32-cp2102c",
                title="ESP32-WROOM-32E board with a CP2102C (from 2025 on)",
                chip=ChipConfig(efuse="D0WD-V3", flash="XM25QH32B", mac="ec:c9:ff:1a:72:3c"),
                bridge=BRIDGES["CP2102C"],
                note="flow control moves RTS: bytes from the chip, and closing the port, reset it unless DTR is asserted",
            ),
            BoardPreset(
                name="esp-wrover-kit",
                title="Espressif ESP-WROVER-KIT V4.1",
                chip=ChipConfig(efuse="D0WDQ6", flash="GD25Q32C", mac="24:0a:c4:83:5b:9c"),
                bridge=BRIDGES["FT2232H"],
                note="FT2232H: two ports, of which the first is JTAG and this is the second; latency timer of 16 ms",
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
