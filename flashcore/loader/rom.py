"""The mask ROM's dialect: what it cannot do, and how to live with that.

It has no erase command, so FLASH_BEGIN does that, exactly `size` rounded up to sectors (oracle fact 34); its FLASH_END always
leaves the loader and is never sent (fact 37); it reads flash 64 bytes at a time (fact 39); its MD5 comes as text (fact 38).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from flashcore.errors import BadPacketError, DeviceError, TransferError
from flashcore.loader.base import Loader
from flashcore.protocol import commands
from flashcore.protocol.opcodes import RomStatus

_WORD = 4


class RomLoader(Loader):
    """The loader in the chip's mask ROM."""

    name = "ROM loader"
    is_stub = False

    def md5(self, offset: int, size: int) -> bytes:
        """Return the MD5 of `size` bytes of flash at `offset`, 16 bytes.

        The ROM reads in words and refuses an odd length that ends with the flash (oracle fact 38): then the bytes are fetched.

        Raises:
            BadPacketError: The answer is no MD5.
        """
        try:
            text = self.session.ask(commands.spi_flash_md5(offset, size), self.policy.md5_wait(size)).data
        except DeviceError as refused:
            if refused.status != RomStatus.FLASH_READ_FAILED or not size % _WORD:
                raise
            return hashlib.md5(b"".join(self.read_flash(offset, size)), usedforsecurity=False).digest()
        try:
            digest = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            digest = b""
        if len(digest) != 16:
            raise BadPacketError(f"the answer to an MD5 of 0x{size:x} bytes is no MD5: {text[:40]!r}")
        return digest

    def erase(self, offset: int, size: int) -> None:
        """Erase `size` bytes at `offset`, both multiples of 4096."""
        block = self.policy.rom_block
        request = commands.flash_begin(size, -(-size // block), block, offset)
        self.session.command(request, self.policy.erase_wait(size), longest_s=self.policy.longest_erase(size))

    def erase_all(self, flash_size: int) -> None:
        """Erase the whole chip, sector by sector: the ROM knows no other way."""
        self.erase(0, flash_size)

    def read_flash(self, offset: int, size: int) -> Iterator[bytes]:
        """Yield `size` bytes of flash from `offset` on, in pieces of at most 64 bytes, unchecked.

        Raises:
            TransferError: The ROM returned fewer bytes than asked for.
        """
        step, end = self.chip.rom_read_block, offset + size
        for start in range(offset - offset % _WORD, end, step):
            want = min(step, -(-(end - start) // _WORD) * _WORD)
            data = self.session.ask(commands.read_flash_slow(start, want)).data
            if len(data) < want:
                raise TransferError(f"the ROM returned {len(data)} bytes of flash at 0x{start:x}, expected {want}")
            yield data[max(0, offset - start) : min(want, end - start)]

    def change_baudrate(self, new: int, old: int) -> None:
        """Make the chip talk at `new` baud; the port still has to follow."""
        self.session.command(commands.change_baudrate(new, 0))
