"""A board on the desk of a test: its buttons, its flash, its faults, and what happened to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from flashcore.errors import ScenarioError
from flashcore.port import NS_PER_S, Clock, LineSupport, ns
from simulator.board.board import Board
from simulator.clock import VirtualClock
from simulator.faults.bench import Bench
from simulator.faults.plan import install
from simulator.faults.text import parse
from simulator.links.protocol_sim import VirtualHang
from simulator.links.virtual import VirtualPort
from simulator.record.crossings import Recorder
from simulator.record.events import Event
from simulator.scenario import PlannedFault, Scenario, World


class VirtualBoard:
    """A board in a world of its own, or whatever a fault has put at the port in its place.

    Args:
        scenario: Which board, with what on its flash, which faults and which seed.

    Raises:
        ScenarioError: The scenario makes no sense.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = replace(scenario, keep_events=True)
        """How the board began."""
        self.world: World = self.scenario.build()
        """The world, for everything that is not offered here."""
        device = self.world.device
        self.recorder = Recorder(device, self.world.journal)
        """What crosses the cable, for `simulator.record.ladder`."""
        self.clock: Clock = VirtualClock(device.advance, lambda: device.kernel.now)
        """The board's time."""

    @property
    def now_s(self) -> float:
        """Seconds since the power came on."""
        return self.clock.now_ns() / NS_PER_S

    def run_for(self, seconds: float) -> None:
        """Let time pass for the board while nobody talks to it."""
        self.clock.sleep_until(self.clock.now_ns() + ns(seconds))

    @contextmanager
    def lasting(self) -> Iterator[Stopwatch]:
        """Measure how long a block takes on the board's clock, in ``seconds`` of what the block is given."""
        watch = Stopwatch()
        start = self.clock.now_ns()
        try:
            yield watch
        finally:
            watch.seconds = (self.clock.now_ns() - start) / NS_PER_S

    @contextmanager
    def at_most(self, seconds: float) -> Iterator[None]:
        """Let no more than `seconds` of the board's time pass in the block; ports must be opened within it.

        Raises:
            VirtualHang: Out of what waits for longer.
        """
        device: Any = self.world.device
        advance = device.advance
        limit_ns = self.clock.now_ns() + ns(seconds)

        def bounded(to_ns: int) -> None:
            if to_ns > limit_ns:
                advance(max(limit_ns, device.kernel.now))
                raise VirtualHang(f"no end after {seconds:g} virtual seconds")
            advance(to_ns)

        device.advance = bounded
        try:
            yield
        finally:
            device.advance = advance

    def port(self, *, baudrate: int = 115200, line_support: LineSupport = LineSupport.ATOMIC) -> VirtualPort:
        """Return a `flashcore.port.Port` that leads here, opened, in virtual time.

        Raises:
            PortError: The computer that a fault describes has no such port, or refuses to open it.
        """
        device = self.world.host.attach(self.world.port)
        return VirtualPort(device, name=self.scenario.board, baudrate=baudrate, line_support=line_support)

    @property
    def flash(self) -> bytes:
        """All that the flash holds now, read behind everybody's back."""
        return self._board.soc.flash.image()

    def peek(self, offset: int, size: int) -> bytes:
        """Return a part of the flash, read behind everybody's back; cheaper than all of it."""
        return self._board.soc.flash.read(offset, size)

    def load(self, offset: int, data: bytes) -> None:
        """Put `data` onto the flash behind everybody's back: no erase is needed, and no time passes.

        Raises:
            ScenarioError: It reaches beyond the end of the flash.
        """
        flash = self._board.soc.flash
        if not 0 <= offset <= flash.size - len(data):
            raise ScenarioError(f"{len(data)} bytes at 0x{offset:x} reach beyond the {flash.size} bytes of flash")
        flash.load(offset, data)

    def press_reset(self) -> None:
        """Tap the RESET button."""
        self._board.press_reset()

    def hold_boot(self, held: bool = True) -> None:
        """Press the BOOT button, or let go of it."""
        self._board.reset_circuit.hold_boot(held)

    @property
    def planned(self) -> Sequence[PlannedFault]:
        """The faults that were asked for; each tells in ``fired`` how often it struck."""
        return self.world.planned

    def fired(self, fault: str) -> int:
        """Return how often a planned fault has struck.

        Args:
            fault: Its name or text, as planned.

        Raises:
            ScenarioError: No such fault is planned.
        """
        from simulator.chip.names import unknown

        for item in self.planned:
            if item.name == fault:
                return item.fired
        raise unknown("planned fault", fault, [item.name for item in self.planned])

    def inject(self, fault: str) -> PlannedFault:
        """Let a fault begin now; its triggers count from here.

        Args:
            fault: Its text form.

        Raises:
            PlanError: It is malformed, or does not fit this device.
        """
        device, number = self.world.device, len(self.planned)
        bench = Bench(
            kernel=device.kernel,
            adapter=device.adapter,
            board=self.world.board,
            report=lambda text: device.observe("fault", text.encode()),
        )
        active = install(bench, [parse(fault)], device.rng, prefix=f"injected.{number}")
        self.recorder.stay_outside()
        planned = PlannedFault(fault, active, [], any_one=False, touched=None)
        self.world.planned.append(planned)
        return planned

    def heal(self) -> None:
        """Take all faults out of the world."""
        for fault in self.planned:
            fault.heal()

    @property
    def events(self) -> Sequence[Event]:
        """All that has happened so far, in order: bytes, lines, rates, resets, faults."""
        return self.world.journal.events

    @property
    def _board(self) -> Board:
        board = self.world.board
        if board is None:
            raise ScenarioError("no board is at this port: a fault has put something else there")
        return board


class Stopwatch:
    """How long a block took."""

    seconds = 0.0
    """On the board's clock."""
