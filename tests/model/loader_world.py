"""A flasher on a virtual board, as the tests of the loader use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from flashcore.loader import Event, Flasher, Options
from flashcore.port import NS_PER_S, LineSupport
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario, World
from tests.images import content

T = TypeVar("T")
OFFSET = 0x10000


@dataclass(kw_only=True)
class Bench:
    """One world, its port, and what the flasher said."""

    world: World
    port: VirtualPort
    events: list[Event] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return self.world.device.kernel.now / NS_PER_S

    @property
    def fired(self) -> int:
        return sum(fault.fired for fault in self.world.planned)

    def open(self, options: Options) -> Flasher:
        return Flasher.open(self.port, options, self.events.append)

    def flash(self, offset: int, size: int) -> bytes:
        return self.world.flash_image()[offset : offset + size]

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def is_erased_but_for(self, offset: int, size: int) -> bool:
        """Whether everything outside a range reads FF."""
        image = self.world.flash_image()
        outside = len(image) - size
        return image[:offset].count(0xFF) + image[offset + size :].count(0xFF) == outside


def bench(
    *faults: str,
    board: str = "ttgo-lora32-v1",
    lines: LineSupport = LineSupport.ATOMIC,
    download: bool = False,
    flash: str = "",
    seed: int = 0,
) -> Bench:
    world = Scenario(board=board, faults=faults, download=download, flash=flash, seed=seed).build()
    return Bench(world=world, port=VirtualPort(world.device, name="/dev/test", line_support=lines))


def firmware(size: int) -> bytes:
    """Return bytes that compress like firmware does."""
    return content("loader", size)


ROM_ONLY = Options(use_stub=False, boot_check=False)
