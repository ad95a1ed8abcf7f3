"""A board on a desk: USB adapter, reset circuit and chip, seen from the host's side of the cable.

`Board` is a passive model of time with four methods. The host submits what it does, asks when something will happen next, lets
time pass, and drains what has come. A virtual port jumps from one to the next; a pump in real time calls the same four.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, assert_never

from flashcore.errors import ScenarioError
from simulator.board.adapter import SerialAdapter
from simulator.board.autoreset import AutoReset
from simulator.board.bridge import BridgeSpec
from simulator.board.presets import BoardPreset
from simulator.chip.boot import first_program
from simulator.chip.soc import Soc
from simulator.kernel import Kernel
from simulator.rng import Rng
from simulator.wire import Chunk

EventSink = Callable[[int, str, bytes], None]
"""Takes the time in nanoseconds, the kind and the content of each event."""


@dataclass(frozen=True, slots=True)
class HostBytes:
    """The host writes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class HostLines:
    """The host sets both modem lines in one step; true is asserted."""

    dtr: bool
    rts: bool


@dataclass(frozen=True, slots=True)
class HostBaud:
    """The host changes its rate; 0 where its side of the link has none, and the adapter is to follow the chip's."""

    baudrate: int


@dataclass(frozen=True, slots=True)
class HostOpen:
    """The host opens the port."""


@dataclass(frozen=True, slots=True)
class HostClose:
    """The host closes the port."""


@dataclass(frozen=True, slots=True)
class HostDiscard:
    """The host throws away what it has received."""


HostEvent = HostBytes | HostLines | HostBaud | HostOpen | HostClose | HostDiscard


class Device(Protocol):
    """Whatever is at the other end of the cable."""

    @property
    def kernel(self) -> Kernel:
        """Its time."""
        ...

    @property
    def adapter(self) -> SerialAdapter:
        """The adapter that the host talks to."""
        ...

    def submit(self, event: HostEvent) -> int:
        """Let the host do something; return when the host's call comes back, in nanoseconds."""
        ...

    def next_deadline(self, count: int = 1) -> int | None:
        """Return when something happens next, or ``None``; the host waits for `count` bytes."""
        ...

    def advance(self, to_ns: int) -> None:
        """Let time pass."""
        ...

    def drain(self, limit: int = 65536) -> bytes:
        """Return bytes that have reached the host."""
        ...


class AdapterDevice:
    """The four methods for everything that hangs on a serial adapter."""

    def __init__(self, spec: BridgeSpec, kernel: Kernel, rng: Rng, sink: EventSink | None) -> None:
        self.kernel = kernel
        self.rng = rng
        self._sink = sink
        self.announce: Callable[[], None] | None = None
        """Called before each event, for whoever must know which of several devices it comes from."""
        self.adapter = SerialAdapter(spec, kernel, rng, self.observe)

    def observe(self, kind: str, content: bytes) -> None:
        """Record an event at the present time."""
        if self.announce is not None:
            self.announce()
        if self._sink is not None:
            self._sink(self.kernel.now, kind, content)

    def submit(self, event: HostEvent) -> int:
        """Let the host do something; return when the host's call comes back, in nanoseconds."""
        adapter = self.adapter
        match event:
            case HostBytes(data):
                return adapter.write(data)
            case HostLines(dtr, rts):
                return adapter.set_lines(dtr, rts)
            case HostBaud(baudrate):
                adapter.set_baudrate(baudrate)
            case HostOpen():
                adapter.open()
            case HostClose():
                adapter.close()
            case HostDiscard():
                adapter.discard_input()
            case _:
                assert_never(event)
        return self.kernel.now

    def next_deadline(self, count: int = 1) -> int | None:
        """Return when an event is due or bytes reach the host, whichever is first, or ``None``.

        Args:
            count: How many bytes the host waits for; fewer will do if no more are on their way.
        """
        event = self.kernel.next_deadline()
        adapter = self.adapter
        arrival = adapter.arrival_ns() if count == 1 else adapter.arrival_ns(count) or adapter.arrival_ns()
        if arrival is None:
            return event
        return arrival if event is None else min(event, arrival)

    def advance(self, to_ns: int) -> None:
        """Let time pass until `to_ns`."""
        self.kernel.advance(to_ns)

    def drain(self, limit: int = 65536) -> bytes:
        """Return up to `limit` bytes that have reached the host by now."""
        return self.adapter.drain(limit)


class Board(AdapterDevice):
    """One virtual board.

    Args:
        preset: Which board.
        kernel: Time; boards that belong to one run share it.
        rng: Dice.
        sink: Where events go; nowhere by default.
        download: Whether somebody holds BOOT while power comes on, so that the chip waits for a flasher.
        flash: What is on the flash, from offset 0.

    Raises:
        ScenarioError: The flash content is larger than the flash.
    """

    def __init__(
        self,
        preset: BoardPreset,
        *,
        kernel: Kernel | None = None,
        rng: Rng | None = None,
        sink: EventSink | None = None,
        download: bool = False,
        flash: bytes = b"",
    ) -> None:
        super().__init__(preset.bridge, kernel or Kernel(), rng or Rng(), sink)
        self.preset = preset
        self.soc = Soc(
            preset.chip,
            self.kernel,
            self.rng,
            start=first_program,
            transmit=self.adapter.from_chip,
            straps=self._sample_straps,
            note=lambda kind, text: self.observe(kind, text.encode()),
        )
        self.reset_circuit = AutoReset(
            self.kernel,
            wiring=preset.wiring,
            r_ohm=preset.r_ohm,
            c_farad=preset.c_farad,
            on_enable=self._enable,
        )
        if len(flash) > self.soc.flash.size:
            raise ScenarioError(f"{len(flash)} bytes do not fit the {self.soc.flash.size} bytes of flash on {preset.name}")
        self.soc.flash.load(0, flash)
        self.adapter.connect(self)
        self.power_on(download=download)

    def power_on(self, *, download: bool = False) -> None:
        """Apply power, with BOOT held down until the chip has started if `download`."""
        self.reset_circuit.hold_boot(download)
        self.reset_circuit.power_on()
        if download:
            self.reset_circuit.hold_boot(False)

    def power_off(self) -> None:
        """Take the power of chip and flash away; the adapter may have its own."""
        self.reset_circuit.power_off()
        self.soc.flash.power_cycle()

    @property
    def powered(self) -> bool:
        """Whether the board has power."""
        return self.reset_circuit.powered

    @property
    def baudrate(self) -> int:
        """Rate of the chip's UART, in baud."""
        return self.soc.uart.line_baud

    def receive(self, chunk: Chunk) -> None:
        """Take bytes from the adapter."""
        self.soc.receive(chunk)

    def lines_changed(self, *, dtr: bool, rts: bool) -> None:
        """Pass the modem lines to the reset circuit."""
        self.reset_circuit.set_lines(dtr=dtr, rts=rts)

    def press_reset(self) -> None:
        """Tap the RESET button."""
        self.reset_circuit.press_reset()

    def _sample_straps(self) -> int:
        return self.preset.strap_value(io0_low=self.reset_circuit.io0_low)

    def _enable(self, level: bool) -> None:
        if not level:
            self.adapter.cut()
        self.soc.set_enabled(level)
