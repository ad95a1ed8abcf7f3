"""Mutations of recorded sessions: the same few changes for loaders and links, each on one spot chosen by dice.

A session is a list of writes, bytes with a pause before them. Most mutations know nothing of the protocol but the bytes that
mean something in it; those that work on a frame take one apart, edit a length, an opcode, a word or the payload, and put it
together again, half of the time with a checksum that fits, so that mutations get past the first checks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from flashcore.protocol.packet import checksum
from flashcore.protocol.slip import encode
from simulator.kernel import MS, US, S

SLIP_SPECIAL = b"\xc0\xdb\xdc\xdd"
"""Bytes that mean something in SLIP."""

LONGEST = 4_096
"""Bytes that a mutated session keeps, but for one in `LONG_ONE_IN`."""

LONG_ONE_IN = 128

FLOOD = 120_000
"""Bytes of a session that goes on and on."""

SYNC = bytes.fromhex("c0000824000000000007071220") + b"\x55" * 32 + b"\xc0"

GAPS_NS = (0, 0, 0, 100 * US, MS, 5 * MS, 50 * MS, 400 * MS, 2 * S)
"""Pauses, in nanoseconds."""

NUMBERS = (
    *(0, 1, 2, 3, 4, 8, 15, 16, 20, 24, 36, 64, 0xFF, 0x100, 0x400, 0x1000, 0x1800, 0x1801, 0x1810, 0x2000, 0x4000, 0x4001),
    *(0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0x10_0000, 0x3F_F000, 0x40_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF),
)
"""Lengths, offsets and counts at which something changes."""

ADDRESSES = (
    *(0x3FF0_0014, 0x3FF4_0014, 0x3FF4_2000, 0x3FF4_201C, 0x3FF4_8000, 0x3FF4_8094, 0x3FF5_A000, 0x3FF5_A104, 0x3FF6_607C),
    *(0x3FFA_E270, 0x3FFE_8000, 0x4000_1000, 0x4008_0000, 0x4008_0400, 0x400A_0000, 0x400C_2000, 0x5000_0000),
)
"""Registers, RAM and ROM that commands reach."""

OPCODES = (*range(0x15), *range(0xD0, 0xD6))
"""Opcodes that some loader knows."""

HEADER = 8
"""Bytes before a packet's body."""


@dataclass(slots=True)
class Write:
    """One write.

    Args:
        data: Its bytes.
        gap_ns: Pause before it, in nanoseconds.
    """

    data: bytes
    gap_ns: int = 0


Writes = list[Write]
Mutation = Callable[[Random, Writes, Sequence[bytes]], None]
"""Changes a session in place; the last argument is material from another one."""


def flip_bits(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Turn over some bits."""
    write = dice.choice(writes)
    data = bytearray(write.data)
    if data:
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    write.data = bytes(data)


def drop_bytes(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Lose a run of bytes."""
    write = dice.choice(writes)
    at, length = _run(dice, write.data)
    write.data = write.data[:at] + write.data[at + length :]


def duplicate_bytes(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Repeat a run of bytes."""
    write = dice.choice(writes)
    at, length = _run(dice, write.data)
    write.data = (
        write.data[: at + length] + write.data[at : at + length] * dice.choice((1, 1, 2, 30)) + write.data[at + length :]
    )


def insert_noise(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Put noise somewhere."""
    write = dice.choice(writes)
    at = dice.randint(0, len(write.data))
    write.data = write.data[:at] + dice.randbytes(dice.choice((1, 2, 5, 20, 300))) + write.data[at:]


def truncate(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Cut the end off a write."""
    write = dice.choice(writes)
    write.data = write.data[: dice.randint(0, len(write.data))]


def splice(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Go on in the middle of one write with the rest of one from another session."""
    write = dice.choice(writes)
    other = dice.choice(donor) if donor else b""
    write.data = write.data[: dice.randint(0, len(write.data))] + other[dice.randint(0, len(other)) :]


def append_other(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Put writes of another session somewhere."""
    at = dice.randint(0, len(writes))
    writes[at:at] = [Write(data, dice.choice(GAPS_NS)) for data in donor[: dice.randint(1, 4)]]


def reorder(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Exchange two writes."""
    first, second = dice.randrange(len(writes)), dice.randrange(len(writes))
    writes[first], writes[second] = writes[second], writes[first]


def repeat(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Say something again."""
    write = dice.choice(writes)
    writes.insert(dice.randint(0, len(writes)), Write(write.data, write.gap_ns))


def cut(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Make two writes of one."""
    number = dice.randrange(len(writes))
    data, gap_ns = writes[number].data, writes[number].gap_ns
    at = dice.randint(0, len(data))
    writes[number : number + 1] = [Write(data[:at], gap_ns), Write(data[at:], dice.choice(GAPS_NS))]


def join(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Make one write of two."""
    number = dice.randrange(len(writes))
    if number + 1 < len(writes):
        writes[number : number + 2] = [Write(writes[number].data + writes[number + 1].data, writes[number].gap_ns)]


def wait(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Change a pause."""
    dice.choice(writes).gap_ns = dice.choice(GAPS_NS)


def edit_frame(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Take a SLIP frame apart, change a field, and put it together again."""
    write = dice.choice(writes)
    parts = write.data.split(b"\xc0")
    whole = [number for number, part in enumerate(parts) if 0 < number < len(parts) - 1 and part]
    if not whole:
        return
    number = dice.choice(whole)
    packet = bytearray(parts[number].replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb").ljust(HEADER, b"\0"))
    _edit_packet(dice, packet)
    parts[number] = encode(bytes(packet))[1:-1]
    write.data = b"\xc0".join(parts)


def _edit_packet(dice: Random, packet: bytearray) -> None:
    match dice.randrange(8):
        case 0:
            packet[0] = dice.choice((0, 0, 1, 0xC0, 0xFF))
        case 1:
            packet[1] = dice.choice(OPCODES) if dice.random() < 0.7 else dice.randrange(256)
        case 2:
            packet[2:4] = (dice.choice(NUMBERS) & 0xFFFF).to_bytes(2, "little")
        case 3:
            packet[4:8] = dice.choice(NUMBERS).to_bytes(4, "little")
        case 4 | 5:
            at = HEADER + 4 * dice.randrange(5)
            value = dice.choice(NUMBERS if dice.random() < 0.6 else ADDRESSES)
            packet[at : at + 4] = value.to_bytes(4, "little")
        case 6:
            packet[HEADER:] = packet[HEADER : HEADER + dice.randrange(64)]
        case _:
            packet += dice.randbytes(dice.choice((1, 4, 16, 200)))
    if dice.random() < 0.5:
        packet[2:4] = (len(packet) - HEADER & 0xFFFF).to_bytes(2, "little")
        packet[4:8] = checksum(bytes(packet[HEADER + 16 :])).to_bytes(4, "little")


def new_frame(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Say something that was never recorded: a known opcode with words at which something changes."""
    words = [dice.choice(NUMBERS if dice.random() < 0.6 else ADDRESSES) for _ in range(dice.randrange(6))]
    body = _words(*words) + dice.randbytes(dice.choice((0, 0, 0, 1, 30)))
    frame = _frame(dice.choice(OPCODES), body, dice.choice((0, 0xEF)))
    writes.insert(dice.randint(0, len(writes)), Write(frame, dice.choice(GAPS_NS)))


def new_transfer(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Write something to RAM or flash that was never recorded: plain, compressed, or code; seldom without a flaw."""
    begin, block, end = dice.choice(((0x05, 0x07, 0x06), (0x02, 0x03, 0x04), (0x10, 0x11, 0x12)))
    image = dice.choice((dice.randbytes(dice.choice((1, 4, 300))), bytes(dice.choice((16, 0x1000, 0x9000))), _code(dice)))
    stream = image
    if begin == 0x10:
        stream = zlib.compress(image, dice.choice((0, 9)))
        stream = dice.choice((stream, stream, stream + b"\0", stream[: -dice.randint(1, 6)], stream[:-1] + b"\x55", stream[2:]))
    size = dice.choice((64, 256, 0x400))
    blocks = [stream[at : at + size] for at in range(0, min(len(stream), LONGEST // 2), size)] or [b""]
    offset = (
        dice.choice((0x4008_0400, 0x3FFE_8000)) if begin == 0x05 else dice.choice((0x1_0000, 0x1_0010, 0x3F_F000, 0x40_0000))
    )
    count = len(blocks) + dice.choice((0, 0, 0, 1, -1))
    announced = (len(image) if begin == 0x10 else len(stream)) + dice.choice((0, 0, 0, 1, -1, 0x9000))
    words = [announced, count, size, offset, *dice.choice(((), (), (0,), (1,)))]
    frames = [_frame(begin, _words(*words))]
    for number, payload in enumerate(blocks):
        head = _words(len(payload), number + dice.choice((0,) * 9 + (1,)), 0, 0)
        frames.append(_frame(block, head + payload, checksum(payload) ^ dice.choice((0,) * 9 + (1,))))
    frames.append(_frame(end, _words(dice.choice((0, 0, 1)), offset)))
    at = dice.randint(0, len(writes))
    gap_ns = dice.choice((0, 5 * MS, 50 * MS))
    writes[at:at] = [Write(frame, gap_ns) for frame in frames]


def new_read(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
    """Read flash from a stub, and acknowledge what did not come, or too little, or more than there is."""
    size = dice.choice((1, 0x100, 0x1000, 0x1001, 0x1_0000))
    block = dice.choice((0, 1, 0x100, 0x1000, 0x4001))
    offset = dice.choice((0, 0x1_0000, 0x3F_FF00, 0x40_0000))
    parts = [_frame(0xD2, _words(offset, size, block, dice.choice((0, 1, 64, 0xFFFF_FFFF))))]
    for number in range(dice.randrange(6)):
        count = dice.choice((block * (number + 1), size, size + 1, 0, 0xFFFF_FFFF))
        parts.append(encode(_words(count)[: dice.choice((4, 4, 4, 4, 3, 0))]))
    at = dice.randint(0, len(writes))
    writes[at:at] = [Write(part, dice.choice((0, 5 * MS, 400 * MS))) for part in parts]


def flood(dice: Random) -> Writes:
    """Return a session that goes on and on: a frame without end, perhaps while the chip erases its flash."""
    erase = _frame(0x02, _words(0x40_0000, 0x1000, 0x400, 0))
    filler = dice.choice((b"\x55", b"\xdb", b"\xdb\xdc", b"\0"))
    start = Write(dice.choice((b"\xc0", b"\xc0\xc0", b"", SYNC + erase + b"\xc0")))
    return [start, *[Write(filler * (FLOOD // 40 // len(filler)))] * 40]


def _words(*words: int) -> bytes:
    return b"".join((word & 0xFFFF_FFFF).to_bytes(4, "little") for word in words)


def _frame(opcode: int, body: bytes, check: int = 0) -> bytes:
    return encode(bytes((0, opcode)) + (len(body) & 0xFFFF).to_bytes(2, "little") + check.to_bytes(4, "little") + body)


def _code(dice: Random) -> bytes:
    """Return something to run: ENTRY, and then noise of which most is instructions."""
    return bytes.fromhex("364100") + dice.randbytes(dice.choice((5, 60, 200)))


def sprinkler(special: bytes) -> Mutation:
    """Return a mutation that puts `special` bytes somewhere, alone, doubled or in a run."""

    def sprinkle(dice: Random, writes: Writes, donor: Sequence[bytes]) -> None:
        write = dice.choice(writes)
        data = bytearray(write.data)
        for _ in range(dice.randint(1, 3)):
            at = dice.randint(0, len(data))
            data[at:at] = bytes(dice.choices(special, k=dice.choice((1, 1, 1, 2, 8))))
        write.data = bytes(data)

    return sprinkle


ANYWHERE: tuple[Mutation, ...] = (
    flip_bits,
    drop_bytes,
    duplicate_bytes,
    insert_noise,
    truncate,
    splice,
    append_other,
    reorder,
    repeat,
    cut,
    join,
    wait,
)
"""Mutations that know nothing of a protocol."""

SLIP: tuple[Mutation, ...] = (
    *ANYWHERE,
    sprinkler(SLIP_SPECIAL),
    *(edit_frame, edit_frame, edit_frame),
    *(new_frame, new_frame),
    *(new_transfer, new_transfer, new_read),
)
"""Mutations for the loaders."""


def mutate(dice: Random, mutations: Sequence[Mutation], writes: Writes, donor: Sequence[bytes]) -> Writes:
    """Change a session at a few spots.

    Args:
        dice: Where the changes come from.
        mutations: Which there are.
        writes: The session; changed in place.
        donor: Writes of another session.

    Returns:
        What is left of it, never longer than what one input may have.
    """
    for _ in range(dice.choice((1, 1, 2, 3, 5))):
        if not writes:
            writes.append(Write(b""))
        dice.choice(mutations)(dice, writes, donor)
    room = LONGEST * 10 if not dice.randrange(LONG_ONE_IN) else LONGEST
    kept: Writes = []
    for write in writes:
        if room <= 0:
            break
        kept.append(Write(write.data[:room], write.gap_ns))
        room -= len(write.data)
    return kept


def _run(dice: Random, data: bytes) -> tuple[int, int]:
    return dice.randint(0, len(data)), dice.choice((1, 1, 1, 2, 4, 13, 64, 400))
