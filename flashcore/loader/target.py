"""The chip at the other end of the port, and the way back to it when it is lost.

Bringing up is one sequence: connect, name the chip, start the stub, raise the baud rate, find the flash. The same sequence
brings back a chip that fell silent or restarted in the middle of the work; who was working then goes on from what the flash
really holds. Where one step fails the next lower one is tried: a stub that will not run leaves the ROM loader, a rate that
does not work leaves the old one, and each such step down is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flashcore.chips import ChipSpec
from flashcore.chips.esp32 import Crystal, crystal
from flashcore.errors import (
    ChipResetError,
    ConnectError,
    DeadlineExceededError,
    DeviceError,
    FlashcoreError,
    PortError,
    PortLostError,
    RemoteProtocolError,
    TransferError,
)
from flashcore.loader import baud, flash_chip, watchdog
from flashcore.loader.base import Loader
from flashcore.loader.bond import Bond, is_about_port
from flashcore.loader.connect import Before, Connection, connect
from flashcore.loader.identify import identify
from flashcore.loader.lessons import Lessons
from flashcore.loader.options import Options
from flashcore.loader.policy import ROM_BAUDRATE
from flashcore.loader.progress import BaudrateChanged, ChipFound, FlashFound, OnEvent, Recovery, ignore
from flashcore.loader.reset import Sequence
from flashcore.loader.rom import RomLoader
from flashcore.loader.session import Session
from flashcore.loader.stub import StubLoader
from flashcore.loader.stub_start import StubStarter
from flashcore.port import LineSupport, Port, ns
from flashcore.protocol.exchange import Dialect

RECOVERABLE = (DeadlineExceededError, DeviceError, ChipResetError, RemoteProtocolError, PortLostError)
"""What does not end a session at once."""

_BRING_UP_TRIES = 3

T = TypeVar("T")


class Target:
    """A chip that is talked to.

    Args:
        port: An open port.
        options: The user's choices.
        on_event: Receives progress and findings.
    """

    def __init__(self, port: Port, options: Options, on_event: OnEvent = ignore) -> None:
        self.session = Session(port, policy=options.policy, on_event=on_event)
        self.options = options
        self.policy = options.policy
        self.reconnects = 0
        self.is_up = False
        """Whether a loader was reached and not lost since."""
        self._loader: Loader | None = None
        self._flash_size: int | None = None
        self._jedec_id = 0
        self._crystal: Crystal | None = None
        self.strategy: Sequence | None = None
        """The reset sequence that worked last."""
        self._bond = Bond(self.session)
        self._stub = StubStarter(self.session, options)
        self.lessons = Lessons(self.session, options.baudrate)

    @property
    def loader(self) -> Loader:
        """The loader that answers now; another one after a reconnect."""
        assert self._loader is not None, "bring_up comes first"
        return self._loader

    @property
    def chip(self) -> ChipSpec:
        """The chip."""
        return self.loader.chip

    @property
    def can_reset(self) -> bool:
        """Whether the chip may be restarted by the port's lines."""
        return (
            self.options.before not in (Before.NO_RESET, Before.MANUAL)
            and self.session.port.line_support is not LineSupport.NONE
        )

    def bring_up(self) -> None:
        """Get a loader to answer, the best one that can be had.

        Raises:
            ConnectError: No loader answers, or it runs on another chip than expected.
            DeadlineExceededError: One answered SYNC and then nothing more.
            ChipResetError: The chip keeps restarting.
            PortError: The port cannot be used.
        """
        self.is_up = False
        left = _BRING_UP_TRIES
        greet = again = False
        while True:
            try:
                if again:
                    self._back_to_rom()
                self._bring_up_once(greet=greet)
                self.is_up = True
                return
            except (DeadlineExceededError, ChipResetError, PortLostError) as error:
                again, greet = True, False
                if is_about_port(error):
                    # A chip that is a USB device itself goes at each reset; what comes back waits in its loader.
                    greet = self._bond.bring_back(error)
                    continue
                left -= 1
                if not left or not self.can_reset:
                    raise
                self.session.emit(Recovery(cause=error.code, text=f"{error.message}; resetting the chip"))

    def _bring_up_once(self, *, greet: bool) -> None:
        connection = self._connect(greet=greet)
        chip = identify(self.session, self.options.chip)
        self.session.emit(ChipFound(chip=chip.name))
        if connection.dialect is Dialect.STUB:
            self._loader = StubLoader(self.session, chip)
        else:
            self._loader = RomLoader(self.session, chip)
            watchdog.disable(self._loader)
        self._bond.hold(self._loader)
        if connection.dialect is not Dialect.STUB:
            if self._stub.allowed or self.lessons.rate != self.session.port.baudrate:
                self.crystal()
            if self._stub.allowed:
                self._loader = self._stub.start(chip, self._reset_quietly if self.can_reset else None) or self._loader
        if self.lessons.rate != self.session.port.baudrate:
            self._raise_baudrate()
        self.lessons.report_rate()
        self._set_up_flash()

    def _connect(self, *, greet: bool = False) -> Connection:
        connection = connect(self.session, self.options.before, first=self.strategy, greet=greet)
        self.strategy = connection.strategy or self.strategy
        return connection

    def flash_size(self) -> int:
        """Return the size of the flash in bytes, making the loader ready to use it.

        Raises:
            TransferError: No flash chip answers.
        """
        if self._flash_size is None:
            jedec_id, size = self.insist_in_step(self._measure_flash)
            self._flash_size, self._jedec_id = size, jedec_id
            self.session.emit(FlashFound(jedec_id=jedec_id, size=size))
        return self._flash_size

    def _measure_flash(self, loader: Loader) -> tuple[int, int]:
        told = self.options.flash_size
        if told is not None:
            jedec_id, size = flash_chip.believe(loader, told), told
        else:
            jedec_id, size = flash_chip.find(loader)
        size = min(size, loader.chip.max_flash_size)
        loader.set_flash_size(size)
        return jedec_id, size

    def insist(self, question: Callable[[Loader], T]) -> T:
        """Return the answer to a question that may be asked again, getting the chip back in between where that is needed.

        Raises:
            DeviceError: The loader refuses each time.
            DeadlineExceededError: It gives no answer.
            TransferError: The chip does not come back.
        """
        for left in reversed(range(self.policy.ask_tries)):
            try:
                return question(self.loader)
            except RECOVERABLE as failure:
                if not left:
                    raise
                if left == 1 and self.loader.is_stub and self.can_reset and isinstance(failure, DeadlineExceededError):
                    # It answers SYNC and not this: what is left to try is the other loader.
                    self._stub.give_up(f"the stub does not give whole answers ({failure.message})")
                    self._reconnect(failure)
                else:
                    self.recover(failure)
        raise AssertionError("the last try returns or raises")

    def insist_in_step(self, question: Callable[[Loader], T]) -> T:
        """Return the answer to a question about registers, whose answers carry nothing that tells them from older ones.

        Raises:
            DeviceError: The loader refuses each time.
            DeadlineExceededError: It gives no answer.
            TransferError: The chip does not come back.
        """

        def asked(loader: Loader) -> T:
            answer = question(loader)
            self.session.require_step()
            return answer

        return self.insist(asked)

    def crystal(self) -> Crystal | None:
        """Return the crystal's frequency, or ``None`` where a stub met running has changed the clock that would tell.

        The ROM feeds the UART from the crystal, the newer stub does not: so this is asked before a stub starts, and at a low
        rate, whose divider is fine enough.

        Raises:
            DeadlineExceededError: No answer comes.
        """
        if self._crystal is None or not self._crystal.is_plausible:
            dividers = [self.loader.read_reg(self.chip.uart_clock_divider)]
            for _ in range(self.policy.ask_tries):
                # An answer to READ_REG carries no checksum over its value, so it is believed when it comes twice.
                dividers.append(self.loader.read_reg(self.chip.uart_clock_divider))
                if dividers[-1] == dividers[-2]:
                    break
            found = crystal(dividers[-1], self.session.port.baudrate)
            if found.is_plausible or not self.loader.is_stub:
                self._crystal = found
        return self._crystal

    def jedec_id(self) -> int:
        """Return the flash chip's id as 0xMMTTCC.

        Raises:
            TransferError: It does not answer.
        """
        self.flash_size()
        if not self._jedec_id:
            self._jedec_id = self.insist_in_step(flash_chip.jedec_id)
        return self._jedec_id

    def recover(self, cause: FlashcoreError) -> None:
        """Find back to the chip after `cause`: into step, or by a reset and everything that follows.

        Raises:
            TransferError: The chip does not come back.
            PortError: The port cannot be used any more, or leads to another board.
        """
        while is_about_port(cause):
            self._bond.bring_back(cause)
            try:
                self.session.resync()
                self._bond.hold(self.loader)
                self._set_up_flash()
            except (DeadlineExceededError, DeviceError, ChipResetError, PortLostError) as again:
                cause = again
            else:
                return
        if not isinstance(cause, ChipResetError):
            try:
                self.session.resync()
                self._set_up_flash()
            except PortLostError as lost:
                self.recover(lost)
                return
            except (DeadlineExceededError, ChipResetError) as lost:
                cause = lost
            else:
                return
        self._reconnect(cause)

    def _set_up_flash(self) -> None:
        """Tell the loader about the flash, once more if need be: a damaged command may have told it something else."""
        if self._flash_size is not None:
            self.loader.attach()
            self.loader.set_flash_size(self._flash_size)

    def _reconnect(self, cause: FlashcoreError) -> None:
        self.is_up = False
        if not self.can_reset or self.reconnects >= self.policy.reconnects:
            raise TransferError(cause.message, hint=cause.hint, code=cause.code, context=cause.context) from cause
        self.reconnects += 1
        stub = self._loader is not None and self._loader.is_stub
        if self.lessons.chip_lost(cause, stub=stub):
            self._stub.give_up(f"the stub does not keep running ({cause.message})")
        self.session.emit(Recovery(cause=cause.code, text=f"{cause.message}; resetting the chip"))
        try:
            self._back_to_rom()
            self.bring_up()
        except (ConnectError, DeadlineExceededError, ChipResetError) as failed:
            raise TransferError(
                f"{cause.message}; it could not be reached again: {failed.message}",
                hint=failed.hint or cause.hint,
                code=cause.code,
                context=cause.context,
            ) from failed
        self.session.found(
            "session.chip_restarted",
            f"the chip was lost in the middle of the work and had to be reset ({cause.message}): check cable and power supply",
        )

    def _back_to_rom(self) -> None:
        self.session.dialect = Dialect.ROM
        if self.session.port.baudrate != ROM_BAUDRATE:
            self.session.port.set_baudrate(ROM_BAUDRATE)

    def _reset_quietly(self) -> None:
        """Restart the chip into its ROM loader."""
        self._back_to_rom()
        self._connect()

    def _raise_baudrate(self) -> None:
        """Go to the rate that the user wants, or to the next lower one that works."""
        rate, old = self.lessons.rate, self.session.port.baudrate
        try:
            baud.change(self.loader, rate)
        except (*RECOVERABLE, PortError) as error:
            if is_about_port(error):
                raise
            self.lessons.lower_rate(rate, error)
            if not self.can_reset:
                if not baud.find(self.loader, rate, old):
                    raise TransferError(
                        f"at {rate} baud no answer is right ({error.message}), and this port cannot reset the chip",
                        hint="reset the chip into download mode by hand and try again with a lower --baud",
                        code="link.baudrate_too_high",
                        context={"baudrate": rate},
                    ) from error
                if self.session.port.baudrate == rate:
                    self._settle(old)
                return
            self._back_to_rom()
            self.bring_up()
        else:
            self._settle(rate)

    def _settle(self, rate: int) -> None:
        """Take `rate` for good, as far as is known."""
        port = self.session.port
        if port.baudrate != rate:
            self.loader.change_baudrate(rate, port.baudrate)
            port.set_baudrate(rate)
        self.session.link.damaged = 0
        self.session.emit(BaudrateChanged(baudrate=rate))

    def rest(self) -> None:
        """Let a weak supply recover."""
        if self.lessons.rest_s:
            self.session.clock.sleep_until(self.session.clock.now_ns() + ns(self.lessons.rest_s))

    def relieve(self, *, blame: bool = True) -> bool:
        """Make it easier for a link that keeps damaging what it carries: a lower rate, then short writes with pauses.

        Args:
            blame: Whether the rate is known to be at fault, so that a finding says so.

        Returns:
            Whether there was anything left to make easier.

        Raises:
            TransferError: The chip was lost on the way, and does not come back.
            PortError: The port cannot be used any more.
        """
        rate = self.session.port.baudrate
        if rate <= ROM_BAUDRATE:
            if self.session.link.paced:
                return False
            try:
                self.session.pace()
            except PortLostError as changed_over:
                self.recover(changed_over)
            return True
        damage = DeadlineExceededError("too many frames arrive broken", code="link.damage")
        self.lessons.lower_rate(rate, damage if blame else None)
        try:
            baud.change(self.loader, self.lessons.rate)
            self._settle(self.lessons.rate)
            self._set_up_flash()
        except RECOVERABLE as failed:
            if is_about_port(failed):
                self.recover(failed)
            else:
                self._reconnect(failed)
        self.lessons.report_rate()
        return True
