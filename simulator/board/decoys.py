"""Things that are not a board, behind serial ports that look like one.

A flasher that picks the wrong port talks to one of these. Each is a far end of an adapter like a chip, with its own manners.
Source: fault catalogue, row ``wrong-port``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simulator.board.adapter import SerialAdapter
from simulator.board.board import AdapterDevice, EventSink
from simulator.board.bridge import BRIDGES, BridgeSpec, Driver
from simulator.kernel import MS, Kernel, S
from simulator.rng import Rng
from simulator.wire import Chunk, byte_time


class _FarEnd:
    """What all of them share: they talk at the host's rate, as USB devices do, and do not care about modem lines."""

    def __init__(self, adapter: SerialAdapter, kernel: Kernel) -> None:
        self._adapter = adapter
        self._kernel = kernel
        self._free_ns = 0

    @property
    def baudrate(self) -> int:
        """The host's rate."""
        return self._adapter.baudrate

    def say(self, data: bytes) -> None:
        """Send `data` to the host, behind what is still being sent."""
        baud = self._adapter.baudrate
        chunk = Chunk(data, max(self._kernel.now, self._free_ns), byte_time(baud), baud)
        self._free_ns = chunk.end_ns
        self._adapter.from_chip(chunk)

    def receive(self, chunk: Chunk) -> None:
        """Ignore what the host sends."""

    def lines_changed(self, *, dtr: bool, rts: bool) -> None:
        """Ignore the modem lines."""


class Modem(_FarEnd):
    """A cellular modem: whatever it does not understand, it answers with ERROR."""

    _QUIET = 10 * MS

    def __init__(self, adapter: SerialAdapter, kernel: Kernel) -> None:
        super().__init__(adapter, kernel)
        self._last_ns = 0

    def receive(self, chunk: Chunk) -> None:
        """Answer when the host has been quiet for a moment."""
        self._last_ns = self._kernel.now
        self._kernel.after(self._QUIET, lambda at=self._last_ns: self._answer(at))  # type: ignore[misc]

    def _answer(self, at_ns: int) -> None:
        if at_ns == self._last_ns:
            self.say(b"\r\nERROR\r\n")


class Gps(_FarEnd):
    """A GPS receiver: NMEA sentences once a second, whoever listens."""

    _SENTENCES = (
        "GPRMC,{t}.00,V,,,,,,,221126,,,N",
        "GPGGA,{t}.00,,,,,0,00,99.99,,,,,,",
        "GPGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99",
        "GPGSV,1,1,00",
        "GPTXT,01,01,02,ANTSTATUS=OPEN",
    )

    def __init__(self, adapter: SerialAdapter, kernel: Kernel) -> None:
        super().__init__(adapter, kernel)
        self._seconds = 0
        kernel.after(150 * MS, self._tick)

    def _tick(self) -> None:
        clock = f"{self._seconds // 3600 % 24:02d}{self._seconds // 60 % 60:02d}{self._seconds % 60:02d}"
        self.say(b"".join(_sentence(text.format(t=clock)) for text in self._SENTENCES))
        self._seconds += 1
        self._kernel.after(S, self._tick)


class Mute(_FarEnd):
    """Something that takes what it gets and never says a word: a debug probe, a wireless link without a partner."""


class Echo(_FarEnd):
    """A loop: what goes out comes back."""

    def receive(self, chunk: Chunk) -> None:
        """Send it back."""
        self.say(chunk.data)


def _sentence(body: str) -> bytes:
    checksum = 0
    for byte in body.encode():
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode()


_KINDS: dict[str, Callable[[SerialAdapter, Kernel], _FarEnd]] = {
    "modem": Modem,
    "gps": Gps,
    "echo": Echo,
    "probe": Mute,
    "bluetooth": Mute,
    "uart": Mute,
}

_CDC = replace(BRIDGES["CH9102F"], latency_ns=MS)
_ON_BOARD = replace(BRIDGES["ideal"], control_ns=MS // 100)
_SPECS: dict[str, BridgeSpec] = {
    "modem": replace(_CDC, name="LTE modem", vid=0x2C7C, pid=0x0125, product="EG25-G", manufacturer="Quectel", serial="4180"),
    "gps": replace(
        _CDC, name="GPS receiver", vid=0x1546, pid=0x01A8, product="u-blox 8", manufacturer="u-blox AG", serial="2310"
    ),
    "echo": replace(BRIDGES["CP2102"], name="loop plug"),
    "probe": replace(
        _CDC, name="debug probe", vid=0x1D50, pid=0x6018, product="Black Magic Probe", manufacturer="1BitSquared", serial="7BB0"
    ),
    "bluetooth": replace(
        _ON_BOARD,
        name="Bluetooth",
        product="n/a",
        ports={
            Driver.LINUX: "/dev/rfcomm{n}",
            Driver.MACOS_APPLE: "/dev/cu.Bluetooth-Incoming-Port",
            Driver.WINDOWS: "COM{n}",
        },
    ),
    "uart": replace(
        _ON_BOARD,
        name="serial port of the mainboard",
        product="ttyS",
        ports={Driver.LINUX: "/dev/ttyS{n}", Driver.MACOS_APPLE: "/dev/cu.debug-console", Driver.WINDOWS: "COM{n}"},
    ),
}

DECOYS = tuple(_KINDS)
"""Names of the things that are not a board."""


class Decoy(AdapterDevice):
    """A device that is not a board.

    Args:
        kind: One of `DECOYS`.
        kernel: Time.
        rng: Dice.
        sink: Where events go.
    """

    def __init__(
        self, kind: str, *, kernel: Kernel | None = None, rng: Rng | None = None, sink: EventSink | None = None
    ) -> None:
        super().__init__(_SPECS[kind], kernel or Kernel(), rng or Rng(), sink)
        self.adapter.connect(_KINDS[kind](self.adapter, self.kernel))
