"""A flasher on a whole computer, as the tests of the way to a port use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from flashcore.approach import DEFAULT_PATIENCE, Patience, reach
from flashcore.image import Region
from flashcore.loader import Event, Flasher, Options
from flashcore.loader.progress import Recovery
from flashcore.port import NS_PER_S
from simulator.board.board import Board
from simulator.board.presets import preset
from simulator.faults.presets.host_table import DeviceSetup, HostSetup
from simulator.host.desk import host_for
from simulator.host.system import Refusal
from simulator.host.unit import Unit
from simulator.host.virtual_host import VirtualHost
from simulator.kernel import Kernel
from simulator.record.events import Journal
from simulator.rng import Rng
from tests.model.loader_world import firmware

T = TypeVar("T")

OFFSET = 0x10000
IMAGE = firmware(0x20000)


@dataclass(kw_only=True)
class Desk:
    """A computer with devices, the run's board among them, and what a flasher said."""

    setup: HostSetup = field(default_factory=HostSetup)
    board_name: str = "esp32-devkitc"
    events: list[Event] = field(default_factory=list)

    @cached_property
    def journal(self) -> Journal:
        return Journal(keep=True)

    @cached_property
    def board(self) -> Board:
        return Board(preset(self.board_name), kernel=Kernel(), rng=Rng(1), sink=self.journal)

    @cached_property
    def host(self) -> VirtualHost:
        return host_for(self.setup, self.board, Rng(1), self.journal)

    @property
    def unit(self) -> Unit:
        return next(unit for unit in self.host.units if unit.device is self.board)

    @property
    def seconds(self) -> float:
        return self.board.kernel.now / NS_PER_S

    @property
    def recoveries(self) -> list[str]:
        return [event.cause for event in self.events if isinstance(event, Recovery)]

    def at(self, seconds: float, action: object) -> None:
        assert callable(action)
        self.board.kernel.at(round(seconds * NS_PER_S), action)

    def reach(self, wanted: str = "auto", *, use_stub: bool = True, patience: Patience = DEFAULT_PATIENCE) -> Flasher:
        options = Options(use_stub=use_stub, boot_check=False)
        return reach(self.host, wanted, options, patience=patience, on_event=self.events.append)

    def write(self, wanted: str = "auto", *, use_stub: bool = True) -> Flasher:
        """Write the image through a port, and return the flasher for its findings."""
        with self.reach(wanted, use_stub=use_stub) as flasher:
            flasher.write([Region(offset=OFFSET, data=IMAGE)])
        return flasher

    @property
    def holds(self) -> bool:
        return self.board.soc.flash.read(OFFSET, len(IMAGE)) == IMAGE


def desk(*devices: DeviceSetup, os: str = "linux", running: tuple[str, ...] = (), board: str = "esp32-devkitc") -> Desk:
    setup = HostSetup(os=os, running=running, devices=devices or (DeviceSetup(),))  # type: ignore[arg-type]
    return Desk(setup=setup, board_name=board)


@dataclass
class Gate:
    """Refuses openings or settings, for a number of times or until a moment."""

    desk: Desk
    refusal: Refusal
    times: int = 1 << 30
    until_s: float = 1e9
    settings: bool = False
    holder: str = ""
    asked: int = 0
    hides: bool = False

    def opening(self) -> Refusal | None:
        return None if self.settings else self._ask()

    def configuring(self) -> Refusal | None:
        return self._ask() if self.settings else None

    def _ask(self) -> Refusal | None:
        self.asked += 1
        return self.refusal if self.asked <= self.times and self.desk.seconds < self.until_s else None
