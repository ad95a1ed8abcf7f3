"""The arm for a chip in real time: behind any port that flashcore opens, be it a board or an emulator with the real ROM.

Each probe starts from a fresh chip, so the port needs DTR and RTS, or there must be a command that starts the chip anew. An
exchange is over when nothing has come for a while; if more was recorded, the arm waits longer, so that a busy machine fails no
test. What silicon does otherwise than the recording (oracle, Limits) is in `live_limits`, but for one thing that is done here:
silicon spends the first bytes on measuring the baud rate, so after a reset it is given some.

Only a chip whose flash is lent for scratch plays probes that touch it: flashcore then makes the flash what it was in the
recording, and reads it afterwards.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from flashcore.errors import WrongBootModeError
from flashcore.image import Region
from flashcore.loader import After, Before, Flasher, Options, reset
from flashcore.port import LineSupport, Port, ns
from flashcore.protocol import boot_log
from tests.conformance.live_limits import STUB_FLASH_OPS, opcodes

SILENCE_S = 0.3
"""How long nothing must come before an exchange is over, as in the recording."""

PATIENCE_S = 10.0
"""How long to wait for bytes that were recorded."""

BAUD = 115200
"""Rate of the recording, and of the ROM's banner."""

BOOT_S = 2.0
"""Longest time that a boot is listened to; firmware may never fall silent."""

PRIMER = b"\x55" * 36
"""Edges for the baud detection, as many as a SYNC brings, without any frame. Source: oracle, Limits."""

MOST = 1 << 20
"""Bytes after which an answer counts as endless."""

READY = b"waiting for download\r\n"

FLASH_SIZE = 0x40_0000
"""Flash of the recorded chip, and of every chip whose flash is for scratch."""

Reopen = Callable[[], Port]
"""Opens a port."""


class LiveArm:
    """A chip behind a port.

    Args:
        port: An open port. It stays the caller's, but `port` may be another one by then where there is `scratch`.
        silicon: Whether the chip has to find the baud rate after each reset.
        silence_s: How long nothing must come before an exchange is over.
        reset_command: What makes the chip start anew into download mode where the port has no lines; run by the shell.
        scratch: For a chip whose flash may be erased and written: opens the port anew after flashcore has done so.
    """

    def __init__(
        self, port: Port, *, silicon: bool, silence_s: float = SILENCE_S, reset_command: str = "", scratch: Reopen | None = None
    ) -> None:
        self.port = port
        self.silicon = silicon
        self._silence_s = silence_s
        self._command = reset_command
        self._scratch = scratch
        self._content: bytes | None = None
        """What the flash holds, without the FF at its end; ``None`` if that is unknown."""

    @property
    def can_reset(self) -> bool:
        """Whether there is a way to a fresh chip."""
        return bool(self._command) or self.port.line_support is not LineSupport.NONE

    def reset(self, *, strap: int = 0x03, efuse_name: str | None = None, flash: bytes | None = None) -> None:
        """Start the chip anew, in download mode.

        Raises:
            WrongBootModeError: It boots from flash each time.
        """
        assert (strap, efuse_name) == (0x03, None), "live_limits keeps such probes away"
        wanted = (flash or b"").rstrip(b"\xff")
        assert self._scratch is not None or not wanted, "live_limits keeps such probes away"
        if self._scratch is not None and wanted != self._content:
            self._fill(wanted)
        if self.port.baudrate != BAUD:
            self.port.set_baudrate(BAUD)
        tries = [None] * 2 if self._command else [*reset.strategies(self.port.line_support)]
        heard = b""
        for sequence in tries:
            self.port.discard_input()
            if sequence is None:
                self._run_command()
            else:
                reset.run(self.port, sequence)
            heard = self._banner()
            report = boot_log.parse(heard)
            # A chip whose banner is switched off, or comes at another rate, is taken at its word by the first SYNC.
            if report is None or report.reset_code is None or report.is_download_mode:
                break
        else:
            raise WrongBootModeError(f"{self.port.name}: the chip boots from flash after each reset: {heard[:200]!r}")
        if self.silicon:
            self._write(PRIMER)
            self._listen(0)

    def exchange(
        self, send: bytes | Sequence[bytes], *, gap_ms: int = 0, expected: int = 0, silence_s: float | None = None
    ) -> bytes:
        """Send and return what comes back until there is silence, of `silence_s` seconds if not of the usual length."""
        size = 0
        for index, data in enumerate([send] if isinstance(send, bytes) else send):
            if index:
                self._sleep(gap_ms / 1000)
            self._write(data)
            size += len(data)
        return self._listen(expected, extra_s=size * 10 / BAUD, silence_s=silence_s)

    def send(self, data: bytes, *, pause_ms: int) -> None:
        """Send without reading; wait."""
        self._write(data)
        self._sleep(pause_ms / 1000)

    def flash(self) -> bytes:
        """Return the whole flash of a chip that lends it."""
        with self._flasher() as flasher:
            return flasher.read(0, FLASH_SIZE)

    def _fill(self, content: bytes) -> None:
        """Make `content` what the flash holds from offset 0, and FF what it holds behind."""
        with self._flasher() as flasher:
            assert flasher.flash_size == FLASH_SIZE, "the recorded chip has 4 MB of flash"
            flasher.erase()
            if content:
                flasher.write([Region(offset=0, data=content, name="what lay there before")], force=True)
        self._content = content

    @contextmanager
    def _flasher(self) -> Iterator[Flasher]:
        assert self._scratch is not None, "live_limits keeps such probes away"
        if self._command:
            self._run_command()
        before = Before.NO_RESET if self._command else Before.DEFAULT_RESET
        try:
            with Flasher.open(self.port, Options(before=before, after=After.NO_RESET)) as flasher:
                yield flasher
        finally:
            self.port.close()
            self.port = self._scratch()

    def _run_command(self) -> None:
        subprocess.run(self._command, shell=True, check=True, timeout=60, stdout=subprocess.DEVNULL)

    def _banner(self) -> bytes:
        """Return what the chip says after a reset."""
        clock = self.port.clock
        limit = clock.now_ns() + ns(BOOT_S)
        heard = b""
        while clock.now_ns() < limit:
            wait = 0.03 if heard.endswith(READY) else max(self._silence_s, SILENCE_S)
            data = self.port.read(4096, min(limit, clock.now_ns() + ns(wait)))
            if not data:
                break
            heard += data
        return heard

    def _listen(self, expected: int, *, extra_s: float = 0.0, silence_s: float | None = None) -> bytes:
        """Return what comes until there is silence.

        Args:
            expected: Bytes to be patient for.
            extra_s: Time that the bytes just sent need on the wire.
            silence_s: How long nothing must come; the usual time if it is ``None``.
        """
        clock, heard = self.port.clock, bytearray()
        silence_s = self._silence_s if silence_s is None else silence_s
        while len(heard) < MOST:
            wait = silence_s if len(heard) >= expected else max(PATIENCE_S, silence_s)
            data = self.port.read(65536, clock.now_ns() + ns(wait + (0.0 if heard else extra_s)))
            if not data:
                break
            heard += data
        return bytes(heard)

    def _write(self, data: bytes) -> None:
        if opcodes([data]) & STUB_FLASH_OPS:
            self._content = None
        clock = self.port.clock
        self.port.write(data, clock.now_ns() + ns(PATIENCE_S + len(data) * 20 / BAUD))

    def _sleep(self, seconds: float) -> None:
        clock = self.port.clock
        clock.sleep_until(clock.now_ns() + ns(seconds))
