"""Count-then-sweep: a clean run counts the points at which a fault may strike, then each kind of fault strikes each point once.

A fault is an index, not a probability. Points are the frames each way, the bytes of a frame that is asked for, the changes of
the modem lines, and the operations of the flash. All together are what coverage is measured against. Several faults at once are
too many for that, so pairs are drawn by seed, and only a small scenario is gone through exhaustively.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from flashcore.errors import PlanError
from flashcore.protocol.opcodes import Opcode
from simulator.campaign.case import Case
from simulator.faults.nearest import nearest
from simulator.flashers.adapter import Evidence
from simulator.rng import Rng

SIZE = 256 * 1024
"""Bytes that a case of a sweep writes."""

FRAME_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "drop": "drop",
        "corrupt": "corrupt(mask=0x01)",
        "duplicate": "duplicate",
        "delay": "delay(7.0)",
        "truncate": "truncate(keep=6)",
        "insert": "insert(data=55aa00)",
        "reset": "reset_chip",
        "disconnect": "disconnect(back=1.0)",
    }
)
"""What strikes at each frame. The delay is longer than the waits for an ordinary answer of all flashers measured (esptool 5
waits 6 s for a data block); what is inserted is noise without a delimiter; a device that leaves the bus is back after a second,
under the same name."""

LINE_KINDS: Mapping[str, str] = MappingProxyType({"lost": "line_ignore", "late": "line_delay(0.03)"})
"""What strikes at each change of the modem lines. The delay is longer than EN takes to rise, and shorter than
any flasher waits between two changes that must keep their order."""

FLASH_KINDS: Mapping[str, str] = MappingProxyType({"fail": "fail", "power-cut": "power_cut(0.5)", "reset": "reset_chip"})
"""What strikes at each operation of the flash."""

BYTE_KINDS: Mapping[str, str] = MappingProxyType(
    {"corrupt": "corrupt(mask=0x01,at={at})", "cut": "truncate(keep={at},delimiter=false)"}
)
"""What strikes at each byte of a frame."""

SMALL_SIZE = 2048
"""Bytes that a case of the exhaustive suite writes: one block."""
SMALL_KINDS: Sequence[str] = ("drop", "corrupt", "duplicate")
"""What may happen to each frame there, besides nothing."""
SMALL_FRAMES = frozenset(
    (Opcode.FLASH_BEGIN, Opcode.FLASH_DATA, Opcode.FLASH_DEFL_BEGIN, Opcode.FLASH_DEFL_DATA, Opcode.SPI_FLASH_MD5)
)
"""The frames there: what writing a block takes."""
MOST_FRAMES = 6
"""So many of them, to keep within a few thousand cases."""


def sweep(base: Case, counted: Evidence) -> list[Case]:
    """Return a case for each kind of fault at each frame each way, each change of the lines, and each operation of the flash.

    Args:
        base: The clean case.
        counted: What the clean run showed.
    """
    points = (
        ("h2d", "nth_frame(any,{n})", FRAME_KINDS, counted.frames_to_device),
        ("d2h", "nth_frame(any,{n})", FRAME_KINDS, counted.frames_to_host),
        ("lines", "nth_edge({n})", LINE_KINDS, counted.line_edges),
        ("flash", "flash_op(any,{n})", FLASH_KINDS, counted.flash_ops),
    )
    return [
        replace(base, preset=f"{place}-{kind}", faults=(f"{place}:{trigger.format(n=number)}:{action}",))
        for place, trigger, kinds, count in points
        for kind, action in kinds.items()
        for number in range(1, count + 1)
    ]


def sweep_bytes(base: Case, frame: str, counted: Evidence) -> list[Case]:
    """Return a case for each kind of fault at each byte of one frame.

    Args:
        base: The clean case.
        frame: Which one, as ``h2d:FLASH_DEFL_DATA,2``.
        counted: What the clean run showed.

    Raises:
        PlanError: There is no such frame.
    """
    place, opcode, number = _named(frame)
    passed = counted.passed_to_device if place == "h2d" else counted.passed_to_host
    sizes = [size for command, size in passed if command == opcode]
    if not 0 < number <= len(sizes):
        raise PlanError(f"there is no frame {frame} in the run without faults", hint=f"it has {len(sizes)} of this kind")
    trigger = f"{place}:nth_frame({Opcode(opcode).name},{number})"
    return [
        replace(base, preset=f"{place}-byte-{kind}", faults=(f"{trigger}:{action.format(at=at)}",))
        for kind, action in BYTE_KINDS.items()
        for at in range(sizes[number - 1])
    ]


def _named(frame: str) -> tuple[str, int, int]:
    place, _, rest = frame.partition(":")
    name, _, number = rest.partition(",")
    if place not in ("h2d", "d2h") or not (number or "1").isdecimal():
        raise PlanError(f"{frame!r} names no frame", hint="write, for example, h2d:FLASH_DEFL_DATA,2")
    if name.upper() not in Opcode.__members__:
        raise PlanError(f"unknown command {name!r}", hint=nearest(name.upper(), list(Opcode.__members__)))
    return place, int(Opcode[name.upper()]), int(number or 1)


def pairs(singles: Sequence[Case], count: int, seed: int) -> list[Case]:
    """Return `count` cases with two different faults of `singles` each, drawn by `seed`, none twice.

    There are fewer where `singles` has not so many pairs.
    """
    dice = Rng(seed).stream("campaign.pairs")
    found: dict[tuple[int, int], Case] = {}
    possible = len(singles) * (len(singles) - 1) // 2
    while len(found) < min(count, possible):
        one, other = sorted((dice.below(len(singles)), dice.below(len(singles))))
        if one != other and (one, other) not in found:
            faults = singles[one].faults + singles[other].faults
            found[one, other] = replace(singles[one], preset="pair", faults=faults)
    return list(found.values())


def exhaustive(base: Case, counted: Evidence) -> list[Case]:
    """Return a case for everything that may happen to the frames by which one block is written, taken together.

    Args:
        base: The clean case, which writes `SMALL_SIZE` bytes.
        counted: What the clean run showed.
    """
    frames = list(itertools.islice(_small_frames(counted), MOST_FRAMES))
    choices = [("", *(f"{frame}:{FRAME_KINDS[kind]}" for kind in SMALL_KINDS)) for frame in frames]
    plans = (tuple(fault for fault in chosen if fault) for chosen in itertools.product(*choices))
    return [replace(base, preset=f"{len(faults)} of {len(frames)}", faults=faults) for faults in plans if faults]


def _small_frames(counted: Evidence) -> Iterator[str]:
    """Yield the triggers of the frames that write a block, each request before its answer."""
    requests, answers = (
        [
            f"{place}:nth_frame({Opcode(command).name},{passed[: index + 1].count(command)})"
            for index, command in enumerate(passed)
            if command in SMALL_FRAMES
        ]
        for place, passed in (
            ("h2d", [command for command, _ in counted.passed_to_device]),
            ("d2h", [command for command, _ in counted.passed_to_host]),
        )
    )
    for request, answer in zip(requests, answers, strict=False):
        yield from (request, answer)
