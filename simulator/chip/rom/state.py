"""What the ROM's loader remembers between two commands, and the answer it builds.

Nearly everything odd about the ROM's answers is memory that is not cleared: one buffer for requests, one for answers,
one pair of status bytes, one value word. The commands work on this state through a few functions, so that each oddity has
one place.

Source: oracle facts 13, 18 to 21, 28. Fidelity: recorded, where not stated otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import Struct

from flashcore.protocol.opcodes import RomStatus
from flashcore.protocol.packet import HEADER, RESPONSE, checksum
from simulator.chip.rom.deflate import Inflator
from simulator.chip.rom.slip import SlipReceiver
from simulator.chip.soc import Soc

BODY = 8
"""Where a request's body starts in the receive buffer."""

PAYLOAD = 24
"""Where a data command's payload starts in the receive buffer."""

STATUS_LENGTH = 4
"""Length of the status in bytes; only the first two are ever written."""

MAX_BLOCK = 0x1800
"""Largest block size that a BEGIN accepts. Source: oracle facts 24, 34; rom_mem.json mem_begin_block_1801."""

MAX_DATA_SIZE = MAX_BLOCK + 16
"""Largest size field of a data command. Source: oracle fact 15, rom_mem.json mem_size_field."""

_ANSWER_SIZE = 68
_FOUR_WORDS = Struct("<IIII")

FollowUp = Callable[[], int]
"""Runs when the answer has left; may name another one to run later. Returns how long it takes in nanoseconds."""


@dataclass(slots=True)
class Transfer:
    """A write in progress: what a BEGIN announced and how far the blocks got."""

    begun: bool = False
    """Whether there was a BEGIN since reset."""
    size: int = 0
    """Announced bytes."""
    blocks: int = 0
    """Announced number of blocks."""
    block_size: int = 0
    """Announced block size in bytes."""
    address: int = 0
    """Where the next block goes."""
    sequence: int = 0
    """Number of the block expected next."""
    written: int = 0
    """Bytes taken so far."""

    def begin(self, size: int, blocks: int, block_size: int, address: int) -> None:
        """Start over."""
        self.begun = True
        self.size, self.blocks, self.block_size, self.address = size, blocks, block_size, address
        self.sequence = 0
        self.written = 0


@dataclass(slots=True)
class RomState:
    """The loader's variables.

    Args:
        soc: The chip it runs on.
    """

    soc: Soc
    receiver: SlipReceiver = field(default_factory=SlipReceiver)
    transfer: Transfer = field(default_factory=Transfer)
    """Shared by MEM_* and FLASH_* (oracle fact 28)."""
    deflated: Transfer = field(default_factory=Transfer)
    """FLASH_DEFL_*'s own."""
    inflator: Inflator = field(default_factory=Inflator)
    opcode: int = 0
    """Opcode of the answer: that of the last command that is one (oracle fact 21)."""
    value: int = 0
    """Value word of the answer."""
    failed: int = 0
    """First status byte."""
    code: int = 0
    """Second status byte, which some commands leave as it was (oracle fact 19)."""
    answer: bytearray = field(default_factory=lambda: bytearray(_ANSWER_SIZE))
    """Body of the answer; never cleared (oracle facts 18, 38, 39)."""
    data_length: int = 0
    """Bytes of the answer's body before the status."""
    afterwards: FollowUp | None = None
    """What the command does once its answer has left."""

    @property
    def size(self) -> int:
        """The request's size field."""
        buffer = self.receiver.buffer
        return buffer[2] | buffer[3] << 8

    def word(self, index: int) -> int:
        """Return the request's 32-bit body word `index`, which may be older than the request (oracle fact 13)."""
        at = BODY + 4 * index
        return int.from_bytes(self.receiver.buffer[at : at + 4], "little")

    def words(self, index: int) -> tuple[int, int, int, int]:
        """Return four body words from word `index` on; what lies beyond the receive buffer counts as zero."""
        at = BODY + 4 * index
        first, second, third, fourth = _FOUR_WORDS.unpack(self.receiver.buffer[at : at + 16].ljust(16, b"\0"))
        return first, second, third, fourth

    def succeed(self) -> None:
        """Status of success, with the code of the last failure left in place."""
        self.failed = 0

    def succeed_clean(self) -> None:
        """Status of success without leftovers."""
        self.failed = self.code = 0

    def refuse(self, code: RomStatus) -> None:
        """Status of failure."""
        self.failed = 1
        self.code = code

    def next_block(self, transfer: Transfer, *, multiple_of: int = 1) -> bytes | None:
        """Check the data command in the buffer and take its number.

        The number is taken before the checksum is looked at, so that a damaged block can't be sent again under its
        number.

        Args:
            transfer: What it belongs to.
            multiple_of: What the length must be a multiple of.

        Returns:
            The payload, or ``None`` if the block was refused.

        Source: oracle facts 25, 26, 35, 42; rom_mem.json mem_wrong_seq, mem_bad_checksum_resend, mem_len_field.
        """
        buffer = self.receiver.buffer
        length = self.word(0)
        if (
            self.size > MAX_DATA_SIZE
            or self.word(1) != transfer.sequence
            or length > transfer.block_size
            or length % multiple_of
        ):
            self.refuse(RomStatus.MALFORMED)
            return None
        transfer.sequence = (transfer.sequence + 1) & 0xFFFF_FFFF
        payload = bytes(buffer[PAYLOAD : PAYLOAD + length])
        if checksum(payload) != buffer[4]:
            self.refuse(RomStatus.BAD_CHECKSUM)
            return None
        return payload

    def follow_up(self) -> int:
        """Do what was put off until the answer has left.

        Returns:
            How long it takes in nanoseconds.
        """
        action, self.afterwards = self.afterwards, None
        return 0 if action is None else action()

    def packet(self) -> bytes:
        """Return the answer as it stands, unframed."""
        end = self.data_length
        self.answer[end] = self.failed
        self.answer[end + 1] = self.code
        length = end + STATUS_LENGTH
        return HEADER.pack(RESPONSE, self.opcode, length, self.value) + self.answer[:length]
