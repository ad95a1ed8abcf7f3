"""The table of `test_esptool_commands`: what esptool 5 is asked, and what must be left behind on the board.

``E`` stands for ``esptool --port {port}``; other first words are those of `tests.flashers.in_turn`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from simulator.chip.efuse_presets import FLASH_KEY
from simulator.chip.factory import factory_flash
from simulator.chip.flash_encryption import FlashCipher

BLANK = b"\xff" * (4 << 20)
AT = 0x10000

OLD = random.Random("old").randbytes(12_000)
"""What is on the flash in the cases that need something there."""
NEW = OLD[:5_000] + b"changed!" + OLD[5_008:]
"""The same with a difference in the second sector."""
ZEROS = bytes(9_000)

FLASH_BOOT, DOWNLOAD = "strap 0x13", "POWERON_RESET strap 0x03"
"""How the chip last started. A blank flash does not boot, so in flash boot the watchdog may have struck already."""
AT_REST = "dtr=0 rts=0"
"""Modem lines behind a closed port."""


def placed(*pieces: tuple[int, bytes]) -> bytes:
    """Return a whole flash with these pieces."""
    flash = bytearray(BLANK)
    for offset, data in pieces:
        flash[offset : offset + len(data)] = data
    return bytes(flash)


USED = placed((AT, OLD), (0x200000, OLD))


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run.

    Args:
        name: Says what is claimed.
        commands: What to run, one after the other; ``E`` stands for ``esptool --port {port}``.
        says: Texts that must be in the output, in this order.
        status: Exit status.
        board: Name of the preset.
        before: Flash content at the start.
        after: Flash content at the end; None for that of the start.
        reset: How the chip last started, or the end of that.
        settings: Content of a configuration file for esptool.
    """

    name: str
    commands: tuple[str, ...]
    says: tuple[str, ...] = ()
    status: int = 0
    board: str = "esp32-devkitc"
    before: bytes = BLANK
    after: bytes | None = None
    reset: str = FLASH_BOOT
    settings: str = ""


KEEP = "--after no-reset"
AGAIN = "--before no-reset"
MAGIC = ("0x40001000 = 0x00f01d83",)

MEMORY = (
    Case(name="a ROM word is read through the stub", commands=("E read-mem 0x40001000",), says=MAGIC),
    Case(name="a ROM word is read through the ROM", commands=("E --no-stub read-mem 0x40001000",), says=MAGIC),
    Case(
        name="a masked write changes the masked bits of a RAM word",
        commands=(f"E {KEEP} write-mem 0x3ffc0000 0x12345678 0xffff00ff", f"E {AGAIN} {KEEP} read-mem 0x3ffc0000"),
        says=("0x3ffc0000 = 0x12340078",),
        reset=DOWNLOAD,
    ),
    Case(
        name="RTC slow memory keeps what is written",
        commands=(f"E {KEEP} write-mem 0x50000100 0xcafe0001", f"E {AGAIN} {KEEP} read-mem 0x50000100"),
        says=("0x50000100 = 0xcafe0001",),
        reset=DOWNLOAD,
    ),
    Case(
        name="a scratch register of the RTC keeps what is written",
        commands=(f"E {KEEP} write-mem 0x3ff480b0 0xa5a5a5a5", f"E {AGAIN} {KEEP} read-mem 0x3ff480b0"),
        says=("0x3ff480b0 = 0xa5a5a5a5",),
        reset=DOWNLOAD,
    ),
    Case(
        name="the watchdog is switched off behind its key",
        commands=(
            f"E {KEEP} write-mem 0x3ff480a4 0x50d83aa1",
            f"E {AGAIN} {KEEP} write-mem 0x3ff4808c 0",
            f"E {AGAIN} {KEEP} write-mem 0x3ff480a4 0",
            "wait 5",
        ),
        reset=DOWNLOAD,
    ),
    Case(
        name="the watchdog, set over the line, restarts the chip",
        commands=(
            f"E {KEEP} write-mem 0x3ff480a4 0x50d83aa1",
            f"E {AGAIN} {KEEP} write-mem 0x3ff48090 15000",
            f"E {AGAIN} {KEEP} write-mem 0x3ff4808c 0xc0000000",
            "wait 0.5",
        ),
        reset="RTCWDT_RTC_RESET strap 0x13",
    ),
    Case(
        name="the ROM's description of the flash is dumped",
        commands=("E --no-stub dump-mem 0x3ffae270 24 dump.bin",),
        says=("Dumped 24 bytes from 0x3ffae270",),
    ),
    Case(
        name="the flash supply is overridden in its register",
        commands=("E --override-vddsdio 1.9V flash-id",),
        says=("VDDSDIO regulator set to 1.9V.", "Flash voltage set by RTC_CNTL: 1.9V"),
    ),
)

STATUS = (
    Case(
        name="a volatile status is gone after the next flash reset",
        commands=("E write-flash-status --bytes 2 0x3c", "E read-flash-status --bytes 2"),
        says=("Initial flash memory status: 0x0000", "After flash memory status:   0x003c", "Flash memory status: 0x0000"),
    ),
    Case(
        name="a non-volatile status stays",
        commands=("E write-flash-status --bytes 2 --non-volatile 0x3c", "E read-flash-status --bytes 2"),
        says=("After flash memory status:   0x003c", "Flash memory status: 0x003c"),
    ),
    Case(
        name="the status is reached without a stub",
        commands=("E --no-stub write-flash-status --bytes 1 --non-volatile 0x04", "E --no-stub read-flash-status --bytes 1"),
        says=("Flash memory status: 0x0004",),
    ),
    Case(
        name="a protected flash stays as it is, and the write is noticed to have failed",
        commands=("E write-flash-status --bytes 1 --non-volatile 0x1c", "E write-flash 0x10000 zeros.bin"),
        says=("Flash MD5:", "Write failed"),
        status=2,
    ),
    Case(
        name="the SFDP area starts with its signature",
        commands=("E read-flash-sfdp 0 4",),
        says=("SFDP[0..3]: 0x53 0x46 0x44 0x50",),
    ),
    Case(
        name="the stub knows no security report",
        commands=("E get-security-info",),
        says=("Failed to get security info (result was FF00",),
        status=2,
    ),
    Case(
        name="the ROM knows no security report",
        commands=("E --no-stub get-security-info",),
        says=("This command (0x14) is not supported in the current download mode",),
        status=2,
    ),
)

WRITING = (
    Case(
        name="erase-all leaves nothing but the image",
        commands=("E write-flash --erase-all 0x10000 new.bin",),
        says=("Flash memory erased successfully", "Hash of data verified."),
        before=USED,
        after=placed((AT, NEW)),
    ),
    Case(
        name="without erase-all only the image's own sectors change",
        commands=("E write-flash 0x10000 zeros.bin",),
        before=USED,
        after=placed((AT, ZEROS), (0x200000, OLD)),
    ),
    Case(
        name="of a changed file only the changed sectors are written",
        commands=("E write-flash 0x10000 new.bin --diff-with old.bin",),
        says=("Reflashing 1 changed sector at 0x00011000", "Hash of data verified."),
        before=USED,
        after=placed((AT, NEW), (0x200000, OLD)),
    ),
    Case(
        name="an unchanged file is only compared",
        commands=("E write-flash 0x10000 old.bin --diff-with old.bin",),
        says=("No changed sectors found", "verified."),
        before=USED,
    ),
    Case(
        name="what is there already is skipped",
        commands=("E write-flash --skip-flashed 0x10000 old.bin",),
        says=("already in flash, skipping write",),
        before=USED,
    ),
    Case(
        name="what is there otherwise is not skipped",
        commands=("E write-flash --skip-flashed 0x10000 new.bin",),
        says=("Hash of data verified.",),
        before=USED,
        after=placed((AT, NEW), (0x200000, OLD)),
    ),
    Case(
        name="the ROM writes uncompressed",
        commands=("E --no-stub write-flash --no-compress 0x10000 new.bin",),
        says=("Hash of data verified.",),
        before=USED,
        after=placed((AT, NEW), (0x200000, OLD)),
    ),
    Case(
        name="a region is erased and no more",
        commands=("E erase-region 0x11000 0x1000",),
        before=USED,
        after=placed((AT, OLD), (0x11000, b"\xff" * 0x1000), (0x200000, OLD)),
    ),
    Case(name="the whole flash is erased", commands=("E erase-flash",), before=USED, after=BLANK),
    Case(name="equal content is verified", commands=("E verify-flash 0x10000 old.bin",), before=USED),
    Case(
        name="other content is not verified",
        commands=("E verify-flash 0x10000 new.bin",),
        says=("Verification failed (digest mismatch).",),
        status=2,
        before=USED,
    ),
    Case(
        name="a write beyond the end is refused before anything is erased",
        commands=("E write-flash 0x3ff000 new.bin",),
        says=("will not fit in",),
        status=2,
        before=USED,
    ),
)

SEALED = FlashCipher(FLASH_KEY, 0xF).write(AT, OLD + b"\xff" * (-len(OLD) % 32))

SECURITY = (
    Case(
        name="a chip without a key refuses an encrypted write",
        commands=("E write-flash --encrypt 0x10000 old.bin",),
        says=("Unexpected FLASH_CRYPT_CONFIG value: 0x0", "Flash encryption key is not programmed."),
        status=2,
    ),
    Case(
        name="a chip in development mode encrypts what is written",
        commands=("E write-flash --encrypt 0x10000 old.bin",),
        says=("Cannot verify written data if encrypted",),
        board="esp32-encrypted",
        after=placed((AT, SEALED)),
    ),
    Case(
        name="a chip in release mode refuses to encrypt",
        commands=("E write-flash --encrypt 0x10000 old.bin",),
        says=("encrypt functionality in UART download mode disabled",),
        board="esp32-encrypted-release",
        status=2,
    ),
    Case(
        name="a chip in release mode is protected from plaintext",
        commands=("E write-flash 0x10000 old.bin",),
        says=("Detected flash encryption enabled",),
        board="esp32-encrypted-release",
        status=2,
    ),
    Case(
        name="a chip in release mode takes what the host encrypted",
        commands=("E write-flash --force 0x10000 sealed.bin",),
        says=("Hash of data verified.",),
        board="esp32-encrypted-release",
        after=placed((AT, SEALED)),
    ),
    Case(
        name="the ROM can't encrypt",
        commands=("E --no-stub write-flash --encrypt 0x10000 old.bin",),
        says=("ROM bootloader does not support encrypted writes",),
        board="esp32-encrypted",
        status=2,
    ),
    Case(
        name="a chip with secure boot is protected from a full erase",
        commands=("E erase-flash",),
        says=("Active security features detected",),
        board="esp32-secure-boot",
        status=2,
        before=USED,
    ),
    Case(
        name="a chip without download mode never answers",
        commands=("E --connect-attempts 2 flash-id",),
        says=("Failed to connect",),
        board="esp32-no-download",
        status=2,
        reset=DOWNLOAD,
    ),
)

RESETS = (
    Case(name="after a hard reset the chip boots from flash", commands=("E --after hard-reset read-mem 0x40001000",)),
    Case(name="after no reset the ROM or stub goes on", commands=("E --after no-reset read-mem 0x40001000",), reset=DOWNLOAD),
    Case(
        name="the stub stays and is found again",
        commands=("E --after no-reset-stub read-mem 0x40001000", f"E {AGAIN} {KEEP} read-mem 0x40001000"),
        says=("Staying in flasher stub.", "Stub flasher is already running", *MAGIC),
        reset=DOWNLOAD,
    ),
    Case(
        name="without reset and sync the stub is used as it is",
        commands=(
            "E --chip esp32 --after no-reset-stub read-mem 0x40001000",
            f"E --chip esp32 --before no-reset-no-sync {KEEP} read-mem 0x40001000",
        ),
        says=("Staying in flasher stub.", *MAGIC),
        reset=DOWNLOAD,
    ),
    Case(
        name="a soft reset is refused by the stub's side",
        commands=("E --after soft-reset read-mem 0x40001000",),
        says=("Soft resetting is currently only supported on ESP8266",),
        status=2,
        reset=DOWNLOAD,
    ),
    Case(
        name="a soft reset through the ROM with a flash attached leaves the loader without a reset",
        commands=("E --no-stub --after soft-reset read-flash-status", "expect 0", f"E {AGAIN} --connect-attempts 1 chip-id"),
        says=("Soft resetting...", "Failed to connect"),
        status=2,
        reset=DOWNLOAD,
    ),
    Case(
        name="a watchdog reset becomes a hard reset",
        commands=("E --after watchdog-reset read-mem 0x40001000",),
        says=("Watchdog hard reset is not supported on ESP32",),
    ),
    Case(
        name="the sequence for native USB does not enter download mode",
        commands=("E --before usb-reset --connect-attempts 2 read-mem 0x40001000",),
        says=("Failed to connect",),
        status=2,
    ),
    Case(
        name="without reset a chip that runs its app does not answer",
        commands=("E --before no-reset --connect-attempts 2 read-mem 0x40001000",),
        says=("Failed to connect",),
        status=2,
    ),
    Case(
        name="a wrong custom sequence does not connect",
        commands=("E --connect-attempts 2 read-mem 0x40001000",),
        says=("Failed to connect",),
        status=2,
        settings="custom_reset_sequence = D0|R0|W0.1",
    ),
    Case(
        name="a custom sequence with the lines exchanged does not connect",
        commands=("E --connect-attempts 2 read-mem 0x40001000",),
        says=("Failed to connect",),
        status=2,
        settings="custom_reset_sequence = R0|D1|W0.1|R1|D0|W0.05|R0",
    ),
    Case(
        name="a right custom sequence connects",
        commands=("E read-mem 0x40001000",),
        says=MAGIC,
        settings="custom_reset_sequence = D0|R1|W0.1|D1|R0|W0.05|D0",
    ),
    Case(
        name="a custom sequence that sets both lines at once connects",
        commands=("E read-mem 0x40001000",),
        says=MAGIC,
        settings="custom_reset_sequence = U0,1|W0.1|U1,0|W0.05|D0",
    ),
    Case(
        name="run starts what is in flash",
        commands=("E run", "hear 0.5 {port}"),
        says=("Hard resetting", "rst:0x1 (POWERON_RESET),boot:0x13", "entry 0x40080400"),
        before=placed(*factory_flash("arduino")),
    ),
)

RAM = (
    Case(
        name="hello-world, loaded by the stub, shows its text",
        commands=("E load-ram hello.bin", "hear 0.5 {port}"),
        says=("Hello world 3 from ESP32!", "Hello world 2 from ESP32!", "Hello world 1 from ESP32!"),
        reset=DOWNLOAD,
    ),
    Case(
        name="hello-world, loaded by the ROM, starts before the port is open again",
        commands=("E --no-stub load-ram hello.bin", "hear 0.5 {port}"),
        says=("Hello world 2 from ESP32!", "Hello world 1 from ESP32!"),
        reset=DOWNLOAD,
    ),
    Case(
        name="a program beyond the model is told as a gap, and espsim says that it failed",
        commands=("E load-ram strange.bin", "hear 0.5 {port}"),
        says=("the model does not know what an ESP32 does here: the program in RAM at 0x40080400",),
        status=70,
        reset=DOWNLOAD,
    ),
)

CASES = (*MEMORY, *STATUS, *WRITING, *SECURITY, *RESETS, *RAM)
