"""Watching a world while a flasher works on it, and saying afterwards what became of it.

The watch counts frames as faults do, ends a wait that nothing would end, and keeps failures of the simulator apart from errors
that the flasher is meant to see. Afterwards it looks at the flash array itself. After a failed run it takes the faults out
and lets a session of flashcore's ROM loader try to flash the board: a board on which that fails has been bricked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flashcore.errors import CancelledError, FlashcoreError
from flashcore.port import NS_PER_S, ns
from simulator.faults.frames import FrameFollower
from simulator.flashers.adapter import Evidence, Image, Task
from simulator.flashers.job import FaultOutcome
from simulator.links.protocol_sim import VirtualHang
from simulator.record.crossings import Recorder
from simulator.record.excerpt import excerpt
from simulator.record.ladder import ladder
from simulator.scenario import Scenario, World
from simulator.wire import Chunk

SECTOR = 4096
"""Erase unit of the flash: what lies in the same sector behind an image may change."""

RESCUE_S = 600.0
"""How long the session after a failed run may take, in virtual seconds."""

_A = TypeVar("_A")
_R = TypeVar("_R")


class WorldFailureError(BaseException):
    """The simulator itself failed. Not an `Exception`, since the flasher must not take it for an error of its port."""


class Watch:
    """A world under observation.

    Args:
        task: What the flasher is to do.

    Raises:
        ScenarioError: The world cannot be built.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.world: World = task.scenario.build()
        self.virtual_s = 0.0
        """How long the flasher worked, set by `stop`."""
        device = self.world.device
        self._before = self.world.flash_image()
        self._counters = (_FrameCounter(), _FrameCounter())
        # Before the faults, where they see the same frames as these do.
        device.adapter.taps.host_to_bridge.insert(0, self._counters[0])
        device.adapter.taps.bridge_to_host.insert(0, self._counters[1])
        self._recorder = Recorder(device, self.world.journal) if task.scenario.keep_events else None
        self._limit_ns = ns(task.limit_s)
        self._guard()

    def stop(self) -> None:
        """Take the time; what comes now is no longer the flasher's doing."""
        self.virtual_s = self.world.device.kernel.now / NS_PER_S
        if self._recorder is not None:
            self._recorder.stop()
        self._limit_ns = self.world.device.kernel.now + ns(RESCUE_S)

    def evidence(self, *, failed: bool) -> Evidence:
        """Return what the world shows. The ports must be closed.

        Args:
            failed: Whether the flasher failed, so that it matters if the board can still be flashed.
        """
        world, images = self.world, self.task.images
        holds, astray = _look(world, images, self._before)
        counted = tuple(FaultOutcome(name=fault.name, fired=fault.fired, exercised=fault.exercised) for fault in world.planned)
        frames = [counter.count for counter in self._counters]
        gaps = tuple(dict.fromkeys(world.journal.gaps))
        recorder = self._recorder
        return Evidence(
            virtual_s=self.virtual_s,
            holds=holds,
            astray=astray,
            recoverable=self._rescue() if failed and world.board is not None else None,
            faults=counted,
            gaps=gaps,
            frames_to_device=frames[0],
            frames_to_host=frames[1],
            ladder=tuple(excerpt(ladder(recorder.events, recorder.crossings))) if recorder is not None else (),
        )

    def _rescue(self) -> bool | None:
        taps = self.world.device.adapter.taps
        mine = {id(active) for fault in self.world.planned for active in fault.active}
        for place in (taps.host_to_bridge, taps.bridge_to_chip, taps.chip_to_bridge, taps.bridge_to_host):
            place[:] = [tap for tap in place if id(tap) not in mine]
        self._limit_ns = self.world.device.kernel.now + ns(RESCUE_S)
        if _can_flash(self.world, self.task.images):
            return True
        scenario = self.task.scenario
        fresh = Scenario(board=scenario.board, seed=scenario.seed, flash=scenario.flash, firmware=scenario.firmware).build()
        return False if _can_flash(fresh, self.task.images) else None

    def _guard(self) -> None:
        device = self.world.device
        advance = _contained(device.advance)

        def bounded(to_ns: int) -> None:
            if to_ns > self._limit_ns:
                advance(max(self._limit_ns, device.kernel.now))
                raise VirtualHang(f"no end after {self._limit_ns / NS_PER_S:g} virtual seconds")
            advance(to_ns)

        changed: Any = device
        changed.advance, changed.submit = bounded, _contained(device.submit)


class _FrameCounter:
    """A tap that counts frames and changes nothing."""

    def __init__(self) -> None:
        self.count = 0
        self._follower = FrameFollower()

    def __call__(self, chunk: Chunk) -> Sequence[Chunk]:
        for part in self._follower.follow(chunk):
            if part.frame is not None and part.frame.opcode is not None:
                self.count = part.frame.number
        return (chunk,)


def _contained(function: Callable[[_A], _R]) -> Callable[[_A], _R]:
    def call(argument: _A) -> _R:
        try:
            return function(argument)
        except Exception as error:
            raise WorldFailureError(f"{type(error).__name__}: {error}") from error

    return call


def _look(world: World, images: Sequence[Image], before: bytes) -> tuple[bool, bool]:
    """Return whether every image is in flash, and whether flash elsewhere is not as it was."""
    flash = world.flash_image()
    if not flash:
        return False, False
    astray, end = False, 0
    for image in sorted(images, key=lambda image: image.offset):
        astray = astray or flash[end : image.offset] != before[end : image.offset]
        end = -(-(image.offset + image.size) // SECTOR) * SECTOR
    return _holds(flash, images), astray or flash[end:] != before[end:]


def _holds(flash: bytes, images: Sequence[Image]) -> bool:
    return all(flash[image.offset : image.offset + image.size] == image.data() for image in images)


def _can_flash(world: World, images: Sequence[Image]) -> bool:
    from simulator.flashers.flashcore import rescue

    try:
        rescue(world, images)
    except CancelledError as error:
        raise KeyboardInterrupt from error
    except (FlashcoreError, VirtualHang):
        return False
    flash = world.flash_image()
    return _holds(flash, images)
