"""The CPU's address space as the loaders see it: RAM, ROM words, flash windows and peripheral blocks.

One load or store of 32 bits goes to a region of the table below, or to a 4 KiB page of peripheral registers. Anything
else is a bus fault, which kills the ROM loader silently (oracle fact 23) and makes the legacy stub print an exception.
Peripherals from 0x3FF40000 are also seen at 0x60000000 (the AHB window), with the same side effects. The ROM's content
is not part of this model: a few recorded words are known, all others read as zero and are noted in
`Memory.unknown_reads`, so that nobody mistakes them for a recording. RAM is allocated when first written.

Fidelity: regions, aliases and unaligned access recorded where rom_reg.json has a probe, the rest from the technical
reference manual's address map. Guessed: stores into the flash windows fault. Simplified: the instruction-bus view of
SRAM1 (0x400A0000) is RAM of its own; on silicon it mirrors 0x3FFE0000 with the word order reversed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

WORD = 0xFFFF_FFFF
"""Mask of one bus word."""

AHB_WINDOW = range(0x6000_0000, 0x6004_0000)
"""Second view of the peripherals from 0x3FF40000.

Source: rom_reg.json read_magic (0x60000078)."""

AHB_SHIFT = 0x6000_0000 - 0x3FF4_0000
"""Distance between the two views."""

PAGE = 0x1000
"""Size of a peripheral page in bytes."""

PERIPHERAL_PAGES = frozenset(
    0x3FF0_0000 + (page << 12)
    for pages in (
        range(0x05),  # DPORT, AES, RSA, SHA, secure boot
        range(0x10, 0x14),  # cache MMU tables
        (0x1F, 0x40, 0x42, 0x43, 0x44, 0x48, 0x49, 0x4B, 0x4C, 0x4F, 0x50),  # PID, UART0, SPI1, SPI0, GPIO, RTC...
        range(0x53, 0x5C),  # I2C0, UDMA0, SDIO slave, RMT, PCNT, LED PWM, eFuse, flash encryption
        (0x5E, 0x5F, 0x60),  # PWM0, timer groups
        range(0x64, 0x71),  # SPI2, SPI3, SYSCON, I2C1, SDMMC, EMAC, TWAI, PWM1, I2S1, UART2, PWM2, PWM3
        (0x75,),  # random numbers
    )
    for page in pages
)
"""Pages that answer.

Source: technical reference manual, peripheral address map; rom_reg.json read_body_len_2 (reserved 0x3FF41000 is dead).
"""

_ROM_RUN = (
    0x00F0_1D83, 0x6500_4136, 0x2A82_0AE8, 0x203A_A00E, 0xA0A2_88FC, 0x0AE8_A518, 0xA9FD_7541, 0x005A_42E3,
    0x0CFD_7441, 0x015A_4258, 0x82FD_7341, 0x5A42_055A, 0xFD71_4102, 0x5A42_B80C, 0x065A_8203, 0x81FD_7041,
    0x7091_FD70, 0x045A_42FD, 0x5A99_4A89, 0x4329_E338,
)  # fmt: skip

ROM_WORDS = {
    **{0x4000_1000 + 4 * index: word for index, word in enumerate(_ROM_RUN)},
    0x4000_DB00: 0x4001_C46C,
    0x3FF9_0000: 0xD862_10C1,
}
"""ROM words that clients or probes read.

Source: rom_reg.json read_magic, read_3ff90000; rom_misc.json pipe_20_readreg; rom_slip.json slip_bad_escape_db_db."""

DROM_FILL = 0xBAAD_BAAD
"""What the data window on the flash reads as while no page is mapped. Source: rom_reg.json read_3f400000."""


class BusFault(Exception):
    """A load or store hit an address that nothing answers.

    Args:
        address: The address of the access.
        write: Whether it was a store.
    """

    def __init__(self, address: int, *, write: bool) -> None:
        super().__init__(f"{'store to' if write else 'load from'} 0x{address:08x}: nothing is mapped there")
        self.address = address
        self.write = write


class _Kind(Enum):
    RAM = auto()
    ROM = auto()
    WINDOW = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    start: int
    end: int
    kind: _Kind
    store: int
    """RAM: start of the region that holds the bytes (an alias names another's)."""
    fill: int = 0

    def page(self, address: int) -> int:
        """Return the number of the RAM page that holds `address`."""
        return (self.store + address - self.start) // PAGE


def _ram(start: int, end: int, *, alias_of: int | None = None) -> _Region:
    return _Region(start=start, end=end, kind=_Kind.RAM, store=start if alias_of is None else alias_of)


_REGIONS = (
    _ram(0x3FFA_E000, 0x4000_0000),  # SRAM2 and SRAM1, data bus
    _ram(0x4007_0000, 0x400C_0000),  # SRAM0 with the cache RAM, SRAM1 on the instruction bus
    _Region(start=0x4000_0000, end=0x4007_0000, kind=_Kind.ROM, store=0),
    _Region(start=0x3FF9_0000, end=0x3FFA_0000, kind=_Kind.ROM, store=0),
    _ram(0x3FF8_0000, 0x3FF8_2000),  # RTC fast memory, data bus
    _ram(0x400C_0000, 0x400C_2000, alias_of=0x3FF8_0000),  # the same, instruction bus
    _ram(0x5000_0000, 0x5000_2000),  # RTC slow memory
    _Region(start=0x3F40_0000, end=0x3F80_0000, kind=_Kind.WINDOW, store=0, fill=DROM_FILL),
    _Region(start=0x400C_2000, end=0x40C0_0000, kind=_Kind.WINDOW, store=0),
)

assert all(not (region.start | region.end | region.store) % PAGE for region in _REGIONS), "RAM is kept in whole pages"

_Read = Callable[[int], int]
_Write = Callable[[int, int], None]

MAX_UNKNOWN_READS = 64
"""How many unknown ROM addresses are remembered."""


class Memory:
    """The CPU's address space as the loaders see it.

    Fidelity: see the module.
    """

    def __init__(self) -> None:
        self._ram: dict[int, bytearray] = {}  # by page; a page that is missing holds zeros
        self._pages: dict[int, tuple[int, _Read, _Write]] = {}
        self._plain: dict[int, int] = {}
        self.unknown_reads: set[int] = set()
        """ROM addresses that were read although their content is not known (they gave 0)."""
        self.overrides: dict[int, Callable[[int], int]] = {}
        """What aligned words read as instead: given what they would, returns what they do."""

    def attach(self, base: int, size: int, read: _Read, write: _Write) -> None:
        """Put a peripheral block into the address space; a later one replaces an earlier one page by page.

        Args:
            base: First address, 4 KiB aligned, in the 0x3FF00000 view.
            size: Bytes, rounded up to whole pages.
            read: Called with the aligned byte offset from ``base``, returns the word.
            write: Called with the aligned byte offset from ``base`` and the word.

        Raises:
            ValueError: The base is not aligned.
        """
        if base % PAGE:
            raise ValueError(f"peripheral base 0x{base:08x} is not a multiple of 0x{PAGE:x}")
        for page in range(base, base + size, PAGE):
            self._pages[page] = (base, read, write)

    def clear(self) -> None:
        """Power-on: RAM and unattached peripheral registers become zero; attached blocks stay.

        Fidelity: zeros as in the recordings; silicon's RAM content at power-on is undefined (oracle, Limits).
        """
        self._ram.clear()
        self._plain.clear()

    def read32(self, address: int) -> int:
        """Load a word, at any alignment.

        Args:
            address: Byte address, taken modulo 2**32.

        Returns:
            The little-endian word.

        Raises:
            BusFault: Nothing is mapped there.

        Source: rom_reg.json read_unaligned_1, read_unaligned_2, read_unaligned_ram.
        """
        address &= WORD
        shift = address & 3
        if not shift:
            word = self._load_word(address)
            return self.overrides[address](word) if address in self.overrides else word
        low = self._load_word(address - shift)
        high = self._load_word((address - shift + 4) & WORD)
        return ((low | high << 32) >> (8 * shift)) & WORD

    def write32(self, address: int, value: int) -> None:
        """Store a word, at any alignment; a store into ROM has no effect.

        Args:
            address: Byte address, taken modulo 2**32.
            value: The word, taken modulo 2**32.

        Raises:
            BusFault: Nothing is mapped there, or it is a flash window.

        Source: rom_reg.json write_reg, write_reg_unaligned, write_reg_rom, write_reg_unmapped.
        """
        address &= WORD
        value &= WORD
        shift = address & 3
        if not shift:
            self._store_word(address, value)
            return
        base = address - shift
        above = (base + 4) & WORD
        pair = self._load_word(base) | self._load_word(above) << 32
        pair = pair & ~(WORD << (8 * shift)) | value << (8 * shift)
        self._store_word(base, pair & WORD)
        self._store_word(above, pair >> 32)

    def load(self, address: int, data: bytes) -> None:
        """Put bytes into RAM in one go (MEM_DATA).

        Args:
            address: First byte address.
            data: Any length.

        Raises:
            BusFault: A byte would fall outside RAM and ROM; what lies before it has been stored.
        """
        position = 0
        while position < len(data):
            at = (address + position) & WORD
            region = _region(at)
            if region is None:
                position += self._load_peripheral(at, data[position : position + 4])
                continue
            chunk = data[position : position + region.end - at]
            if region.kind is _Kind.WINDOW:
                raise BusFault(at, write=True)
            if region.kind is _Kind.RAM:
                inside = at % PAGE
                chunk = chunk[: PAGE - inside]
                self._ram_page(region, at)[inside : inside + len(chunk)] = chunk
            position += len(chunk)

    def dump(self, address: int, length: int) -> bytes:
        """Take bytes out of RAM.

        Args:
            address: First byte address.
            length: Number of bytes, 0 or more.

        Returns:
            That many bytes.

        Raises:
            BusFault: A byte lies outside RAM.
        """
        out = bytearray()
        while len(out) < length:
            at = (address + len(out)) & WORD
            region = _region(at)
            if region is None or region.kind is not _Kind.RAM:
                raise BusFault(at, write=False)
            inside = at % PAGE
            count = min(length - len(out), PAGE - inside)
            held = self._ram.get(region.page(at))
            out += bytes(count) if held is None else held[inside : inside + count]
        return bytes(out)

    def _load_peripheral(self, address: int, data: bytes) -> int:
        """Store up to four bytes where no RAM is, as one word when aligned; return how many were taken."""
        count = min(len(data), 4 - (address & 3))
        shift = 8 * (address & 3)
        base = address & ~3
        word = int.from_bytes(data[:count], "little") << shift
        if count < 4:
            mask = ((1 << (8 * count)) - 1) << shift
            word |= self._load_word(base) & ~mask
        self._store_word(base, word)
        return count

    def _ram_page(self, region: _Region, address: int) -> bytearray:
        number = region.page(address)
        held = self._ram.get(number)
        if held is None:
            held = self._ram[number] = bytearray(PAGE)
        return held

    def _load_word(self, address: int) -> int:
        if address in AHB_WINDOW:
            address -= AHB_SHIFT
        page = self._pages.get(address & ~0xFFF)
        if page is not None:
            return page[1](address - page[0]) & WORD
        region = _region(address)
        if region is None:
            if address & ~0xFFF not in PERIPHERAL_PAGES:
                raise BusFault(address, write=False)
            return self._plain.get(address, 0)
        match region.kind:
            case _Kind.RAM:
                held = self._ram.get(region.page(address))
                inside = address % PAGE
                return 0 if held is None else int.from_bytes(held[inside : inside + 4], "little")
            case _Kind.ROM:
                return self._rom_word(address)
            case _Kind.WINDOW:
                return region.fill

    def _rom_word(self, address: int) -> int:
        known = ROM_WORDS.get(address)
        if known is not None:
            return known
        if len(self.unknown_reads) < MAX_UNKNOWN_READS:
            self.unknown_reads.add(address)
        return 0

    def _store_word(self, address: int, value: int) -> None:
        if address in AHB_WINDOW:
            address -= AHB_SHIFT
        page = self._pages.get(address & ~0xFFF)
        if page is not None:
            page[2](address - page[0], value)
            return
        region = _region(address)
        if region is None:
            if address & ~0xFFF not in PERIPHERAL_PAGES:
                raise BusFault(address, write=True)
            self._plain[address] = value
            return
        match region.kind:
            case _Kind.RAM:
                inside = address % PAGE
                self._ram_page(region, address)[inside : inside + 4] = value.to_bytes(4, "little")
            case _Kind.ROM:
                return
            case _Kind.WINDOW:
                raise BusFault(address, write=True)


def _region(address: int) -> _Region | None:
    for region in _REGIONS:
        if region.start <= address < region.end:
            return region
    return None
