"""A state machine that tries a flasher out: faults, writes, reads, checks and resets, in any order, judged by the flash array.

A flasher may fail, and say so. What it must not do is say that it wrote what is not in the flash, take anything else for its
data, crash, hang, or leave a board that a clean session cannot flash. Hypothesis finds a program of steps that makes it do so,
reduces it to a minimal one and prints that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from flashcore.errors import FlashcoreError
from flashcore.image import Region
from flashcore.port import Port
from simulator.chip.flash_array import SECTOR
from simulator.flashers.images import Image
from simulator.links.protocol_sim import VirtualHang
from simulator.scenario import Scenario
from simulator.strategies.fault_strategies import PASSING, faults
from simulator.strategies.needed import st, stateful
from simulator.strategies.world_strategies import images
from simulator.testing import VirtualBoard

SETTLE_S = 0.5
"""How long the board is left alone after a step, so that it has done what it was told."""

_R = TypeVar("_R")

# What is in the subclass counts, and the program that is printed shows values, not draws.
_FAULT: st.SearchStrategy[str] = st.runner().flatmap(lambda machine: machine.fault_strategy)
_IMAGE: st.SearchStrategy[Image] = st.runner().flatmap(lambda machine: machine.image_strategy)


class FlasherMachine(stateful.RuleBasedStateMachine):
    """Subclass it, say how your flasher writes, and give ``YourMachine.TestCase`` to your test runner.

    Every step gets a port of its own, in virtual time; it is closed afterwards.
    """

    board: ClassVar[str] = "esp32-devkitc"
    """Name of the board preset."""

    fault_strategy: ClassVar[st.SearchStrategy[str]] = faults(
        actions=PASSING, when=("nth_frame", "nth_byte", "nth_edge", "flash_op"), heal=True
    )
    """What may go wrong; triggers count from the moment at which a fault is injected."""

    image_strategy: ClassVar[st.SearchStrategy[Image]] = images(max_size=8192)
    """What is written."""

    failures: ClassVar[tuple[type[Exception], ...]] = (FlashcoreError, OSError)
    """What the flasher raises where it fails and says so. Anything else is a crash."""

    limit_s: ClassVar[float] = 600.0
    """Seconds of the board's time after which a step counts as hanging."""

    def write(self, port: Port, regions: Sequence[Region]) -> None:
        """Write `regions`; returning means that they are in the flash. To be supplied."""
        raise NotImplementedError(f"{type(self).__name__} must say how its flasher writes: def write(self, port, regions)")

    def read(self, port: Port, offset: int, size: int) -> bytes | None:
        """Return a part of the flash, or ``None`` if the flasher does not read."""
        return None

    def verify(self, port: Port, regions: Sequence[Region]) -> bool | None:
        """Tell whether `regions` are in the flash, or ``None`` if the flasher does not look."""
        return None

    def __init__(self) -> None:
        super().__init__()
        self.bench = VirtualBoard(Scenario(board=self.board))
        """The board."""
        self.claimed: list[Image] = []
        """What the flasher says that it has written, and nothing has touched since."""

    @stateful.rule(fault=_FAULT)
    def inject(self, fault: str) -> None:
        """Let something go wrong from now on."""
        self.bench.inject(fault)

    @stateful.rule(image=_IMAGE)
    def write_region(self, image: Image) -> None:
        """Have an image written."""
        self._write(image)

    @stateful.precondition(lambda self: bool(self.claimed))
    @stateful.rule()
    def read_back(self) -> None:
        """Have the flash read where something was written last."""
        image = self.claimed[-1]
        found = self._attempt(lambda port: self.read(port, image.offset, image.size))
        if found is not None:
            assert found == self._held(image), f"read something else than the flash holds at 0x{image.offset:x}"

    @stateful.precondition(lambda self: bool(self.claimed))
    @stateful.rule()
    def check(self) -> None:
        """Have the last image compared with the flash."""
        image = self.claimed[-1]
        if self._attempt(lambda port: self.verify(port, [_region(image)])):
            assert self._held(image) == image.data(), f"verified {image}, and the flash holds something else"

    @stateful.rule()
    def reset(self) -> None:
        """Press the RESET button."""
        self.bench.press_reset()
        self.bench.run_for(SETTLE_S)

    @stateful.rule(image=_IMAGE)
    def write_without_faults(self, image: Image) -> None:
        """Take all faults away and press RESET: now a write must succeed."""
        self.bench.heal()
        self.reset()
        assert self._write(image), f"without any fault {image} could not be written: {self.last_failure!r}"

    @stateful.precondition(lambda self: bool(self.claimed))
    @stateful.invariant()
    def flash_holds_what_was_claimed(self) -> None:
        """Whatever the flasher has written is there."""
        for image in self.claimed:
            assert self._held(image) == image.data(), f"said that it had written {image}, and the flash holds something else"

    def teardown(self) -> None:
        """Let go of the world."""
        self.claimed.clear()

    last_failure: Exception | None = None
    """What the flasher said last when it failed."""

    def _write(self, image: Image) -> bool:
        struck = self._strikes()

        def write(port: Port) -> bool:
            self.write(port, [_region(image)])
            return True

        done = self._attempt(write)
        if self._strikes() != struck:
            # A damaged address is not protected by any checksum: what else is in the flash may be gone.
            self.claimed.clear()
        self.claimed = [other for other in self.claimed if not _touch(other, image)]
        if done:
            self.claimed.append(image)
        return bool(done)

    def _attempt(self, step: Callable[[Port], _R]) -> _R | None:
        """Let the flasher do something; return ``None`` if it fails and says so."""
        with self.bench.at_most(self.limit_s):
            port = self.bench.port()
            try:
                return step(port)
            except self.failures as failure:
                self.last_failure = failure
                return None
            except VirtualHang as hang:
                raise AssertionError(f"the flasher hangs: {hang}") from hang
            finally:
                port.close()

    def _strikes(self) -> int:
        return sum(fault.fired for fault in self.bench.planned)

    def _held(self, image: Image) -> bytes:
        return self.bench.peek(image.offset, image.size)


def _region(image: Image) -> Region:
    return Region(offset=image.offset, data=image.data(), name=f"image {image.seed}")


def _touch(one: Image, other: Image) -> bool:
    """Tell whether two images have a sector in common."""
    first, second = ((image.offset // SECTOR, (image.end - 1) // SECTOR) for image in (one, other))
    return first[0] <= second[1] and second[0] <= first[1]
