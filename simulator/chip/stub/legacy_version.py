"""How the builds of the legacy stub differ from each other."""

from __future__ import annotations

from dataclasses import dataclass

from flashcore.protocol.opcodes import StubStatus
from simulator.chip.stub.catalogue import KnownStub

REFUSED = 1
"""Status of a check whose result was only "not equal": what most wrong lengths get. Source: oracle fact 52."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyVersion:
    """One build of the legacy stub.

    Args:
        begin_lengths: Body lengths that the two BEGIN commands take, in bytes.
        begin_refusal: Status for any other length.
        load_fault_pc: Where READ_REG crashes on an unmapped address.
        store_fault_pc: Where WRITE_REG does.
    """

    begin_lengths: frozenset[int]
    begin_refusal: int
    load_fault_pc: int
    store_fault_pc: int


_OLD = frozenset({16})
_NEW = frozenset({16, 20})

_RECORDED = {
    0x400B_E5AC: LegacyVersion(
        begin_lengths=_OLD,
        begin_refusal=REFUSED,
        load_fault_pc=0x400B_E6A8,
        store_fault_pc=0x400B_EA04,
    ),
    0x400B_E5EC: LegacyVersion(
        begin_lengths=_OLD,
        begin_refusal=REFUSED,
        load_fault_pc=0x400B_E6FD,
        store_fault_pc=0x400B_EA59,
    ),
    0x400B_E658: LegacyVersion(
        begin_lengths=_NEW,
        begin_refusal=StubStatus.BAD_LENGTH,
        load_fault_pc=0x400B_E768,
        store_fault_pc=0x400B_EAC5,
    ),
}
"""By entry point. Source: stub_e3.json, stub_e4_1.json, stub_e5_1.json: op_02_*, flash_begin_len_20,
read_zero, op_09_zeros_16."""


def version_of(known: KnownStub) -> LegacyVersion:
    """Return what sets this build apart.

    Fidelity: recorded for three builds; the others are guessed to be like the 4.8.1 one.
    """
    recorded = _RECORDED.get(known.entry)
    if recorded is not None:
        return recorded
    return LegacyVersion(
        begin_lengths=_OLD,
        begin_refusal=REFUSED,
        load_fault_pc=known.entry + 0x111,
        store_fault_pc=known.entry + 0x46D,
    )
