"""Watching a world while a flasher works on it, and saying afterwards what became of it.

The watch counts what faults may strike, ends a wait that nothing would end, and keeps failures of the simulator apart from
errors that the flasher is meant to see. Afterwards it looks at the flash array, at the lines and at what the chip does. After
a failed run it takes the faults out and lets a session of flashcore's ROM loader try to flash the board: a board on which that
fails has been bricked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from flashcore.errors import CancelledError, FlashcoreError
from flashcore.port import NS_PER_S, ns
from simulator.board.autoreset import TRUTH
from simulator.chip.flash_array import SECTOR
from simulator.flashers.adapter import Evidence
from simulator.flashers.counters import EdgeCounter, FrameCounter
from simulator.flashers.images import Image
from simulator.flashers.job import FaultOutcome
from simulator.flashers.task import Job, Task
from simulator.links.protocol_sim import VirtualHang
from simulator.record.crossings import Recorder
from simulator.record.excerpt import excerpt
from simulator.record.ladder import ladder
from simulator.scenario import World

RESCUE_S = 600.0
"""How long the session after a failed run may take, in virtual seconds."""
RESCUE_SIZE = 16 * 1024
"""Bytes that it writes at each place: enough to erase, to program and to check."""

NEIGHBOUR = Image(offset=0, size=SECTOR, seed=1)
"""What lies before and behind a place that holds something."""

LINES_S = 0.2
"""After the end of the flasher until its last change of the lines has had its effect, in virtual seconds: longer than EN takes
to rise through 10 kOhm into 10 uF."""
PAUSE_S = 1.0
"""Between two sessions, in virtual seconds. An app that boots meanwhile is running then."""
BOOT_S = 5.0
"""How long an app may take from reset to its start, in virtual seconds; one of 1 MiB takes less than one."""

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
        board = self.world.board
        if board is not None and (task.job.used or task.job.action != "write"):
            _preload(self.world, task.job)
        self._before = self.world.flash_image()
        self._frames = (FrameCounter(), FrameCounter())
        self._edges = EdgeCounter()
        self._operations = 0
        # Before the faults, where they see the same frames as these do.
        device.adapter.taps.host_to_bridge.insert(0, self._frames[0])
        device.adapter.taps.bridge_to_host.insert(0, self._frames[1])
        device.adapter.taps.lines.insert(0, self._edges)
        device.adapter.on_unplug.append(self._edges.released)
        self._recorder = _recorder(self.world) if task.scenario.keep_events else None
        self._limit_ns = ns(task.limit_s)
        self._guard()

    def pause(self) -> None:
        """Let the time pass that lies between two sessions: to start a program again, or to click once more."""
        self._pass(PAUSE_S)

    def stop(self) -> None:
        """Take the time; what comes now is no longer the flasher's doing."""
        self.virtual_s = self.world.device.kernel.now / NS_PER_S
        if self._recorder is not None:
            self._recorder.stop()
        self._operations = self.world.board.soc.flash.operations if self.world.board is not None else 0
        self._edges.stop()
        for counter in self._frames:
            counter.stop()
        self._allow(RESCUE_S)

    def evidence(self, *, failed: bool, left: Sequence[str] = (), read: bytes | None = None) -> Evidence:
        """Return what the world shows. The ports must be closed.

        Args:
            failed: Whether the flasher failed, so that it matters if the board can still be flashed.
            left: What the flasher left open.
            read: What it read, where that was the job: the places of the images in their order.
        """
        world, job = self.world, self.task.job
        self._pass(LINES_S)
        held = _held(world, self._edges.lines)
        runs = self._app_starts(BOOT_S) if job.success == "runs" and world.board is not None else None
        flash = world.flash_image()
        boots = None
        if job.success == "boots" and world.board is not None:
            world.board.press_reset()
            self._pass(LINES_S)
            boots = self._app_starts(BOOT_S)
        faults = tuple(FaultOutcome(name=fault.name, fired=fault.fired, exercised=fault.exercised) for fault in world.planned)
        gaps = tuple(dict.fromkeys(world.journal.gaps))
        to_device, to_host = self._frames
        recorder = self._recorder
        return Evidence(
            virtual_s=self.virtual_s,
            struck_s=world.journal.first_fault_ns / NS_PER_S if world.journal.first_fault_ns is not None else None,
            holds=bool(flash) and _holds(flash, job),
            astray=not job.whole and _astray(flash, self._before, job.images),
            touched=flash != self._before,
            boots=boots,
            runs=runs,
            read_back=_read_back(self._before, job, read) if job.action == "read" else None,
            left=(*left, *held),
            recoverable=self._rescue() if failed and world.board is not None else None,
            faults=faults,
            gaps=gaps,
            frames_to_device=to_device.count,
            frames_to_host=to_host.count,
            bytes_to_device=to_device.bytes,
            bytes_to_host=to_host.bytes,
            passed_to_device=tuple(to_device.passed) if not world.planned else (),
            passed_to_host=tuple(to_host.passed) if not world.planned else (),
            line_edges=self._edges.count,
            flash_ops=self._operations,
            ladder=tuple(excerpt(ladder(recorder.events, recorder.crossings, recorder.lines))) if recorder is not None else (),
        )

    def _app_starts(self, within_s: float) -> bool:
        """Let time pass until an app runs; tell whether one does."""
        board = self.world.board
        assert board is not None
        until = board.kernel.now + ns(within_s)
        while board.soc.app_offset is None and board.kernel.now < until:
            board.advance(min(board.next_deadline() or until, until))
        return board.soc.app_offset is not None

    def _rescue(self) -> bool | None:
        for fault in self.world.planned:
            fault.heal()
        self._allow(RESCUE_S)
        if _can_flash(self.world, self.task.job):
            return True
        fresh = replace(self.task.scenario, keep_events=False).build()
        for fault in fresh.planned:
            fault.heal()
        return False if _can_flash(fresh, self.task.job) else None

    def _allow(self, seconds: float) -> None:
        self._limit_ns = self.world.device.kernel.now + ns(seconds)

    def _pass(self, seconds: float) -> None:
        device = self.world.device
        device.advance(device.kernel.now + ns(seconds))

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


def _recorder(world: World) -> Recorder:
    """Return what records every line of the world."""
    recorder = Recorder(world.device, world.journal)
    for unit in world.host.units:
        if unit.device is not world.device:
            recorder.watch(unit.device, unit.nodes[0].name if unit.nodes else unit.identity.product)
    return recorder


def _contained(function: Callable[[_A], _R]) -> Callable[[_A], _R]:
    def call(argument: _A) -> _R:
        try:
            return function(argument)
        except Exception as error:
            raise WorldFailureError(f"{type(error).__name__}: {error}") from error

    return call


def _preload(world: World, job: Job) -> None:
    """Put what is to be read or erased on the flash, as far as it fits, or other bytes where an image is to be written.

    Beside each place there is something too, so that it shows if more is erased.
    """
    board = world.board
    assert board is not None
    flash = board.soc.flash
    fitting = [image for image in job.images or (NEIGHBOUR,) if image.end <= flash.size]
    for image in fitting:
        for neighbour in (image.offset - SECTOR, -(-image.end // SECTOR) * SECTOR):
            if 0 <= neighbour < flash.size:
                flash.load(neighbour, NEIGHBOUR.data())
    for image in fitting:
        old = image if job.action != "write" else replace(image, seed=image.seed + 1, kind="random", size=len(image.data()))
        flash.load(old.offset, old.data())


def _held(world: World, lines: tuple[bool, bool]) -> tuple[str, ...]:
    """Return what modem lines as the host wants them hold that released ones don't, in words.

    Faults of the lines, an adapter that was unplugged, and a board without power are not the flasher's doing. An adapter that
    moves RTS by itself must be left with DTR asserted, or the chip is reset by all that it says.
    """
    board = world.board
    if board is None or not board.powered or lines != (board.adapter.dtr, board.adapter.rts):
        return ()
    truth = TRUTH[board.preset.wiring]
    pulls, released = truth[lines], truth[board.preset.bridge.flow_control, False]
    held = {
        "the chip is held in reset": pulls.en and not released.en,
        "IO0 is held low": pulls.io0 and not released.io0,
    }
    return tuple(text for text, is_so in held.items() if is_so)


def _astray(flash: bytes, before: bytes, images: Sequence[Image]) -> bool:
    """Return whether flash outside the images' sectors is not as it was."""
    end = 0
    for image in sorted(images, key=lambda image: image.offset):
        if flash[end : image.offset] != before[end : image.offset]:
            return True
        end = max(end, -(-image.end // SECTOR) * SECTOR)
    return flash[end:] != before[end:]


def _holds(flash: bytes, job: Job) -> bool:
    if job.whole:
        return flash.count(0xFF) == len(flash)
    if job.action == "erase":
        return all(flash[image.offset : image.end].count(0xFF) == len(image.data()) for image in job.images)
    return all(flash[image.offset : image.end] == image.data() for image in job.images)


def _read_back(flash: bytes, job: Job, read: bytes | None) -> bool:
    return read == b"".join(flash[image.offset : image.end] for image in job.images)


def _can_flash(world: World, job: Job) -> bool:
    """Tell whether a clean session can flash the board of `world`: a little of each place that the job names."""
    from simulator.flashers.flashcore import rescue

    board = world.board
    if board is None:
        return False
    fitting = [image for image in job.images if image.end <= board.soc.flash.size]
    places = [replace(image, kind="random", size=min(image.size, RESCUE_SIZE)) for image in fitting]
    images = places or [Image(offset=0x10000, size=RESCUE_SIZE)]
    try:
        rescue(world, images)
    except CancelledError as error:
        raise KeyboardInterrupt from error
    except (FlashcoreError, VirtualHang):
        return False
    return _holds(world.flash_image(), Job(images=tuple(images)))
