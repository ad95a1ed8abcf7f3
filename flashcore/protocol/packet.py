"""Packets: the eight-byte header, the body, and the checksum over a data block.

A request is direction 0, opcode, body length, checksum word, body; a response is direction 1, opcode, body length, value word,
body. The last bytes of a response's body are status bytes, four from the ESP32's ROM and two from a stub (oracle facts 18, 51);
how many is knowledge of the session, not of the packet, so it is an argument here. One module serves flasher and device.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from flashcore.protocol.opcodes import Opcode

HEADER = Struct("<BBHI")
"""Direction, opcode, body length, checksum or value; little-endian."""

CHECKSUM_SEED = 0xEF
"""Start value of the XOR checksum."""

DATA_HEADER = Struct("<IIII")
"""Start of a data body: payload length, sequence number, two zero words."""

REQUEST = 0
RESPONSE = 1

_FOLD_FROM = 64


def checksum(data: bytes) -> int:
    """Return the XOR of all bytes of `data` and 0xEF.

    The data is folded in halves as one big integer, so the cost is a few passes in C, not one step per byte.

    Source: oracle ``rom_mem.json`` mem_ok.
    """
    size = len(data)
    value = int.from_bytes(data, "little")
    while size > _FOLD_FROM:
        half = (size + 1) >> 1
        value = (value >> (half * 8)) ^ (value & ((1 << (half * 8)) - 1))
        size = half
    result = CHECKSUM_SEED
    for byte in value.to_bytes(size, "little"):
        result ^= byte
    return result


@dataclass(frozen=True, slots=True)
class Request:
    """A command on its way to the loader.

    Args:
        opcode: Which command.
        body: Its arguments, at most 65535 bytes.
        checksum: Checksum over a data block; only its low byte counts, and only in data commands.
    """

    opcode: Opcode | int
    body: bytes = b""
    checksum: int = 0

    def pack(self) -> bytes:
        """Return the packet's bytes, without SLIP framing."""
        return HEADER.pack(REQUEST, self.opcode, len(self.body), self.checksum) + self.body


@dataclass(frozen=True, slots=True)
class Response:
    """A loader's answer.

    Args:
        opcode: The command it answers, as the loader says.
        value: The value word: a register's content, or left over from an earlier answer (oracle fact 20).
        body: Data and status bytes.
        declared: What the size field says the body's length is; equal to it in an undamaged packet.
    """

    opcode: Opcode | int
    value: int
    body: bytes
    declared: int

    @property
    def intact(self) -> bool:
        """Whether the size field agrees with the body."""
        return self.declared == len(self.body)

    def pack(self) -> bytes:
        """Return the packet's bytes, without SLIP framing."""
        return HEADER.pack(RESPONSE, self.opcode, self.declared, self.value) + self.body


def parse_response(packet: bytes) -> Response | None:
    """Return the response in `packet`, or ``None`` if it is too short or not a response."""
    if len(packet) < HEADER.size or packet[0] != RESPONSE:
        return None
    _, opcode, declared, value = HEADER.unpack_from(packet)
    return Response(opcode, value, packet[HEADER.size :], declared)


def data_request(opcode: Opcode, payload: bytes, sequence: int) -> Request:
    """Return the request that carries one block.

    Args:
        opcode: MEM_DATA, FLASH_DATA or FLASH_DEFL_DATA.
        payload: The block, at most 65519 bytes.
        sequence: Its number since BEGIN, from 0.
    """
    return Request(opcode, DATA_HEADER.pack(len(payload), sequence, 0, 0) + payload, checksum(payload))
