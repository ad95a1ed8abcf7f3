"""The flash chip itself, past the loader's own flash commands: its id, its protection, its power, and how to wake it.

Both loaders read and write registers, so the SPI controller can be told to send any command to the flash chip. That is how the
id is known before anything relies on a size, how protection bits are seen that let erase and write "succeed" without any
effect, and how a chip that was left in deep power-down or in the middle of a mode change is brought back.
Source: technical reference manual of the ESP32, chapter "SPI Controller"; data sheet W25Q32JV, instruction set; fault
catalogue rows 16, 55, 56, 58, 65.
"""

from __future__ import annotations

from collections.abc import Sequence

from flashcore.errors import TransferError
from flashcore.loader import straps
from flashcore.loader.base import Loader

RDID = 0x9F
"""Read the JEDEC id, three bytes: manufacturer, type, capacity."""
READ_STATUS_1, READ_STATUS_2 = 0x05, 0x35
WRITE_ENABLE = 0x06
WRITE_STATUS_1, WRITE_STATUS_2 = 0x01, 0x31
RELEASE_POWER_DOWN = 0xAB
ENABLE_RESET, RESET = 0x66, 0x99

BLOCK_PROTECT = 0x7C
"""Bits of status 1 that protect: BP0 to BP2, TB, SEC."""
COMPLEMENT = 0x40
"""Bit of status 2 that turns the protected area round."""
BUSY = 0x01

_START_USER_COMMAND = 1 << 18
_HAS_COMMAND = 1 << 31
_HAS_INPUT = 1 << 28
_HAS_OUTPUT = 1 << 27
_OPCODE_LENGTH_SHIFT = 28
_POLLS = 10
_IDS = 3
"""How often an odd id is read before it is believed. Source: catalogue row 16."""
_SILENT = (0, 0xFFFFFF)

_XPD_SDIO_TIEH, _XPD_SDIO_FORCE = 1 << 15, 1 << 16
_SDIO_WORD = 4
"""eFuse word that can settle the flash voltage. Source: technical reference manual, eFuse controller, BLK0."""


def spi_command(loader: Loader, opcode: int, *, send: int = 0, send_bits: int = 0, receive_bits: int = 0) -> int:
    """Send `opcode` and up to 32 bits to the flash chip and return up to 32 bits of its answer; the first byte is the lowest.

    Raises:
        TransferError: The SPI controller does not finish.
    """
    spi = loader.chip.spi
    kept = [(register, loader.read_reg(register)) for register in (spi.user, spi.user2)]
    phases = _HAS_COMMAND
    if receive_bits:
        phases |= _HAS_INPUT
        loader.write_reg(spi.miso_length, receive_bits - 1)
    if send_bits:
        phases |= _HAS_OUTPUT
        loader.write_reg(spi.mosi_length, send_bits - 1)
    loader.write_reg(spi.user, phases)
    loader.write_reg(spi.user2, 7 << _OPCODE_LENGTH_SHIFT | opcode)
    loader.write_reg(spi.data, send)
    loader.write_reg(spi.command, _START_USER_COMMAND)
    for _ in range(_POLLS):
        if not loader.read_reg(spi.command) & _START_USER_COMMAND:
            break
    else:
        raise TransferError("the SPI controller does not finish a command to the flash chip", code="flash.spi_stuck")
    value = loader.read_reg(spi.data) if receive_bits else 0
    for register, content in kept:
        loader.write_reg(register, content)
    return value & (1 << receive_bits) - 1


def jedec_id(loader: Loader) -> int:
    """Return the flash chip's JEDEC id as 0xMMTTCC.

    Raises:
        TransferError: The SPI controller does not finish.
    """
    raw = spi_command(loader, RDID, receive_bits=24)
    if loader.read_reg(loader.chip.spi.data) & 0xFFFFFF != raw:
        raw = spi_command(loader, RDID, receive_bits=24)
    return (raw & 0xFF) << 16 | raw & 0xFF00 | raw >> 16 & 0xFF


def size_of(jedec: int) -> int | None:
    """Return the size in bytes that a JEDEC id stands for, or ``None`` if no chip answers or the code is unknown.

    The capacity code is the exponent of two with most makers; some count on from 0x20, or put 0x20 on top.
    """
    code = jedec & 0xFF
    if jedec in _SILENT:
        return None
    if 0x12 <= code <= 0x1C:
        return 1 << code
    if 0x20 <= code <= 0x22:
        return 1 << (code + 6)
    if 0x32 <= code <= 0x3A:
        return 1 << (code - 0x20)
    return None


def find(loader: Loader) -> tuple[int, int]:
    """Return JEDEC id and size of the flash chip, waking it if it answers oddly.

    Raises:
        TransferError: No chip answers (``flash.no_chip``), each time another one (``flash.unstable_id``), or one of unknown
            size (``flash.unknown_size``).
    """
    loader.attach()
    found = jedec_id(loader)
    size = size_of(found)
    if size is not None:
        return found, size
    wake(loader)
    loader.attach()
    ids = [jedec_id(loader) for _ in range(_IDS)]
    size = size_of(ids[-1])
    if size is not None and len(set(ids)) == 1:
        loader.session.found(
            "flash.woken",
            f"the flash chip answered with the id 0x{found:06x} until it was woken and reset: it had been left in another mode",
        )
        return ids[-1], size
    raise _unknown(loader, ids)


def believe(loader: Loader, told: int) -> int:
    """Return the JEDEC id of a flash chip whose size the user knows, refusing a size beyond what the id says.

    Addresses beyond the end of a flash chip begin anew at 0, so a size that is too large overwrites what lies there, and even
    reads back as written (catalogue row 58). An id that says nothing is no reason to refuse.

    Raises:
        TransferError: The flash is smaller (``flash.smaller``).
    """
    loader.attach()
    found = jedec_id(loader)
    size = size_of(found)
    if size is not None and size < told and jedec_id(loader) == found:
        raise TransferError(
            f"the flash chip has {size >> 20} MB (its id is 0x{found:06x}), not the {told >> 20} MB that were given",
            hint="leave --flash-size out, or give what the flash chip has",
            code="flash.smaller",
            context={"jedec_id": found, "flash_size": size, "told": told},
        )
    return found


def wake(loader: Loader) -> None:
    """Bring a flash chip back from deep power-down and from any mode it was left in.

    Raises:
        TransferError: The SPI controller does not finish.
    """
    for opcode in (RELEASE_POWER_DOWN, ENABLE_RESET, RESET):
        spi_command(loader, opcode)


def protection(loader: Loader) -> int:
    """Return the protection bits that are set in the flash chip's status registers 1 (low byte) and 2; 0 if nothing is.

    Raises:
        TransferError: The SPI controller does not finish.
    """
    first = spi_command(loader, READ_STATUS_1, receive_bits=8)
    second = spi_command(loader, READ_STATUS_2, receive_bits=8)
    if (first, second) in ((0xFF, 0xFF), (0, 0)):
        return 0
    return first & BLOCK_PROTECT | (second & COMPLEMENT) << 8


def unprotect(loader: Loader) -> bool:
    """Clear the protection bits, and tell whether they stay clear.

    Raises:
        TransferError: The SPI controller does not finish.
    """
    for read, write, bits in ((READ_STATUS_2, WRITE_STATUS_2, COMPLEMENT), (READ_STATUS_1, WRITE_STATUS_1, BLOCK_PROTECT)):
        value = spi_command(loader, read, receive_bits=8)
        if value & bits:
            spi_command(loader, WRITE_ENABLE)
            spi_command(loader, write, send=value & ~bits & 0xFF, send_bits=8)
            _wait(loader)
    return not protection(loader)


def _wait(loader: Loader) -> None:
    clock = loader.session.clock
    limit = clock.now_ns() + int(loader.policy.command_s * 1e9)
    while spi_command(loader, READ_STATUS_1, receive_bits=8) & BUSY and clock.now_ns() < limit:
        pass


def low_voltage(loader: Loader) -> bool:
    """Tell whether the chip feeds its flash with 1.8 V, by the strapping pin MTDI (GPIO12) or by its eFuses."""
    chip = loader.chip
    fuses = loader.read_reg(chip.efuse_base + 4 * _SDIO_WORD)
    if fuses & _XPD_SDIO_FORCE:
        return not fuses & _XPD_SDIO_TIEH
    return straps.low_voltage_flash(loader.read_reg(chip.strap_register))


def _unknown(loader: Loader, ids: Sequence[int]) -> TransferError:
    """Return the error for ids that no flash chip of known size has."""
    last = ids[-1]
    context = {"jedec_id": last}
    if len(set(ids)) > 1:
        several = ", ".join(f"0x{one:06x}" for one in ids)
        return TransferError(
            f"the flash chip answers with another id each time ({several}): its lines are disturbed",
            hint="check the soldering of the flash chip, and that nothing else uses GPIO6 to GPIO11",
            code="flash.unstable_id",
            context=context,
        )
    if last not in _SILENT:
        return TransferError(
            f"the flash chip's size is unknown (its id is 0x{last:06x})",
            hint="give --flash-size if you know it; nothing is written beyond a size that nobody knows",
            code="flash.unknown_size",
            context=context,
        )
    hint = "check the flash chip's power and soldering, or pins that pull its lines (GPIO6 to GPIO11)"
    if low_voltage(loader):
        hint = (
            "the strapping pin GPIO12 (MTDI) was high at reset, so the chip feeds its flash with 1.8 V, which most flash chips "
            "do not work with: disconnect what pulls GPIO12 high (an SD card, an LED), or burn the eFuse for 3.3 V"
        )
        context["low_voltage"] = 1
    return TransferError(
        f"no flash chip answers (its id reads as 0x{last:06x})", hint=hint, code="flash.no_chip", context=context
    )
