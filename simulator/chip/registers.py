"""Peripheral registers that are plain words to a flasher, as data, and the block that holds them.

Most registers a client touches have no behaviour that it could notice: they read as a constant or as what was written
last. Those are rows here, each with its source. What does behave (SPI controllers, eFuse controller) has a module of
its own and is attached to the memory beside these. A block can call back when a word is written, for whoever models
what follows (baud rate, reset).

Fidelity: recorded where the source is a vector; a register without a row reads as zero until written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.chip.efuse import apb_ctrl_date
from simulator.chip.memory import PAGE, Memory

UART0, UART1, UART2 = 0x3FF4_0000, 0x3FF5_0000, 0x3FF6_E000
GPIO, RTC_CNTL, TIMG0, SYSCON = 0x3FF4_4000, 0x3FF4_8000, 0x3FF5_F000, 0x3FF6_6000

UART_CLKDIV = UART0 + 0x14
"""Baud rate divider: integer part in bits 19..0, sixteenths in bits 23..20."""
GPIO_STRAP = GPIO + 0x38
"""Strapping pins as sampled when reset was released."""
RTC_OPTIONS0 = RTC_CNTL + 0x00
"""Bit 31 resets the chip."""
RTC_WDT_CONFIG0, RTC_WDT_CONFIG1 = RTC_CNTL + 0x8C, RTC_CNTL + 0x90
"""RTC watchdog: enable and stages; timeout of stage 0 in slow clock cycles."""
RTC_WDT_FEED, RTC_WDT_PROTECT = RTC_CNTL + 0xA0, RTC_CNTL + 0xA4
"""RTC watchdog: feed; key that opens the others."""
RTC_WDT_KEY = 0x50D8_3AA1
"""Value of `RTC_WDT_PROTECT` that opens the watchdog registers. Source: technical reference manual."""
RTC_CALI = TIMG0 + 0x6C
"""Slow-clock cycles counted against the crystal, from bit 7 up; hosts and the ROM derive the crystal from it."""
APB_CTRL_DATE = SYSCON + 0x7C
"""Date; bit 31 marks revision 3."""

FLASHCHIP = 0x3FFA_E270
"""ROM variable g_rom_flashchip: id, size, block, sector, page, status mask; 32 bits each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterWord:
    """One register's value after reset."""

    address: int
    name: str
    value: int
    source: str


def _r(address: int, name: str, value: int, source: str) -> RegisterWord:
    return RegisterWord(address=address, name=name, value=value, source=source)


WORDS = (
    _r(UART0 + 0x00, "UART_FIFO", 0x0000_00EE, "rom_reg.json read_60000000, read_body_len_1 (empty FIFO)"),
    _r(UART0 + 0x20, "UART_CONF0", 0x0C00_001C, "rom_reg.json read_uart"),
    _r(UART0 + 0x24, "UART_CONF1", 0x0000_0001, "rom_reg.json read_uart"),
    _r(UART0 + 0x78, "UART_DATE", 0x1512_2500, "rom_reg.json read_magic"),
    _r(UART1 + 0x78, "UART_DATE", 0x1512_2500, "rom_reg.json read_magic"),
    _r(UART2 + 0x78, "UART_DATE", 0x1512_2500, "guessed: as UART0 and UART1"),
)
"""Registers that are the same on every board."""

READ_ONLY = frozenset((UART0, UART0 + 0x1C, UART0 + 0x78, UART1 + 0x78, UART2 + 0x78, GPIO_STRAP, RTC_CALI, APB_CTRL_DATE))
"""Registers that ignore stores (FIFO: the store goes to the wire, which is not modelled).

Source: technical reference manual."""

ROM_VARIABLES = (
    _r(FLASHCHIP + 0x00, "g_rom_flashchip.device_id", 0x0015_40EF, "oracle fact 33, rom_reg.json read_rom_vars"),
    _r(FLASHCHIP + 0x04, "g_rom_flashchip.chip_size", 0x0020_0000, "oracle fact 33"),
    _r(FLASHCHIP + 0x08, "g_rom_flashchip.block_size", 0x0001_0000, "oracle fact 33"),
    _r(FLASHCHIP + 0x0C, "g_rom_flashchip.sector_size", 0x0000_1000, "oracle fact 33"),
    _r(FLASHCHIP + 0x10, "g_rom_flashchip.page_size", 0x0000_0100, "oracle fact 33"),
    _r(FLASHCHIP + 0x14, "g_rom_flashchip.status_mask", 0x0000_FFFF, "rom_reg.json read_rom_vars"),
)
"""RAM words that the ROM sets up when it starts, one behind the other."""

_WORDS = {word.address: word.value for word in WORDS}
_VARIABLES = b"".join(variable.value.to_bytes(4, "little") for variable in ROM_VARIABLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRegisters:
    """What differs between boards and starts."""

    strap: int
    """Strapping pins, as GPIO_STRAP shows them."""
    revision: int = 3
    """Major silicon revision."""
    crystal_hz: int = 40_000_000
    """Crystal frequency."""
    ck8m: int = 0x36
    """eFuse CK8M_FREQ, which the ROM multiplies the calibration with."""
    clkdiv: int | None = None
    """UART_CLKDIV as it stands after autobaud; None: what the crystal gives for 115200 baud."""
    rtc_cali: int | None = None
    """RTC_CALI; None: what the crystal gives."""

    def words(self) -> dict[int, int]:
        """Return the words by address."""
        return {
            UART_CLKDIV: uart_divider(self.crystal_hz, 115_200) if self.clkdiv is None else self.clkdiv,
            GPIO_STRAP: self.strap,
            RTC_CALI: rtc_calibration(self.crystal_hz, self.ck8m) if self.rtc_cali is None else self.rtc_cali,
            APB_CTRL_DATE: apb_ctrl_date(self.revision),
        }


ORACLE = BoardRegisters(strap=0x03, crystal_hz=26_000_000, clkdiv=0x15A, rtc_cali=0x0002_8000)
"""The recorded chip. Source: rom_reg.json read_uart, read_strap, read_misc; oracle, Limits (crystal)."""


def uart_divider(clock_hz: int, baud: int) -> int:
    """Return the UART_CLKDIV word for a rate: integer part and sixteenths.

    Source: rom_misc.json baud_460800_0 (0x00600038 for a 26 MHz crystal); technical reference manual.
    """
    sixteenths = (clock_hz << 4) // baud
    return (sixteenths >> 4 & 0xF_FFFF) | (sixteenths & 0xF) << 20


def rtc_calibration(crystal_hz: int, ck8m: int) -> int:
    """Return the RTC_CALI word from which ROM and hosts compute this crystal frequency.

    Source: from source (esptool 4.8 and later multiply the count by CK8M_FREQ and 15625/40 to learn what the ROM
    believes).
    """
    return round(crystal_hz * 40 / (15_625 * max(ck8m, 1))) << 7


class RegisterBlock:
    """One peripheral's registers as plain words.

    Args:
        base: First address, 4 KiB aligned.
        read_only: Addresses that ignore stores.
    """

    def __init__(self, base: int, *, read_only: frozenset[int] = READ_ONLY) -> None:
        self.base = base
        """First address."""
        self._read_only = read_only
        self._words: dict[int, int] = {}
        self._watchers: dict[int, Callable[[int], None]] = {}

    def reset(self, words: Mapping[int, int]) -> None:
        """Set the words at these addresses, all of them in this block; the others become zero."""
        self._words = dict(words)

    def poke(self, address: int, value: int) -> None:
        """Set a word from the device's side: read-only or not, and without a call back."""
        self._words[address] = value

    def watch(self, address: int, callback: Callable[[int], None]) -> None:
        """Have `callback` called with the new word after each store to `address`."""
        self._watchers[address] = callback

    def read(self, offset: int) -> int:
        """Read the word at an aligned byte offset."""
        return self._words.get(self.base + offset, 0)

    def write(self, offset: int, value: int) -> None:
        """Write the word at an aligned byte offset."""
        address = self.base + offset
        if address in self._read_only:
            return
        self._words[address] = value
        watcher = self._watchers.get(address)
        if watcher is not None:
            watcher(value)


class Registers:
    """All plain blocks of one chip, attached to its memory.

    Args:
        memory: Where they appear.
        board: What differs between boards.
    """

    def __init__(self, memory: Memory, board: BoardRegisters) -> None:
        self._memory = memory
        self._blocks = {base: RegisterBlock(base) for base in (UART0, UART1, UART2, GPIO, RTC_CNTL, TIMG0, SYSCON)}
        for base, block in self._blocks.items():
            memory.attach(base, PAGE, block.read, block.write)
        self.reset(board)

    def block(self, base: int) -> RegisterBlock:
        """Return the block at `base`.

        Raises:
            KeyError: There is no plain block.
        """
        return self._blocks[base]

    def reset(self, board: BoardRegisters) -> None:
        """Chip reset and start of the ROM: registers and the ROM's variables as they then stand."""
        words: dict[int, dict[int, int]] = {base: {} for base in self._blocks}
        for address, value in (_WORDS | board.words()).items():
            words[address & ~(PAGE - 1)][address] = value
        for base, block in self._blocks.items():
            block.reset(words[base])
        self._memory.load(FLASHCHIP, _VARIABLES)

    def poke(self, address: int, value: int) -> None:
        """Set one register from the device's side.

        Raises:
            KeyError: The address lies in no plain block.
        """
        self._blocks[address & ~(PAGE - 1)].poke(address, value)
