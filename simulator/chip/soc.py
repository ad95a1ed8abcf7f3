"""The chip as a whole: reset, straps, and the program that runs.

EN low stops everything. When EN rises the straps are sampled and the mask ROM starts: it prints its banner and either waits for
a host on the UART or boots from flash. A program may jump to another (ROM to stub, boot to firmware) or reset the chip.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, unique

from simulator.chip.assembly import assemble, board_registers
from simulator.chip.config import ChipConfig
from simulator.chip.flash_encryption import Readable, as_the_cpu_sees_it
from simulator.chip.gate import Gate
from simulator.chip.program import Dead, Program
from simulator.chip.rtc_control import RtcControl
from simulator.chip.uart import Uart
from simulator.kernel import Action, Kernel, Timer
from simulator.rng import Rng
from simulator.wire import Chunk, as_received


@unique
class ResetCause(IntEnum):
    """Why the chip started, as the ROM prints it. Source: oracle fact 1, ``rom_boot.json``."""

    POWERON_RESET = 0x1
    SW_RESET = 0x3
    RTCWDT_RTC_RESET = 0x10
    SW_CPU_RESET = 0xC
    RTCWDT_BROWN_OUT_RESET = 0xF


SYSTEM_RESETS = frozenset((ResetCause.POWERON_RESET, ResetCause.RTCWDT_RTC_RESET, ResetCause.RTCWDT_BROWN_OUT_RESET))
"""Resets after which the straps are sampled anew. Source: technical reference manual, system reset."""


class Soc:
    """One ESP32 with its flash.

    Args:
        config: Which one.
        kernel: Time.
        rng: Dice, for the streams ``chip.*``.
        start: Returns what the CPU runs first after each reset: the mask ROM's first part.
        transmit: Called with each chunk that UART0 sends.
        straps: Returns the strapping pins' levels when asked, as the ROM's strap value (0x13: boot from flash).
        note: Called with (kind, text) for everything worth recording: resets, modes, model gaps.
    """

    def __init__(
        self,
        config: ChipConfig,
        kernel: Kernel,
        rng: Rng,
        *,
        start: Callable[[Soc], Program],
        transmit: Callable[[Chunk], None],
        straps: Callable[[], int],
        note: Callable[[str, str], None],
    ) -> None:
        self.config = config
        self.kernel = kernel
        self.rng = rng
        self.note = note
        self.uart = Uart(kernel, transmit)
        self.strap = 0x13
        """Strap value as sampled at the last reset."""
        self.cause = ResetCause.POWERON_RESET
        """Why the chip last started."""
        parts = assemble(config, lambda: kernel.now)
        self.flash = parts.flash
        self.memory = parts.memory
        self.efuse = parts.efuse
        self.registers = parts.registers
        self.spi = parts.spi
        self._reset_vector = start
        self.rtc = RtcControl(
            parts.registers,
            kernel,
            by_software=lambda: self.reset(ResetCause.SW_RESET),
            by_watchdog=lambda: self.reset(ResetCause.RTCWDT_RTC_RESET),
            note=note,
        )
        self._straps = straps
        self._life = 0
        self._enabled = False
        self._noise = rng.stream("chip.uart")
        self.program: Program = Dead()
        """What runs now."""
        self.app_offset: int | None = None
        """Where in flash the app that runs lies; ``None`` while none runs."""
        self.boots = 0
        """How many times the chip has started."""
        self.gate: Gate | None = None
        """Asked by the loaders before each command; ``None`` lets all pass."""
        self.on_start: list[Callable[[], None]] = []
        """Called each time the chip starts, before anything runs."""
        self.keeps_straps: Callable[[], bool] | None = None
        """Whether a start after EN was low keeps the strap value of the one before."""
        self._doom: tuple[bytes, int | None] | None = None

    @property
    def boot_flash(self) -> Readable:
        """Flash content as the CPU sees it when it boots: decrypted if the eFuses say so."""
        return as_the_cpu_sees_it(self.flash, self.efuse)

    @property
    def enabled(self) -> bool:
        """Whether EN is high."""
        return self._enabled

    def set_enabled(self, level: bool) -> None:
        """Tell the chip that EN crossed its threshold."""
        if level == self._enabled:
            return
        self._enabled = level
        if level:
            self._start(ResetCause.POWERON_RESET)
        else:
            self._stop()
            self.note("chip", "EN low")

    def reset(self, cause: ResetCause) -> None:
        """Restart the chip from within: by software or a watchdog."""
        if self._enabled:
            self._stop()
            self._start(cause)

    def jump(self, program: Program) -> None:
        """Let `program` run from now on."""
        if self._doom is not None:
            (text, restart_ns), self._doom = self._doom, None
            self.crash(text, restart_ns)
            return
        self._life += 1
        self.app_offset = None
        self.program = program
        program.start()

    def doom(self, text: bytes, restart_ns: int | None) -> None:
        """Let the next program that is jumped to crash at once, see `crash`."""
        self._doom = text, restart_ns

    def crash(self, text: bytes, restart_ns: int | None) -> None:
        """Print `text` as a panic handler does and stop; start anew `restart_ns` later unless that is ``None``."""
        sent_ns = self.uart.send(text)
        self.die("crashed")
        if restart_ns is not None:
            self.after(sent_ns - self.kernel.now + restart_ns, lambda: self.reset(ResetCause.RTCWDT_RTC_RESET))

    def die(self, why: str) -> None:
        """Stop executing, without a word."""
        self.note("chip", f"dead: {why}")
        self.jump(Dead())

    def after(self, delay_ns: int, action: Action) -> Timer:
        """Run `action` in `delay_ns`, unless the program that is running now has ended by then."""
        life = self._life

        def run() -> None:
            if self._life == life:
                action()

        return self.kernel.after(delay_ns, run)

    def receive(self, chunk: Chunk) -> None:
        """Take bytes from the bridge, at the moment the last of them is complete."""
        if not self._enabled:
            return
        self.program.receive(chunk)

    def heard(self, chunk: Chunk) -> bytes:
        """Return what UART0 makes of `chunk` at its present rate."""
        return as_received(chunk, self.uart.line_baud, self._noise)

    def _stop(self) -> None:
        self._life += 1
        self.app_offset = None
        self.program = Dead()
        self._doom = None
        self.uart.reset()
        self.rtc.stop()

    def _start(self, cause: ResetCause) -> None:
        self.boots += 1
        self.cause = cause
        by_enable = cause is ResetCause.POWERON_RESET
        if cause in SYSTEM_RESETS and not (by_enable and self.keeps_straps is not None and self.keeps_straps()):
            self.strap = self._straps()
        if by_enable:
            self.memory.clear()
        self.efuse.reset()
        self.registers.reset(board_registers(self.config, self.efuse, strap=self.strap))
        self.spi.reset()
        self.spi.attached = not self.config.needs_attach
        self.note("chip", f"reset {cause.name} strap 0x{self.strap:02x}")
        for started in self.on_start:
            started()
        self.jump(self._reset_vector(self))
