"""Which stub lies in RAM, and the program that stands for it.

A stub is recognised by its entry point and the digests of its segments. One that has a known entry but other bytes
was damaged on its way: running it is what happens on silicon, so it crashes."""

from __future__ import annotations

import hashlib

from simulator.chip.memory import BusFault, Memory
from simulator.chip.program import Dead, Program
from simulator.chip.soc import Soc
from simulator.chip.stub.catalogue import KNOWN_STUBS, Generation, KnownStub, Segment
from simulator.chip.stub.crash import DamagedStub
from simulator.chip.stub.legacy import LegacyStub
from simulator.chip.stub.modern import ModernStub


def program_at(soc: Soc, entry: int) -> Program | None:
    """Return the program that runs when the CPU jumps to `entry`.

    Args:
        soc: The chip, with whatever was uploaded in its memory.
        entry: Where it jumps to.

    Returns:
        A stub, a stub that crashes because it was damaged, or None where no known stub begins.

    Fidelity: recorded for the builds named in `KnownStub.recorded`; the others of a generation are guessed to be like
    them."""
    candidates = [known for known in KNOWN_STUBS if known.entry == entry]
    if not candidates:
        return None
    for known in candidates:
        if _lies_in(soc.memory, known.text) and _lies_in(soc.memory, known.data):
            return _program(soc, known)
    return DamagedStub(soc, entry)


def left_running(soc: Soc) -> Program:
    """Return the stub that a session of today's flasher would have left in RAM."""
    return _program(soc, next(known for known in KNOWN_STUBS if known.generation is Generation.MODERN))


def _lies_in(memory: Memory, segment: Segment) -> bool:
    try:
        content = memory.dump(segment.address, segment.length)
    except BusFault:
        return False
    return hashlib.sha256(content).hexdigest() == segment.sha256


def _program(soc: Soc, known: KnownStub) -> Program:
    soc.note("chip", f"stub: {known.generation.value}, of {known.releases}")
    match known.generation:
        case Generation.LEGACY:
            return LegacyStub(soc, known)
        case Generation.MODERN:
            return ModernStub(soc, known)
        case Generation.RUST:
            soc.note("gap", "the first esp-flasher-stub is not recorded; modelled as the later one")
            return ModernStub(soc, known)
        case Generation.PLACEHOLDER:
            soc.note("gap", "this release's new stub is a placeholder; modelled as dead")
            return Dead()
