"""What both loaders can do for us, as one interface; `rom` and `stub` fill in where they differ.

Everything here may be repeated without harm, so all of it goes through `Session.ask`, which survives lost and damaged frames.
The flash chip is reached past the loader's own flash commands through the SPI controller's registers: both loaders write
registers, and so the chip's id is known before anything relies on its size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from flashcore.chips import ChipSpec
from flashcore.errors import TransferError
from flashcore.loader.session import Session
from flashcore.protocol import commands

RDID = 0x9F
"""SPI command of a flash chip: read the JEDEC id, three bytes: manufacturer, type, capacity."""

_START_USER_COMMAND = 1 << 18
_HAS_COMMAND = 1 << 31
_HAS_INPUT = 1 << 28
_OPCODE_LENGTH_SHIFT = 28
_POLLS = 10


class Loader(ABC):
    """A loader that answers.

    Args:
        session: The conversation with it.
        chip: The chip it runs on.
    """

    name: str
    is_stub: bool

    def __init__(self, session: Session, chip: ChipSpec) -> None:
        self.session = session
        self.chip = chip
        self.policy = session.policy

    def read_reg(self, address: int) -> int:
        """Return the word at `address`."""
        return self.session.ask(commands.read_reg(address)).value

    def write_reg(self, address: int, value: int) -> None:
        """Write `value` to `address`."""
        self.session.ask(commands.write_reg(address, value))

    def attach(self) -> None:
        """Connect the SPI controller to the flash chip's pins."""
        self.session.ask(commands.spi_attach(stub=self.is_stub))

    def set_flash_size(self, size: int) -> None:
        """Tell the loader how large the flash is; the ROM believes in 2 MB otherwise (oracle fact 33)."""
        self.session.ask(commands.spi_set_params(size))

    def flash_id(self) -> int:
        """Return the flash chip's JEDEC id as 0xMMTTCC.

        Raises:
            TransferError: The SPI controller does not finish.
        """
        raw = self.spi_read(RDID, 24)
        if self.read_reg(self.chip.spi.data) & 0xFFFFFF != raw:
            raw = self.spi_read(RDID, 24)
        return (raw & 0xFF) << 16 | raw & 0xFF00 | raw >> 16 & 0xFF

    def spi_read(self, opcode: int, bits: int) -> int:
        """Send `opcode` to the flash chip and return `bits` bits of its answer, at most 32; the first byte is the lowest.

        Raises:
            TransferError: The SPI controller does not finish.
        """
        spi = self.chip.spi
        kept = [(register, self.read_reg(register)) for register in (spi.user, spi.user2)]
        self.write_reg(spi.miso_length, bits - 1)
        self.write_reg(spi.user, _HAS_COMMAND | _HAS_INPUT)
        self.write_reg(spi.user2, 7 << _OPCODE_LENGTH_SHIFT | opcode)
        self.write_reg(spi.data, 0)
        self.write_reg(spi.command, _START_USER_COMMAND)
        for _ in range(_POLLS):
            if not self.read_reg(spi.command) & _START_USER_COMMAND:
                break
        else:
            raise TransferError("the SPI controller does not finish a command to the flash chip", code="flash.spi_stuck")
        value = self.read_reg(spi.data)
        for register, content in kept:
            self.write_reg(register, content)
        return value & (1 << bits) - 1

    @abstractmethod
    def md5(self, offset: int, size: int) -> bytes:
        """Return the MD5 of `size` bytes of flash at `offset`, 16 bytes."""

    @abstractmethod
    def erase(self, offset: int, size: int) -> None:
        """Erase `size` bytes at `offset`, both multiples of 4096."""

    @abstractmethod
    def erase_all(self, flash_size: int) -> None:
        """Erase the whole chip."""

    @abstractmethod
    def read_flash(self, offset: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes of flash from `offset` on, in pieces, unchecked.

        Raises:
            TransferError: What came makes no sense.
            DeadlineExceededError: Something is missing.
        """

    @abstractmethod
    def change_baudrate(self, new: int, old: int) -> None:
        """Make the chip talk at `new` baud; the port still has to follow."""


def flash_size(jedec_id: int) -> int | None:
    """Return the size in bytes that a JEDEC id stands for, or ``None`` if no chip answers or the code is unknown.

    The capacity code is the exponent of two with most makers; some count on from 0x20, or put 0x20 on top.
    """
    code = jedec_id & 0xFF
    if jedec_id in (0, 0xFFFFFF):
        return None
    if 0x12 <= code <= 0x1C:
        return 1 << code
    if 0x20 <= code <= 0x22:
        return 1 << (code + 6)
    if 0x32 <= code <= 0x3A:
        return 1 << (code - 0x20)
    return None


def no_flash(jedec_id: int) -> TransferError:
    """Return the error for an id that no flash chip of known size has."""
    return TransferError(
        f"no flash chip answers (its id reads as 0x{jedec_id:06x})"
        if jedec_id in (0, 0xFFFFFF)
        else f"the flash chip's size is unknown (its id is 0x{jedec_id:06x})",
        hint="check the flash chip's power and soldering, or pins that pull its lines; give --flash-size if you know it",
        code="flash.no_chip" if jedec_id in (0, 0xFFFFFF) else "flash.unknown_size",
        context={"jedec_id": jedec_id},
    )
