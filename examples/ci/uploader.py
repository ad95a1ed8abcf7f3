"""The program under test: a small uploader for a factory's bench, built on esptool's library.

It stands for yours. Nothing in it knows that it is tested; its timeouts are esptool's, which an ``esptool.cfg`` may change.
"""

from __future__ import annotations

from esptool import ESPLoader
from esptool.cmds import attach_flash, detect_chip, run_stub, write_flash


def connect(port: str, *, stub: bool = True, reset: bool = True) -> ESPLoader:
    """Return the loader of the chip at `port`, with its flash attached.

    Args:
        port: Name or URL of the port.
        stub: Whether to upload esptool's stub.
        reset: Whether to reset the chip into download mode; otherwise somebody must have held BOOT.
    """
    chip = detect_chip(port, connect_mode="default-reset" if reset else "no-reset")
    loader = run_stub(chip) if stub else chip
    attach_flash(loader)
    return loader


def upload(loader: ESPLoader, offset: int, image: bytes, *, compress: bool = True) -> None:
    """Write `image` to the flash and have its MD5 compared."""
    write_flash(loader, [(offset, image)], compress=compress, no_compress=not compress)


def erase(loader: ESPLoader, offset: int = 0, size: int = 0) -> None:
    """Erase `size` bytes from `offset`, or everything."""
    if size:
        loader.erase_region(offset, size)
    else:
        loader.erase_flash()


def digest(loader: ESPLoader, offset: int, size: int) -> str:
    """Return the MD5 of a part of the flash."""
    return str(loader.flash_md5sum(offset, size))
