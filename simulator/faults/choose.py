"""Counting for triggers: which of the things that pass are picked, and when a moment of the run has come.

Two ways to use a trigger. `Choice` is for what is done to things that pass at the fault's own place: it is asked at each.
`watch` is for deeds: it calls back when the trigger goes off, wherever in the world that shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, assert_never

from flashcore.errors import PlanError
from simulator.faults import triggers
from simulator.faults.actions_flash import matches
from simulator.faults.frames import FrameFollower, FrameId
from simulator.faults.model import STREAMS, Where
from simulator.faults.sharing import also_ask, also_hook
from simulator.faults.triggers import Trigger
from simulator.kernel import S
from simulator.wire import Chunk, Tap, Taps

if TYPE_CHECKING:
    from simulator.board.board import Board
    from simulator.chip.flash_effect import FlashOperation
    from simulator.chip.gate import CommandEffect
    from simulator.faults.bench import Bench
    from simulator.rng import Dice


class Counter:
    """Counts what passes and says which of it a trigger picks.

    Args:
        trigger: One that picks.
        dice: For those that need luck.
    """

    def __init__(self, trigger: Trigger, dice: Dice) -> None:
        self._trigger = trigger
        self._dice = dice
        self._seen = 0

    def picks(self, opcode: int | None = None, operation: FlashOperation | None = None) -> bool:
        """Return whether the trigger picks the thing that passes now.

        Args:
            opcode: Which command it is, if it is one.
            operation: Which flash operation it is, if it is one.
        """
        match self._trigger:
            case triggers.NthFrame(wanted, n):
                if wanted not in (None, opcode):
                    return False
                self._seen += 1
                return self._seen >= n
            case triggers.FlashOp(kind, n):
                if operation is None or not matches(kind, operation):
                    return False
                self._seen += 1
                return self._seen >= n
            case triggers.Every(n, wanted):
                if wanted not in (None, opcode):
                    return False
                self._seen += 1
                return self._seen % n == 0
            case triggers.Chance(probability):
                return self._dice.chance(probability)
            case triggers.NthEdge(n) | triggers.NthOpen(n) | triggers.NthReconfigure(n):
                self._seen += 1
                return self._seen >= n
            case triggers.Session(n) | triggers.OnReset(n):
                self._seen += 1
                return self._seen == n
            case _:
                return True


class Choice:
    """Says of each thing that passes at a fault's place whether the fault is done to it.

    Args:
        where: The place.
        trigger: The fault's trigger.
        bench: The world.
        dice: The fault's own.
    """

    def __init__(self, where: Where, trigger: Trigger, bench: Bench, dice: Dice) -> None:
        self._counter: Counter | None = None
        self._open = False
        if picks_at(trigger, where):
            self._counter = Counter(trigger, dice)
        else:
            watch(where, trigger, bench, dice, self._begin)

    def _begin(self) -> None:
        self._open = True

    def takes(self, opcode: int | None = None, operation: FlashOperation | None = None) -> bool:
        """Return whether the fault is done to the thing that passes now; see `Counter.picks`."""
        return self._open if self._counter is None else self._counter.picks(opcode, operation)


def picks_at(trigger: Trigger, where: Where) -> bool:
    """Return whether `trigger` picks from what passes at `where`, rather than naming a moment."""
    match trigger:
        case triggers.NthFrame():
            return where in (*STREAMS, Where.CHIP)
        case triggers.NthByte():
            return where in STREAMS
        case triggers.Every() | triggers.Chance():
            return where in (*STREAMS, Where.CHIP, Where.FLASH, Where.LINES)
        case triggers.FlashOp():
            return where is Where.FLASH
        case triggers.NthEdge():
            return where is Where.LINES
        case triggers.NthOpen() | triggers.NthReconfigure():
            return where is Where.PORT
        case _:
            return False


def streams_of(taps: Taps, where: Where) -> list[Tap]:
    """Return the taps at the stream `where`."""
    return {
        Where.HOST_TO_BRIDGE: taps.host_to_bridge,
        Where.BRIDGE_TO_CHIP: taps.bridge_to_chip,
        Where.CHIP_TO_BRIDGE: taps.chip_to_bridge,
        Where.BRIDGE_TO_HOST: taps.bridge_to_host,
    }[where]


def board_of(bench: Bench, what: object) -> Board:
    """Return the board.

    Raises:
        PlanError: There is none.
    """
    if bench.board is None:
        raise PlanError(f"{what} needs a board, and there is none at the port", hint="leave out the preset that replaces it")
    return bench.board


def watch(where: Where, trigger: Trigger, bench: Bench, dice: Dice, tell: Callable[[], None]) -> None:
    """Call `tell` each time that `trigger`, seen from `where`, goes off.

    Raises:
        PlanError: The trigger needs a board, and there is none.
    """
    kernel, adapter = bench.kernel, bench.adapter
    match trigger:
        case triggers.Always():
            tell()
        case triggers.At(seconds) | triggers.After(seconds):
            kernel.at(round(seconds * S), tell, priority=-1)
        case triggers.AfterTrigger(inner, seconds):
            watch(where, inner, bench, dice, _Later(bench, seconds, tell, once=isinstance(inner, triggers.ONCE)))
        case triggers.Session() | triggers.NthOpen():
            adapter.on_open.append(partial(_counted, Counter(trigger, dice), tell))
        case triggers.NthReconfigure():
            adapter.on_configure.append(partial(_counted, Counter(trigger, dice), tell))
        case triggers.NthEdge():
            adapter.on_edge.append(partial(_counted, Counter(trigger, dice), tell))
        case triggers.OnReset():
            board_of(bench, "on_reset").soc.on_start.append(partial(_counted, Counter(trigger, dice), tell))
        case triggers.FlashOp():
            _watch_flash(board_of(bench, "flash_op"), Counter(trigger, dice), bench, tell)
        case triggers.NthByte(n):
            streams_of(adapter.taps, where).append(_ByteWatch(n, bench, tell))
        case triggers.NthFrame() | triggers.Every() | triggers.Chance():
            if where in STREAMS:
                streams_of(adapter.taps, where).append(_FrameWatch(trigger, bench, dice, tell))
            else:
                _watch_passing(where, Counter(trigger, dice), bench, tell)
        case _:
            assert_never(trigger)


class _Later:
    """Tells some time later than it is told, and of a trigger that means one thing only the first time."""

    def __init__(self, bench: Bench, seconds: float, tell: Callable[[], None], *, once: bool) -> None:
        self._kernel = bench.kernel
        self._delay_ns = round(seconds * S)
        self._tell = tell
        self._once = once
        self._told = False

    def __call__(self) -> None:
        if not (self._once and self._told):
            self._told = True
            self._kernel.after(self._delay_ns, self._tell)


def _counted(counter: Counter, tell: Callable[[], None]) -> None:
    if counter.picks():
        tell()


def _watch_passing(where: Where, counter: Counter, bench: Bench, tell: Callable[[], None]) -> None:
    if where is Where.CHIP:
        soc = board_of(bench, "a trigger at the chip").soc
        soc.gate = also_ask(soc.gate, partial(_seen_command, counter, bench, tell))
    elif where is Where.FLASH:
        _watch_flash(board_of(bench, "a trigger at the flash"), counter, bench, tell)
    else:
        bench.adapter.on_edge.append(partial(_counted, counter, tell))


def _seen_command(counter: Counter, bench: Bench, tell: Callable[[], None], opcode: int, _size: int) -> CommandEffect:
    from simulator.chip.gate import UNHARMED

    if counter.picks(opcode):
        # Behind the command, which must come to its end in the loader first.
        bench.kernel.at(bench.kernel.now, tell)
    return UNHARMED


def _watch_flash(board: Board, counter: Counter, bench: Bench, tell: Callable[[], None]) -> None:
    def asked(operation: FlashOperation, offset: int, length: int) -> None:
        if counter.picks(operation=operation):
            bench.kernel.at(bench.kernel.now, tell)

    flash = board.soc.flash
    flash.hook = also_hook(flash.hook, asked)


class _ByteWatch:
    """A tap that changes nothing and tells when the n-th byte has passed."""

    def __init__(self, n: int, bench: Bench, tell: Callable[[], None]) -> None:
        self._n = n
        self._bench = bench
        self._tell = tell
        self._passed = 0

    def __call__(self, chunk: Chunk) -> Sequence[Chunk]:
        before = self._passed
        self._passed += len(chunk.data)
        if before < self._n <= self._passed:
            self._bench.kernel.at(chunk.start_ns + (self._n - before) * chunk.byte_ns, self._tell)
        return (chunk,)


class _FrameWatch:
    """A tap that changes nothing and tells when a frame that is picked has passed."""

    def __init__(self, trigger: Trigger, bench: Bench, dice: Dice, tell: Callable[[], None]) -> None:
        self._trigger = trigger
        self._dice = dice
        self._bench = bench
        self._tell = tell
        self._follower = FrameFollower()

    def __call__(self, chunk: Chunk) -> Sequence[Chunk]:
        for part in self._follower.follow(chunk):
            frame = part.frame
            if frame is None:
                continue
            if frame.chosen is None and frame.opcode is not None:
                frame.chosen = picks_frame(self._trigger, frame, frame.opcode, self._dice)
            if part.last and frame.chosen:
                self._bench.kernel.at(part.chunk.end_ns, self._tell)
        return (chunk,)


def picks_frame(trigger: Trigger, frame: FrameId, opcode: int, dice: Dice) -> bool:
    """Return whether `trigger` picks this frame of a stream, whose command is known."""
    match trigger:
        case triggers.NthFrame(None, n):
            return frame.number >= n
        case triggers.NthFrame(wanted, n):
            return opcode == wanted and frame.of_opcode >= n
        case triggers.Every(n, None):
            return frame.number % n == 0
        case triggers.Every(n, wanted):
            return opcode == wanted and frame.of_opcode % n == 0
        case triggers.Chance(probability):
            return dice.chance(probability)
        case _:
            return False
