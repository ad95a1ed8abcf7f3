"""USB serial adapters, as data: who they say they are, what their ports are called, how fast and how late they are.

Every figure is typical: latencies depend on the host's controller and driver too. Port names follow from the driver in use, so
a bridge may have two names on one machine, and the choice between them can decide whether flashing works.

Source: docs/sources.md, Bridges for identities, names and maximum rates; data sheets of the makers for buffers and packets.
Fidelity: from data sheet, except `control_ns` (one to two frames of full-speed USB) and host buffers: guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, unique
from types import MappingProxyType

from simulator.chip.names import unknown
from simulator.kernel import MS, US


@unique
class Driver(Enum):
    """Operating system and driver, which give a port its name."""

    LINUX = "linux"
    MACOS_APPLE = "macos-apple"
    """The driver that comes with macOS."""
    MACOS_VENDOR = "macos-vendor"
    """The driver of the bridge's maker."""
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSpec:
    """One kind of USB serial adapter.

    Args:
        name: How scenarios call it.
        vid: USB vendor id.
        pid: USB product id.
        manufacturer: USB manufacturer text; empty where the part has none.
        product: USB product text.
        serial: USB serial number; empty where the part has none.
        ports: Port name by driver; ``{n}`` is a number that the system assigns, ``{serial}`` the serial number. A driver
            without an entry does not exist.
        max_baud: Highest rate in baud; it goes no faster, whatever it is told.
        latency_ns: Interval at which received bytes are handed to the host, in nanoseconds.
        out_latency_ns: From the host's write to the first bit on the wire.
        packet_bytes: Bytes per USB packet.
        tx_buffer: Bytes that driver and bridge take before a write blocks.
        control_ns: Time for one change of the modem lines.
        lines_on_open: DTR and RTS as the driver sets them when the port is opened; ``None`` leaves them.
        lines_on_close: The same when it is closed, unless the port's settings forbid it (HUPCL cleared).
        flow_control: Whether RTS serves flow control too, whatever the host wants: it is asserted for a moment when bytes come
            from the chip, and when the port is closed.
        has_lines: Whether DTR and RTS reach the board at all.
        source: Where the figures come from.
    """

    name: str
    vid: int
    pid: int
    manufacturer: str
    product: str
    serial: str
    ports: Mapping[Driver, str]
    max_baud: int
    latency_ns: int = MS
    out_latency_ns: int = 125 * US
    packet_bytes: int = 64
    tx_buffer: int = 4096
    control_ns: int = MS
    lines_on_open: tuple[bool, bool] | None = (True, True)
    lines_on_close: tuple[bool, bool] | None = (False, False)
    flow_control: bool = False
    has_lines: bool = True
    source: str

    def port_name(self, driver: Driver, number: int = 0) -> str | None:
        """Return the port's name under `driver`, or ``None`` if no such driver exists.

        Args:
            driver: System and driver.
            number: What the system counts up for each port.
        """
        pattern = self.ports.get(driver)
        return None if pattern is None else pattern.format(n=number, serial=self.serial)


_SILABS_PORTS = MappingProxyType(
    {
        Driver.LINUX: "/dev/ttyUSB{n}",
        Driver.MACOS_APPLE: "/dev/cu.usbserial-{serial}",
        Driver.MACOS_VENDOR: "/dev/cu.SLAB_USBtoUART",
        Driver.WINDOWS: "COM{n}",
    }
)
_WCH_CDC_PORTS = MappingProxyType(
    {
        Driver.LINUX: "/dev/ttyACM{n}",
        Driver.MACOS_APPLE: "/dev/cu.usbmodem{serial}1",
        Driver.MACOS_VENDOR: "/dev/cu.wchusbserial{serial}1",
        Driver.WINDOWS: "COM{n}",
    }
)
_CDC_PORTS = MappingProxyType(
    {
        Driver.LINUX: "/dev/ttyACM{n}",
        Driver.MACOS_APPLE: "/dev/cu.usbmodem{serial}1",
        Driver.WINDOWS: "COM{n}",
    }
)
_CH340_PORTS = MappingProxyType(
    {
        Driver.LINUX: "/dev/ttyUSB{n}",
        Driver.MACOS_APPLE: "/dev/cu.usbserial-{n}",
        Driver.MACOS_VENDOR: "/dev/cu.wchusbserial{n}",
        Driver.WINDOWS: "COM{n}",
    }
)
_FTDI_PORTS = MappingProxyType(
    {
        Driver.LINUX: "/dev/ttyUSB{n}",
        Driver.MACOS_APPLE: "/dev/cu.usbserial-{serial}",
        Driver.MACOS_VENDOR: "/dev/cu.usbserial-{serial}",
        Driver.WINDOWS: "COM{n}",
    }
)


def _silabs(name: str, product: str, serial: str, max_baud: int, tx_buffer: int) -> BridgeSpec:
    return BridgeSpec(
        name=name,
        vid=0x10C4,
        pid=0xEA60,
        manufacturer="Silicon Labs",
        product=product,
        serial=serial,
        ports=_SILABS_PORTS,
        max_baud=max_baud,
        tx_buffer=tx_buffer,
        source=f"docs/sources.md, Bridges; Silicon Labs {name} data sheet",
    )


def _wch(
    name: str, pid: int, product: str, serial: str, max_baud: int, ports: Mapping[Driver, str], packet_bytes: int
) -> BridgeSpec:
    return BridgeSpec(
        name=name,
        vid=0x1A86,
        pid=pid,
        manufacturer="",
        product=product,
        serial=serial,
        ports=ports,
        max_baud=max_baud,
        packet_bytes=packet_bytes,
        source=f"docs/sources.md, Bridges; WCH {name} data sheet",
    )


def _ftdi(name: str, pid: int, product: str, serial: str) -> BridgeSpec:
    return BridgeSpec(
        name=name,
        vid=0x0403,
        pid=pid,
        manufacturer="FTDI",
        product=product,
        serial=serial,
        ports=_FTDI_PORTS,
        max_baud=3_000_000,
        latency_ns=16 * MS,
        source=f"docs/sources.md, Bridges (16 ms latency timer); FTDI {name} data sheet and AN232B-04",
    )


BRIDGES: Mapping[str, BridgeSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            _silabs("CP2102", "CP2102 USB to UART Bridge Controller", "0001", 1_000_000, 4096 + 640),
            _silabs("CP2104", "CP2104 USB to UART Bridge Controller", "01E5A3C7", 2_000_000, 4096 + 576),
            _silabs("CP2102N", "CP2102N USB to UART Bridge Controller", "a6c5be4b3f2ee811", 3_000_000, 4096 + 512),
            _wch("CH9102F", 0x55D4, "USB Single Serial", "5323005045", 4_000_000, _WCH_CDC_PORTS, 64),
            _wch("CH343", 0x55D3, "USB Single Serial", "5435029461", 6_000_000, _WCH_CDC_PORTS, 64),
            _wch("CH340C", 0x7523, "USB Serial", "", 2_000_000, _CH340_PORTS, 32),
            _ftdi("FT232R", 0x6001, "FT232R USB UART", "A50285BI"),
            _ftdi("FT231X", 0x6015, "FT231X USB UART", "DN0469T7"),
            BridgeSpec(
                name="CP2102C",
                vid=0x10C4,
                pid=0xEA64,
                manufacturer="Silicon Labs",
                product="CP2102C USB to UART Bridge Controller",
                serial="4f1d2c86a9b0e511",
                ports=_CDC_PORTS,
                max_baud=3_000_000,
                tx_buffer=4096 + 512,
                flow_control=True,
                source="docs/sources.md, Bridges; fault catalogue row 53",
            ),
            BridgeSpec(
                name="FT2232H",
                vid=0x0403,
                pid=0x6010,
                manufacturer="FTDI",
                product="Dual RS232-HS",
                serial="FT4XQ2LA",
                ports=MappingProxyType(
                    {
                        Driver.LINUX: "/dev/ttyUSB{n}",
                        Driver.MACOS_APPLE: "/dev/cu.usbserial-{serial}1",
                        Driver.MACOS_VENDOR: "/dev/cu.usbserial-{serial}B",
                        Driver.WINDOWS: "COM{n}",
                    }
                ),
                max_baud=12_000_000,
                latency_ns=16 * MS,
                packet_bytes=512,
                source="docs/sources.md, Bridges: the second of its two ports, the first is JTAG; FTDI FT2232H data sheet",
            ),
            BridgeSpec(
                name="PL2303",
                vid=0x067B,
                pid=0x2303,
                manufacturer="Prolific Technology Inc.",
                product="USB-Serial Controller",
                serial="",
                ports=MappingProxyType(
                    {
                        Driver.LINUX: "/dev/ttyUSB{n}",
                        Driver.MACOS_APPLE: "/dev/cu.usbserial-{n}",
                        Driver.MACOS_VENDOR: "/dev/cu.PL2303G-USBtoUART{n}",
                        Driver.WINDOWS: "COM{n}",
                    }
                ),
                max_baud=1_000_000,
                source="docs/sources.md, Bridges (the slowest of its kind); Prolific PL2303 data sheet",
            ),
            BridgeSpec(
                name="Pico",
                vid=0x2E8A,
                pid=0x000A,
                manufacturer="Raspberry Pi",
                product="Pico",
                serial="E6614103E7452D2F",
                ports=_CDC_PORTS,
                max_baud=921_600,
                tx_buffer=256,
                has_lines=False,
                source="fault catalogue row 42: a microcontroller as a bridge has a small buffer and passes no lines",
            ),
            BridgeSpec(
                name="ideal",
                vid=0,
                pid=0,
                manufacturer="",
                product="wire without delay",
                serial="",
                ports=MappingProxyType({Driver.LINUX: "/dev/ttyS{n}"}),
                max_baud=100_000_000,
                latency_ns=0,
                out_latency_ns=0,
                packet_bytes=1 << 20,
                tx_buffer=1 << 30,
                control_ns=0,
                lines_on_open=None,
                lines_on_close=None,
                source="no real part: what the recordings of the oracle were made through",
            ),
        )
    }
)
"""Every adapter by name."""


def bridge(name: str) -> BridgeSpec:
    """Return the adapter called `name`.

    Raises:
        ScenarioError: There is none; the message lists all, the hint names the nearest.
    """
    try:
        return BRIDGES[name]
    except KeyError:
        raise unknown("bridge", name, BRIDGES) from None
