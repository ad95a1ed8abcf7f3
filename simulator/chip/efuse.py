"""The eFuse controller: cells that can only be set, the registers through which they are read and burnt.

Cells are not read directly: a read operation (at reset, or CMD 1) copies them into the read registers, leaving out what
RD_DIS hides. A program operation (CMD 2) sets every cell whose bit is set in the write registers, leaving out what
WR_DIS freezes. CONF must hold the operation's magic word. Nothing ever clears a cell.

Fidelity: register values recorded (rom_reg.json read_efuse, read_efuse_blank, read_efuse_ctl); operations from the
technical reference manual. Simplified: burning takes no time, decoding errors of the 3/4 scheme are not reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import hexdigits
from struct import iter_unpack, pack, unpack_from

from simulator.chip.efuse_fields import FIELDS, ChipVariant, EfuseField, variant

BASE = 0x3FF5_A000
"""Where the block lies. Source: oracle rom_reg.json read_efuse."""
BLOCK_SIZE = 0x1000
"""Bytes of address space."""

DEFAULT_MAC = "24:6f:28:aa:bb:cc"
"""Factory MAC of the recorded chip. Source: docs/oracle.md, Facts."""

CONF, CMD, DATE = 0xFC, 0x104, 0x1FC
CONF_PROGRAM, CONF_READ = 0x5A5A, 0x5AA5
CMD_READ, CMD_PROGRAM = 0x1, 0x2

BLOCK_WORDS = (7, 8, 8, 8)
SIZE = 4 * sum(BLOCK_WORDS)
"""Bytes that all cells make."""
_READ_AT = (0x00, 0x38, 0x58, 0x78)
_WRITE_AT = (0x1C, 0x98, 0xB8, 0xD8)
_RESET = {CONF: CONF_READ, DATE: 0x1604_2600}

_ProtectBit = Callable[[EfuseField], int | None]


class Efuse:
    """eFuse cells and controller of one chip.

    Args:
        blocks: Cell words of blocks 0..3; missing words are zero.
    """

    def __init__(self, blocks: Sequence[Sequence[int]] = ()) -> None:
        self._cells = [[0] * count for count in BLOCK_WORDS]
        for cells, words in zip(self._cells, blocks, strict=False):
            cells[: len(words)] = words
        self.burns = 0
        """Program operations so far."""
        self._shown = [[0] * count for count in BLOCK_WORDS]
        self._pending = [[0] * count for count in BLOCK_WORDS]
        self._words: dict[int, int] = {}
        self.reset()

    @classmethod
    def for_chip(cls, chip: ChipVariant | str, *, mac: str = DEFAULT_MAC, fields: Mapping[str, int] | None = None) -> Efuse:
        """Make the eFuses of a chip as it leaves the factory.

        Args:
            chip: A variant or its name.
            mac: Six hex bytes with colons.
            fields: Further fields to set, by name.

        Raises:
            KeyError: Unknown variant or field.
            ValueError: The MAC is malformed, or a value does not fit its field.
        """
        chosen = variant(chip) if isinstance(chip, str) else chip
        octets = parse_mac(mac)
        efuse = cls()
        values: dict[str, int] = {
            "MAC": int.from_bytes(octets, "big"),
            "MAC_CRC": mac_crc(octets),
            "CHIP_PACKAGE": chosen.package & 7,
            "CHIP_PACKAGE_4BIT": chosen.package >> 3,
            "CHIP_VER_REV1": int(chosen.revision >= 1),
            "CHIP_VER_REV2": int(chosen.revision >= 2),
            "WAFER_MINOR": chosen.minor,
            "CPU_FREQ_RATED": 1,
            "CK8M_FREQ": 0x36,
            "ADC_VREF": 8,
            "CONSOLE_DEBUG_DISABLE": 1,
            **chosen.fields,
            **(fields or {}),
        }
        for name, value in values.items():
            efuse.burn(name, value)
        efuse.reset()
        return efuse

    def to_bytes(self) -> bytes:
        """Return all cells, hidden or not: blocks 0 to 3, as ``espefuse dump --format joint`` lays them out."""
        return b"".join(pack(f"<{len(cells)}I", *cells) for cells in self._cells)

    def load(self, content: bytes) -> None:
        """Make the cells what `to_bytes` returned, and show them.

        Raises:
            ValueError: It has another length.
        """
        if len(content) != SIZE:
            raise ValueError(f"eFuses are {SIZE} bytes, not {len(content)}")
        words = iter_unpack("<I", content)
        self._cells = [[next(words)[0] for _ in range(count)] for count in BLOCK_WORDS]
        self.reset()

    @property
    def cells(self) -> tuple[tuple[int, ...], ...]:
        """The cells of blocks 0 to 3 as words, hidden or not."""
        return tuple(tuple(block) for block in self._cells)

    def field(self, name: str) -> int:
        """Return a field as the cells hold it, hidden or not.

        Raises:
            KeyError: Unknown field.
        """
        place = FIELDS[name]
        return _joined(self._cells[place.block]) >> (32 * place.word + place.bit) & ((1 << place.length) - 1)

    def burn(self, name: str, value: int) -> None:
        """Set cells through the back door; shown from the next `reset` or read operation on.

        Raises:
            KeyError: Unknown field.
            ValueError: The value does not fit.
        """
        place = FIELDS[name]
        if not 0 <= value < 1 << place.length:
            raise ValueError(f"{value:#x} does not fit eFuse {name} of {place.length} bits")
        cells = self._cells[place.block]
        cells[:] = _split(_joined(cells) | value << (32 * place.word + place.bit), len(cells))

    @property
    def mac(self) -> bytes:
        """Factory MAC, six bytes."""
        return self.field("MAC").to_bytes(6, "big")

    @property
    def revision(self) -> int:
        """Major silicon revision that the cells name together with the mark in APB_CTRL_DATE.

        Revision 2 does not set that mark; no such chip was sold, so two bits mean 3.
        """
        if not self.field("CHIP_VER_REV1"):
            return 0
        return 3 if self.field("CHIP_VER_REV2") else 1

    def reset(self) -> None:
        """Chip reset: registers as after power-on, cells copied into the read registers."""
        self._words = dict(_RESET)
        self._pending = [[0] * count for count in BLOCK_WORDS]
        self._reload()

    def read(self, offset: int) -> int:
        """Read the register word at an aligned byte offset."""
        for start, words in zip(_READ_AT, self._shown, strict=True):
            if start <= offset < start + 4 * len(words):
                return words[(offset - start) // 4]
        for start, words in zip(_WRITE_AT, self._pending, strict=True):
            if start <= offset < start + 4 * len(words):
                return words[(offset - start) // 4]
        return self._words.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the register word at an aligned byte offset; CMD runs its operation and clears itself."""
        for start, words in zip(_WRITE_AT, self._pending, strict=True):
            if start <= offset < start + 4 * len(words):
                words[(offset - start) // 4] = value
                return
        if any(start <= offset < start + 4 * count for start, count in zip(_READ_AT, BLOCK_WORDS, strict=True)):
            return
        if offset == CMD:
            conf = self._words[CONF] & 0xFFFF
            if value & CMD_PROGRAM and conf == CONF_PROGRAM:
                self._program()
            elif value & CMD_READ and conf == CONF_READ:
                self._reload()
        elif offset != DATE:
            self._words[offset] = value

    def _program(self) -> None:
        self.burns += 1
        frozen = self.field("WR_DIS")
        for block, (cells, pending) in enumerate(zip(self._cells, self._pending, strict=True)):
            allowed = ~_masked(block, lambda place: place.write_protect, frozen)
            cells[:] = _split(_joined(cells) | _joined(pending) & allowed, len(cells))

    def _reload(self) -> None:
        hidden = self.field("RD_DIS")
        three_quarters = self.field("CODING_SCHEME") == 1
        if not hidden and not three_quarters:
            self._shown = [list(cells) for cells in self._cells]
            return
        for block, cells in enumerate(self._cells):
            whole = _joined(cells) & ~_masked(block, lambda place: place.read_protect, hidden)
            if block and three_quarters:
                whole = _decode_three_quarters(whole)
            self._shown[block] = _split(whole, len(cells))


def parse_mac(text: str) -> bytes:
    """Turn ``24:6f:28:aa:bb:cc`` into six bytes.

    Raises:
        ValueError: It is anything else.
    """
    parts = text.replace("-", ":").split(":")
    if len(parts) != 6 or not all(len(part) == 2 and set(part) <= set(hexdigits) for part in parts):
        raise ValueError(f"{text!r} is not a MAC address; expected six hex bytes with colons")
    return bytes.fromhex("".join(parts))


def mac_crc(mac: bytes) -> int:
    """CRC-8 that guards the MAC (polynomial 0x31, bits reflected, start 0).

    Source: rom_reg.json read_efuse (0xac for 24:6f:28:aa:bb:cc).
    """
    crc = 0
    for octet in mac:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def apb_ctrl_date(revision: int) -> int:
    """Return the word at 0x3FF6607C, whose top bit marks revision 3.

    Source: rom_reg.json read_misc (0x96042000); from source for the earlier revisions.
    """
    return 0x1604_2000 | (0x8000_0000 if revision >= 3 else 0)


def _masked(block: int, protect: _ProtectBit, disabled: int) -> int:
    """Return the bits of a block that a protection word takes out."""
    mask = 0
    if not disabled:
        return mask
    for place in FIELDS.values():
        bit = protect(place)
        if place.block == block and bit is not None and disabled >> bit & 1:
            mask |= ((1 << place.length) - 1) << (32 * place.word + place.bit)
    return mask


def _decode_three_quarters(whole: int) -> int:
    """Drop the two check bytes behind each six bytes: 192 bits remain."""
    raw = whole.to_bytes(32, "little")
    return int.from_bytes(b"".join(raw[start : start + 6] for start in range(0, 32, 8)), "little")


def _joined(words: Sequence[int]) -> int:
    return int.from_bytes(pack(f"<{len(words)}I", *words), "little")


def _split(whole: int, count: int) -> list[int]:
    return list(unpack_from(f"<{count}I", whole.to_bytes(4 * max(BLOCK_WORDS), "little")))
