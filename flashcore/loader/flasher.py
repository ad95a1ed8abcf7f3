"""The whole loader behind one object: connect, look, write, read, erase, verify, and leave the chip in a known state.

    from flashcore import Flasher, Region, open_port

    with Flasher.open(open_port("/dev/ttyUSB0")) as flasher:
        print(flasher.info().silicon)
        flasher.write([Region(offset=0x10000, data=firmware)])

Leaving the block restarts the chip so that it runs its firmware, releases the lines and closes the port, whatever happened in
it; after an error or an interruption the chip is not restarted, since what it would run may be half written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from flashcore.chips import ChipSpec
from flashcore.errors import CancelledError, PortLostError, VerifyError
from flashcore.image import ImageWarning, Region, check
from flashcore.loader import chip_info, eraser, flash_health, installed, reader, security
from flashcore.loader.chip_info import ChipInfo
from flashcore.loader.ending import Ending
from flashcore.loader.eraser import require_inside
from flashcore.loader.options import Options
from flashcore.loader.progress import Finding, OnEvent, RegionStarted, Verified, ignore
from flashcore.loader.target import Target
from flashcore.loader.writer import Writer
from flashcore.port import Port


class Flasher:
    """A session with one chip.

    Args:
        target: A target that is up.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._closed = False
        self._written: list[Region] = []

    @classmethod
    def open(cls, port: Port, options: Options | None = None, on_event: OnEvent = ignore) -> Self:
        """Connect to the chip behind `port`, which belongs to the flasher from now on.

        Args:
            port: An open port, see `flashcore.open_port`.
            options: What to do differently from the defaults.
            on_event: Receives progress and findings as they happen.

        Raises:
            ConnectError: No loader can be reached; the class and the text say what is there instead.
            PortError: The port cannot be used.
            CancelledError: The user interrupted it.
        """
        flasher = cls(Target(port, options or Options(), on_event))
        try:
            flasher._target.bring_up()
        except KeyboardInterrupt:
            flasher.close(restart=False)
            raise CancelledError("stopped while connecting; the flash is as before") from None
        except BaseException:
            flasher.close(restart=False)
            raise
        return flasher

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, PortLostError):
            self._target.is_up = False
        self.close(restart=kind is None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What went wrong and was worked around so far."""
        return tuple(self._target.session.findings)

    @property
    def chip(self) -> ChipSpec:
        """The kind of chip."""
        return self._target.chip

    @property
    def flash_size(self) -> int:
        """Size of the flash in bytes.

        Raises:
            TransferError: No flash chip answers.
        """
        return self._target.flash_size()

    def info(self) -> ChipInfo:
        """Read what the chip says about itself.

        Raises:
            TransferError: It does not answer, or its flash chip does not.
        """
        return chip_info.ask(self._target)

    def check(self, regions: Sequence[Region], *, force: bool = False) -> list[ImageWarning]:
        """Refuse regions that cannot work on this chip, before anything is written; return what is odd about the others.

        Raises:
            ImageError: A region does not fit, overlaps another, or is for another chip.
            UsageError: An offset is not a multiple of 4096.
        """
        size = self.flash_size
        return check(regions, self.chip, size, force=force, installed=installed.table(self._target, regions))

    def write(
        self, regions: Sequence[Region], *, compress: bool = True, force: bool = False, unprotect: bool = False
    ) -> list[ImageWarning]:
        """Check, write and verify `regions`: what the chip needs to start comes last.

        So a board whose flashing was interrupted does not start half of the new firmware (fault catalogue row 43).

        Args:
            regions: What goes where.
            compress: Whether to send data compressed where that helps.
            force: Write also what looks wrong.
            unprotect: Clear the flash chip's protection bits before.

        Returns:
            What was odd about the regions.

        Raises:
            ImageError: A region cannot work; nothing was written.
            VerifyError: The flash does not keep what was written, or something went to another address.
            TransferError: The transfer failed for good.
            DeviceError: The loader keeps refusing.
            CancelledError: The user interrupted it; the message says what the flash holds.
        """
        warnings = self.check(regions, force=force)
        security.check(self._target, regions, force=force)
        regions = sorted(regions, key=self._when)
        writer = Writer(self._target, compress=compress)
        try:
            if unprotect:
                flash_health.unprotect(self._target)
            for region in regions:
                writer.write(region)
                self._written.append(region)
            if writer.astray:
                self._check_again(writer, regions)
        except KeyboardInterrupt:
            states = [*map(str, writer.held), *["as before"] * (len(regions) - len(writer.held))]
            held = "; ".join(
                f"region at 0x{region.offset:x} ({region.name}): {state}" for region, state in zip(regions, states, strict=True)
            )
            raise CancelledError(
                f"stopped in the middle of a write; {held}",
                hint="write again before the board is used",
                context={"written": sum(one.verified for one in writer.held), "regions": len(regions)},
            ) from None
        return warnings

    def _when(self, region: Region) -> int:
        """Return when to write `region`: boot loader last, partition table before it."""
        chip = self.chip
        places = (chip.partition_table_offset, chip.bootloader_offset)
        return max((rank for rank, place in enumerate(places, 1) if region.offset <= place < region.end), default=0)

    def _check_again(self, writer: Writer, regions: Sequence[Region]) -> None:
        """Make `regions` right once more, and say that what lies between them may not be."""
        for region in regions:
            writer.verify(region, region.data)
        first = writer.astray[0]
        digest = hashlib.md5(first.data, usedforsecurity=False).hexdigest()
        raise VerifyError(
            f"what was sent for 0x{first.offset:x} ({first.name}) went to another address at first: a command was damaged on "
            "its way; the regions are right now, but other parts of the flash may be overwritten",
            hint="write everything else that the flash should hold again, at a lower baud rate or over another cable",
            offset=first.offset,
            size=first.size,
            expected=digest,
            actual=digest,
            code="verify.elsewhere",
        )

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes of flash from `offset` on, checked.

        Raises:
            DoesNotFitError: There is not that much flash.
            TransferError: It cannot be read.
        """
        return b"".join(self.iter_read(offset, size))

    def iter_read(self, offset: int, size: int) -> Iterator[bytes]:
        """Yield the same in pieces, as they are checked.

        Raises:
            DoesNotFitError: There is not that much flash.
            TransferError: It cannot be read.
        """
        require_inside(self._target, offset, size, "read")
        return reader.read(self._target, offset, size)

    def erase(self, offset: int | None = None, size: int | None = None, *, unprotect: bool = False) -> None:
        """Erase `size` bytes at `offset`, or the whole flash, after clearing protection bits if `unprotect`.

        Raises:
            UsageError: Only one of the two is given, or one is not a multiple of 4096.
            DoesNotFitError: There is not that much flash.
            DeviceError: The loader refuses.
            VerifyError: The flash is not blank afterwards.
            TransferError: No answer comes.
        """
        eraser.erase(self._target, offset, size, unprotect=unprotect)

    def verify(self, regions: Sequence[Region]) -> None:
        """Compare flash with `regions` by MD5.

        Raises:
            VerifyError: They differ.
            DoesNotFitError: A region reaches beyond the flash.
        """
        session = self._target.session
        for region in regions:
            require_inside(self._target, region.offset, region.size, "verify")
            session.emit(RegionStarted(action="verify", offset=region.offset, size=region.size, on_wire=0, name=region.name))
            digest = Writer(self._target).verify(region, region.data, repair=False)
            session.emit(Verified(offset=region.offset, size=region.size, md5=digest))

    def md5(self, offset: int, size: int) -> str:
        """Return the MD5 that the device computes over `size` bytes at `offset`, as hexadecimal text.

        Raises:
            DoesNotFitError: There is not that much flash.
            TransferError: No answer comes.
        """
        require_inside(self._target, offset, size, "digest")
        if not size:
            return hashlib.md5(usedforsecurity=False).hexdigest()
        return eraser.digest(self._target, offset, size).hex()

    def close(self, *, restart: bool = True) -> None:
        """Restart the chip if that was asked for, and give the port back. Closing twice is harmless.

        Args:
            restart: Whether the chip may be restarted.

        Raises:
            ImageError: The chip's ROM refuses to start what was written (``image.does_not_boot``); it is in flash all the same.
        """
        if self._closed:
            return
        self._closed = True
        problem = Ending(self._target, self._written).run(restart=restart)
        if problem is not None:
            raise problem
