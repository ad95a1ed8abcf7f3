"""Which USB ids belong to adapters on boards with Espressif chips, and which surely do not.

Data only. The same adapter is also found in GPS receivers and printers, so an id makes a port worth asking, never certain.
Source: docs/sources.md, Bridges.
"""

from __future__ import annotations

UsbId = tuple[int, int]
"""Vendor id and product id."""

ESPRESSIF = 0x303A
"""Vendor id of the chips that are USB devices themselves."""
WCH = 0x1A86
"""Vendor id of the makers of CH34x and CH9102, whose own drivers pass long writes unharmed (fault catalogue row 1)."""

BRIDGES: dict[UsbId, str] = {
    (WCH, 0x55D4): "WCH CH9102",
    (WCH, 0x55D3): "WCH CH343",
    (WCH, 0x7523): "WCH CH340",
    (WCH, 0x7522): "WCH CH340",
    (WCH, 0x5523): "WCH CH341",
    (0x10C4, 0xEA60): "Silicon Labs CP210x",
    (0x10C4, 0xEA64): "Silicon Labs CP2102C",
    (0x0403, 0x6001): "FTDI FT232R",
    (0x0403, 0x6015): "FTDI FT231X",
    (0x0403, 0x6010): "FTDI FT2232H",
    (0x067B, 0x2303): "Prolific PL2303",
    (ESPRESSIF, 0x1001): "Espressif USB-Serial/JTAG",
    (ESPRESSIF, 0x0002): "Espressif USB-OTG",
    (ESPRESSIF, 0x0009): "Espressif USB-OTG",
    (ESPRESSIF, 0x0012): "Espressif USB-OTG",
}
"""Adapters by id."""

STRANGERS: dict[int, str] = {
    0x1366: "a SEGGER debug probe",
    0x0483: "an ST device",
    0x1915: "a Nordic device",
    0x0925: "a logic analyser",
    0x04B4: "a Cypress device",
    0x05C6: "a cellular modem",
    0x2C7C: "a cellular modem",
    0x1E0E: "a cellular modem",
    0x1546: "a GPS receiver",
    0x1D50: "a debug probe",
}
"""What devices of these vendors are; bytes sent to them may do harm. Source: fault catalogue row 3."""


def bridge(vid: int | None, pid: int | None) -> str:
    """Return the adapter's name if it is one of those on boards, else empty."""
    if vid is None or pid is None:
        return ""
    found = BRIDGES.get((vid, pid), "")
    return found or ("Espressif USB device" if vid == ESPRESSIF else "")


def text(vid: int | None, pid: int | None) -> str:
    """Return an id as ``1A86:55D4``, empty for what is no USB device."""
    return f"{vid:04X}:{pid:04X}" if vid is not None and pid is not None else ""
