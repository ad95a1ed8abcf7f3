"""What both loaders can do for us, as one interface; `rom` and `stub` fill in where they differ.

Everything here may be repeated without harm, so nearly all of it goes through `Session.ask`, which survives lost and damaged
frames. Erasing is sent once, since it takes long and its outcome can be read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from flashcore.chips import ChipSpec
from flashcore.loader.session import Session
from flashcore.protocol import commands


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
