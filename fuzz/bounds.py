"""What no input may make the simulator do: run on and on, plan without end, keep more and more, send what is no frame."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterable
from functools import partial

from flashcore.protocol.slip import unescape
from simulator.chip.memory import Memory
from simulator.chip.nor_flash import NorFlash
from simulator.kernel import Action, Kernel, Timer

MAX_EVENTS = 20_000
"""Actions that may be planned for one input, besides one for each `EVENT_NS` that pass; each piece of the input is one."""

EVENT_NS = 2_000
"""Whatever goes on and on takes at least this long each time, in nanoseconds: half a frame of one byte at the highest rate that
the chip has, 5 Mbaud."""

MAX_QUEUE = 6_000
"""Actions that may wait at one time."""

MAX_FOOTPRINT = 80_000
"""Bytes that chip and kernel may keep besides RAM and flash, which end where their address range does: a window of 32 KiB for
inflating, two frames of 16 KiB, and tables."""

_ITEM = 8
_OWN = ("simulator.", "websockets.")
_LEAVES = (int, float, type, types.ModuleType, types.BuiltinFunctionType, Memory, NorFlash)


class BrokenError(Exception):
    """An invariant does not hold.

    Args:
        claim: The claim that is not true.
        found: What was found in its place.
    """

    def __init__(self, claim: str, found: str) -> None:
        super().__init__(f"{claim}; found: {found}")


class BudgetKernel(Kernel):
    """A kernel that gives up when more is planned than any one input can be worth."""

    __slots__ = ("longest", "planned")

    def __init__(self) -> None:
        super().__init__()
        self.planned = 0
        """Actions planned so far."""
        self.longest = 0
        """Longest queue so far."""

    def restart(self) -> None:
        """Begin with an empty queue at time zero."""
        self._heap.clear()
        self.now = 0
        self.planned = 0

    def at(self, at_ns: int, action: Action, *, priority: int = 0) -> Timer:
        self.planned += 1
        waiting = len(self._heap)
        if waiting > self.longest:
            self.longest = waiting
        if self.planned > MAX_EVENTS + self.now // EVENT_NS:
            raise BrokenError(f"an input plans at most {MAX_EVENTS} actions at once", f"one more at {at_ns} ns: {action}")
        if waiting > MAX_QUEUE:
            raise BrokenError(f"at most {MAX_QUEUE} actions wait", f"one more at {at_ns} ns: {action}")
        return super().at(at_ns, action, priority=priority)


def footprint(*roots: object) -> int:
    """Return about how many bytes are kept in the buffers, queues and tables that can be reached from `roots`.

    RAM and flash of the chip are left out, and so is what belongs to no instance of the simulator or of its WebSocket library.
    """
    seen: set[int] = set()
    todo: list[object] = list(roots)
    total = 0
    while todo:
        item = todo.pop()
        if item is None or isinstance(item, _LEAVES) or id(item) in seen:
            continue
        seen.add(id(item))
        match item:
            case bytes() | bytearray() | str():
                total += len(item)
            case dict():
                total += _ITEM * 2 * len(item)
                todo += item.keys()
                todo += item.values()
            case list() | tuple() | deque() | set() | frozenset():
                total += _ITEM * len(item)
                todo += item
            case partial():
                todo += [item.func, item.args]
            case types.MethodType():
                todo.append(item.__self__)
            case types.FunctionType():
                todo += [cell.cell_contents for cell in item.__closure__ or () if not _is_empty(cell)]
            case _ if any(kind.__module__.startswith(_OWN) for kind in type(item).__mro__):
                todo += _fields(item)
            case _:
                pass
    return total


def check_footprint(*roots: object, limit: int) -> int:
    """Return the footprint of `roots`.

    Raises:
        BrokenError: It is larger than `limit`.
    """
    found = footprint(*roots)
    if found > limit:
        raise BrokenError(f"buffers keep at most {limit} bytes", f"{found} bytes")
    return found


def _is_empty(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False


def _fields(item: object) -> Iterable[object]:
    for kind in type(item).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            yield getattr(item, name, None)
    yield getattr(item, "__dict__", None)


def frames(stream: bytes, *, complete: bool) -> list[bytes]:
    """Return the packets in a stream that is made of SLIP frames and nothing else.

    Args:
        stream: What a loader sent.
        complete: Whether the last frame must be there as a whole.

    Raises:
        BrokenError: The stream is anything else.
    """
    parts = stream.split(b"\xc0")
    rest = b"" if len(parts) % 2 else parts.pop()
    if rest and complete:
        raise BrokenError("each frame comes to its end", rest[:80].hex())
    for between in parts[0::2]:
        if between:
            raise BrokenError("a loader sends frames and nothing between them", between[:80].hex())
    packets: list[bytes] = []
    for part in parts[1::2]:
        packet = unescape(part)
        if packet is None:
            raise BrokenError("frames hold no escapes but DB DC and DB DD", part[:80].hex())
        packets.append(packet)
    return packets
