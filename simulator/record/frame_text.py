"""What a frame says, in a few words for people: the command, its arguments, how an answer ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct

from flashcore.protocol.boot_log import parse
from flashcore.protocol.exchange import Dialect
from flashcore.protocol.opcodes import DATA_OPCODES, STATUS_TEXT, Opcode, name_of
from flashcore.protocol.packet import DATA_HEADER, HEADER, REQUEST, checksum, parse_response

GREETING = b"OHAI"
"""What a stub says when it has started. Source: oracle fact 50."""

EXCERPT = 72
"""Most characters that are quoted of a text."""

_READABLE = 0.8
"""Share of printable characters from which bytes count as text."""
_PRINTABLE = re.compile(rb"[\t\r\n\x20-\x7e]")
_BLANKS = re.compile(r"\s+")

_ARGUMENTS: dict[int, tuple[Struct, str]] = {
    Opcode.FLASH_BEGIN: (Struct("<IIII"), "{0} bytes in {1} blocks of {2} at {3:#x}"),
    Opcode.FLASH_DEFL_BEGIN: (Struct("<IIII"), "{0} bytes in {1} blocks of {2} at {3:#x}"),
    Opcode.MEM_BEGIN: (Struct("<IIII"), "{0} bytes in {1} blocks of {2} at {3:#x}"),
    Opcode.MEM_END: (Struct("<II"), "entry {1:#x}"),
    Opcode.READ_REG: (Struct("<I"), "{0:#010x}"),
    Opcode.WRITE_REG: (Struct("<II"), "{0:#010x} = {1:#x}"),
    Opcode.CHANGE_BAUDRATE: (Struct("<II"), "{0} baud"),
    Opcode.SPI_FLASH_MD5: (Struct("<II"), "{1} bytes at {0:#x}"),
    Opcode.READ_FLASH_SLOW: (Struct("<II"), "{1} bytes at {0:#x}"),
    Opcode.READ_FLASH: (Struct("<II"), "{1} bytes at {0:#x}"),
    Opcode.ERASE_REGION: (Struct("<II"), "{1} bytes at {0:#x}"),
}


_BY_LENGTH = {2: Dialect.STUB, 18: Dialect.STUB, 4: Dialect.ROM, 36: Dialect.ROM}
"""Who answers, by the length of an answer without data and of one with a digest. Source: oracle facts 18, 38, 51."""


@dataclass(frozen=True, slots=True)
class Words:
    """A frame, or bytes that are none, for people.

    Args:
        title: What it is.
        detail: What there is to say about it; may be empty.
        refused: Whether it is an answer that says no.
    """

    title: str
    detail: str = ""
    refused: bool = False


class Reader:
    """Puts the packets of one line into words; who answers is learned on the way."""

    def __init__(self) -> None:
        self._dialect = Dialect.ROM

    def request(self, packet: bytes) -> Words:
        """Return what the host's `packet` says."""
        if len(packet) < HEADER.size or packet[0] != REQUEST:
            return loose(packet)
        _, opcode, declared, word = HEADER.unpack_from(packet)
        body = packet[HEADER.size :]
        name = name_of(opcode)
        if declared != len(body):
            return Words(name, f"says {declared} bytes, has {len(body)}")
        if opcode in DATA_OPCODES and len(body) >= DATA_HEADER.size:
            size, sequence, _, _ = DATA_HEADER.unpack_from(body)
            payload = body[DATA_HEADER.size :]
            wrong = ", checksum wrong" if checksum(payload) != word & 0xFF else ""
            return Words(f"{name} #{sequence}", f"{size} bytes{wrong}")
        layout, text = _ARGUMENTS.get(opcode, (None, ""))
        fits = layout is not None and len(body) >= layout.size
        return Words(name, text.format(*layout.unpack_from(body)) if layout is not None and fits else "")

    def answer(self, packet: bytes) -> Words:
        """Return what the chip's `packet` says."""
        if packet == GREETING:
            self._dialect = Dialect.STUB
            return Words("OHAI", "the stub has started")
        response = parse_response(packet)
        if response is None:
            return loose(packet)
        name = f"{name_of(response.opcode)} answer"
        self._dialect = _BY_LENGTH.get(len(response.body), self._dialect)
        length = self._dialect.status_length
        if not response.intact or len(response.body) < length:
            return Words(name, f"says {response.declared} bytes, has {len(response.body)}")
        status = response.body[-length:]
        if status[0]:
            code = status[1] if self._dialect is Dialect.ROM else status[0]
            return Words(name, f"refused: {STATUS_TEXT.get(code, 'unknown reason')} ({status[:2].hex(' ')})", refused=True)
        data = response.body[:-length]
        if response.opcode == Opcode.READ_REG:
            return Words(name, f"{response.value:#010x}")
        return Words(name, f"ok, {len(data)} bytes" if data else "ok")


def loose(data: bytes) -> Words:
    """Return what bytes say that are no packet of the protocol: the chip's own text, or noise."""
    if len(_PRINTABLE.findall(data)) < _READABLE * len(data):
        return Words(
            "noise" if len(data) < EXCERPT else "data", f"{len(data)} bytes: {data[:8].hex(' ')}{' ...' * (len(data) > 8)}"
        )
    report = parse(data)
    if report is not None and report.mode:
        said = f"{report.reset_name}, {report.mode.partition('(')[0]}"
        if report.waiting_for_download:
            said += ", waiting for download"
        return Words("boot log", "; ".join((said, *report.problems)))
    text = _BLANKS.sub(" ", data.decode("ascii", "replace")).strip()
    return Words("text", text if len(text) <= EXCERPT else text[: EXCERPT - 4].rstrip() + " ...")
