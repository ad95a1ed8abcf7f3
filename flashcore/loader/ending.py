"""The end of a session: the chip restarted, what it says then, and the port given back.

A flasher that toggles a line and leaves cannot know whether the chip runs. So it listens: the ROM prints its banner after each
reset, and what it could not load. A chip that waits for a download again, or that never restarted and still answers as a
loader, is reset by its watchdog; where that does not help either, the user is told to press RESET. Listening also keeps the
port open while the boot log comes in, which some bridges need (catalogue row 52), and leaves the lines released in a known
order (row 53). What the chip says is a finding; it becomes an error only if the ROM refuses an image that was written here.
Source: fault catalogue rows 10, 15, 17, 52, 53, 61.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flashcore.errors import (
    DeadlineExceededError,
    DeviceError,
    FlashcoreError,
    ImageError,
    PortError,
    TransferError,
)
from flashcore.image import Region
from flashcore.loader import reset, watchdog
from flashcore.loader.connect import After
from flashcore.loader.policy import ROM_BAUDRATE
from flashcore.loader.progress import Closed
from flashcore.loader.target import Target
from flashcore.port import LineSupport, ns
from flashcore.protocol import boot_log

_IMAGE_MAGIC = 0xE9
_ROM_REFUSALS = ("invalid header", "csum err", "flash read err", "ets_main.c 371", "ets_main.c 384")
"""How the ROM says that it cannot start what lies at the boot loader's place. Source: ``rom_boot.json`` flashboot_*."""


@dataclass(slots=True)
class Ending:
    """How a session ends.

    Args:
        target: The chip.
        written: What was written to it.
    """

    target: Target
    written: Sequence[Region] = ()
    restarted: bool = False
    said: str = ""

    def run(self, *, restart: bool) -> FlashcoreError | None:
        """Restart the chip if that is wanted and possible, give the port back, and tell how it went.

        Args:
            restart: Whether the chip may be restarted.

        Returns:
            Why what was written cannot start, if the chip says so.
        """
        target, port = self.target, self.target.session.port
        wanted = restart and target.is_up and target.options.after is After.HARD_RESET
        heard = b""
        try:
            if wanted and port.line_support is not LineSupport.NONE:
                heard = self._restart()
        except (PortError, DeadlineExceededError):
            # What was written is in flash all the same; that nothing is heard any more is no error of the write.
            pass
        finally:
            port.close()
        problem = self._judge(heard)
        target.session.emit(Closed(reset=self.restarted, in_loader=target.is_up and not self.restarted, boot=self.said))
        return problem

    def _restart(self) -> bytes:
        target, port = self.target, self.target.session.port
        rate = port.baudrate
        if rate != ROM_BAUDRATE:
            port.set_baudrate(ROM_BAUDRATE)
        target.session.clear_recent()
        reset.run(port, reset.hard_reset(target.strategy), self._listen)
        self.restarted = True
        heard = self._hear_boot()
        if not target.options.boot_check or not self._is_in_loader(heard, rate):
            return heard
        self.restarted = False
        target.session.clear_recent()
        if self._restart_by_watchdog():
            heard = self._hear_boot()
            self.restarted = bool(heard) and not _waits(heard)
        if not self.restarted:
            target.session.found(
                "boot.stays_in_loader",
                "the chip did not leave its loader, neither by the reset line nor by its watchdog: press RESET",
            )
        else:
            target.session.found(
                "boot.needed_watchdog", "the reset line did not restart the chip into its firmware; its watchdog did"
            )
        return heard

    def _listen(self, until_ns: int) -> None:
        while self.target.session.receive(until_ns):
            pass

    def _hear_boot(self) -> bytes:
        """Return what the chip says after a reset; the longer, the more was done to its flash."""
        session, policy = self.target.session, self.target.policy
        clock = session.clock
        limit = policy.boot_check_s if self.written and self.target.options.boot_check else policy.boot_drain_s
        end = clock.now_ns() + ns(limit)
        while clock.now_ns() < end:
            came = session.receive(min(end, clock.now_ns() + ns(policy.boot_quiet_s)))
            if not came and session.received:
                break
        return session.recent

    def _is_in_loader(self, heard: bytes, rate: int) -> bool:
        """Tell whether the chip waits for a download, or never restarted."""
        session = self.target.session
        if heard:
            return _waits(heard)
        if rate != ROM_BAUDRATE:
            session.port.set_baudrate(rate)
        return session.sync_once(self.target.policy.sync_s[0]) is not None

    def _restart_by_watchdog(self) -> bool:
        target, session = self.target, self.target.session
        try:
            for wait in target.policy.sync_s:
                answer = session.sync_once(wait)
                if answer is not None:
                    break
            else:
                return False
            session.drain()
            session.dialect = answer.dialect
            session.clear_recent()
            watchdog.restart(target.loader)
        except (DeadlineExceededError, DeviceError, TransferError):
            return False
        if session.port.baudrate != ROM_BAUDRATE:
            session.port.set_baudrate(ROM_BAUDRATE)
        return True

    def _judge(self, heard: bytes) -> FlashcoreError | None:
        """Note what the boot log says, and tell of it after writes; return the error that it amounts to."""
        boots = boot_log.parse_all(heard)
        if not boots or not self.target.options.boot_check or not self.restarted:
            return None
        problem = next((text for boot in boots for text in boot.problems), "")
        if boot_log.is_brownout(heard):
            self.said = "brownout"
            self._found(
                "boot.brownout",
                "after the restart the chip's supply breaks down (brownout): use another cable, port or supply, and attach "
                "the antenna of a board with a radio",
            )
        elif problem:
            self.said = problem
            if self._wrote_bootloader() and problem.startswith(_ROM_REFUSALS):
                return ImageError(
                    f"what was written is in flash, but the chip cannot start it; it says: {problem}",
                    hint="the image is for another flash mode, frequency or chip, or needs further parts such as a partition "
                    "table: check files and addresses",
                    code="image.does_not_boot",
                    context={"said": problem},
                )
            self._found("boot.failed", f"after the restart the chip says: {problem}; {_advice(problem)}")
        elif len(boots) > _LOOP:
            self.said = "restarts"
            self._found("boot.restarts", f"the chip keeps restarting ({boots[-1].reset_name}): look at its log")
        elif boots[-1].entry is not None:
            self.said = "started"
        return None

    def _found(self, code: str, text: str) -> None:
        if self.written:
            self.target.session.found(code, text)

    def _wrote_bootloader(self) -> bool:
        place = self.target.chip.bootloader_offset
        return any(
            region.offset <= place < region.end and region.data[place - region.offset] == _IMAGE_MAGIC
            for region in self.written
        )


_LOOP = 2
"""More boots than this while listening are a loop."""


def _waits(heard: bytes) -> bool:
    report = boot_log.parse(heard)
    return report is not None and report.is_download_mode


def _advice(problem: str) -> str:
    if problem.startswith(_ROM_REFUSALS):
        return "there is no boot loader where it looks for one, or a damaged one"
    if "No bootable app" in problem:
        return "there is no app where the partition table says"
    return "look at its log"
