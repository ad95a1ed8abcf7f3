"""One conversation with a loader: commands out, answers in, and what to do when none comes.

A session clears the line before each command, so that a late answer is never taken for the next one's; it keeps what it heard,
since that is what a diagnosis is made of; and it can find back into step: wait for quiet, SYNC (which disturbs neither a stub
nor the ROM's block sequence, oracle fact 29), and, for a stub that a stray delimiter made deaf or made repeat old commands, one
single C0 (facts 64, 70).
Whether a command may be sent again is not decided here but by whoever knows what it does. All waiting is on the port's clock.
"""

from __future__ import annotations

import itertools

from flashcore.chips import MAGIC_REGISTER
from flashcore.errors import ChipResetError, DeadlineExceededError, DeviceError
from flashcore.loader import refusals, restarts
from flashcore.loader.line import Line
from flashcore.loader.progress import Recovery
from flashcore.port import NS_PER_S, ns
from flashcore.protocol import commands
from flashcore.protocol.exchange import Dialect, Refusal, Reply, SyncAnswer, sync_answer
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request
from flashcore.protocol.slip import END, encode

SYNC_WIRE = encode(commands.sync().pack())
"""SYNC as it travels."""


class Session(Line):
    """Commands and answers over one port; see `Line` for what it is made with."""

    # --- commands ---------------------------------------------------------------------------------------------------

    def command(
        self,
        request: Request,
        wait_s: float | None = None,
        *,
        also: Opcode | None = None,
        longest_s: float | None = None,
    ) -> Reply:
        """Send `request` once and return the answer.

        Args:
            request: What to send.
            wait_s: For the answer, in seconds, beyond the time the bytes need on the wire.
            also: Opcode of the last good command, under which a ROM refuses a command that it does not know.
            longest_s: How long to wait in all, in seconds, while the loader does not answer SYNC either and so may be busy.

        Raises:
            DeviceError: The loader refused.
            DeadlineExceededError: No answer came.
            ChipResetError: The chip restarted.
            PortLostError: The port vanished.
        """
        self.clear_input()
        wire = encode(request.pack())
        self.transmit(wire)
        wait = self.policy.command_s if wait_s is None else wait_s
        deadline = self.clock.now_ns() + ns(wait) + 2 * self.wire_ns(len(wire))
        try:
            return self.answer(request.opcode, deadline, also=also)
        except DeadlineExceededError as late:
            if longest_s is None or longest_s <= wait:
                raise
            return self._answer_of_busy(request.opcode, late, deadline + ns(longest_s - wait))

    def _answer_of_busy(self, opcode: int, late: DeadlineExceededError, until_ns: int) -> Reply:
        """Wait for the answer of a loader that may still be at work; one that answers SYNC is not, and has lost the answer."""
        pause, exchange = ns(self.policy.busy_first_s), self.exchange
        left = (until_ns - self.clock.now_ns()) // NS_PER_S
        self.emit(
            Recovery(cause="transfer.busy", text=f"{late.message}; the chip may still be at work: waiting up to {left} s")
        )
        while self.clock.now_ns() < until_ns:
            exchange.saw_sync = False
            self.transmit(SYNC_WIRE)
            deadline = min(until_ns, self.clock.now_ns() + pause)
            pause *= 2
            try:
                reply = self.answer(opcode, deadline, until_sync=True)
            except DeadlineExceededError:
                if exchange.saw_sync:
                    break
            else:
                self.resync()
                return reply
        raise late

    def answer(self, opcode: Opcode | int, deadline_ns: int, *, also: Opcode | None = None, until_sync: bool = False) -> Reply:
        """Return the answer to `opcode`, which has been sent; see `command` for `also`, give up at one to SYNC if `until_sync`.

        Raises:
            DeviceError: The loader refused.
            DeadlineExceededError: No answer came until `deadline_ns`.
            ChipResetError: The chip restarted.
        """
        exchange = self.exchange
        started = self.received
        while True:
            answer = exchange.next_answer(opcode, also=also)
            if answer is not None:
                break
            data = b"" if until_sync and exchange.saw_sync else self.receive(deadline_ns)
            if not data:
                raise refusals.timeout(opcode, self.received - started, exchange.heard)
            exchange.feed(data)
            if restarts.has_mark(self._recent, max(0, len(self._recent) - len(data) - restarts.OVERLAP)):
                self.check_banner()
        match answer:
            case Reply():
                return answer
            case Refusal(status, raw):
                raise refusals.refused(opcode, status, raw, self.dialect)

    def ask(self, request: Request, wait_s: float | None = None, *, also: Opcode | None = None) -> Reply:
        """Send `request`, which does no harm when carried out twice, until it is answered; see `command` for `also`.

        Raises:
            DeviceError: The loader refused for a reason that is not a damaged frame, or each time.
            DeadlineExceededError: No answer came to any of the tries.
            ChipResetError: The chip restarted.
        """
        for number in itertools.count(1):
            try:
                return self.command(request, wait_s, also=also)
            except (DeadlineExceededError, DeviceError) as failed:
                hopeless = isinstance(failed, DeviceError) and not refusals.may_be_damage(failed.status)
                if number >= self.policy.ask_tries or hopeless:
                    raise
            self.resync()
            # Not in step with whatever disturbs the line at regular times.
            self.clock.sleep_until(self.clock.now_ns() + number * ns(self.policy.retry_shift_s))
        raise AssertionError("the last try returns or raises")

    def next_frame(self, wait_s: float) -> bytes:
        """Return the next frame's packet, whatever it is.

        Raises:
            DeadlineExceededError: None came.
        """
        deadline = self.clock.now_ns() + ns(wait_s)
        while (frame := self.exchange.next_frame()) is None:
            data = self.receive(deadline)
            if not data:
                raise DeadlineExceededError(f"no frame within {wait_s:g} s", heard=self.exchange.heard[-256:])
            self.exchange.feed(data)
        return frame

    # --- staying in step --------------------------------------------------------------------------------------------

    def sync_once(self, wait_s: float) -> SyncAnswer | None:
        """Send one SYNC and return the first valid answer, or ``None`` if there is none in time."""
        self.exchange.forget()
        self.transmit(SYNC_WIRE)
        deadline = self.clock.now_ns() + ns(wait_s + self.lag_s) + 2 * self.wire_ns(len(SYNC_WIRE))
        while data := self.receive(deadline):
            self.exchange.feed(data)
            while (frame := self.exchange.next_frame()) is not None:
                answer = sync_answer(frame)
                if answer is not None:
                    return answer
        return None

    def resync(self) -> None:
        """Find back into step with the loader after something went wrong.

        Raises:
            DeadlineExceededError: Nothing answers any more.
            ChipResetError: The chip restarted, or the ROM answers where a stub was running.
        """
        self.drain()
        self.check_banner()
        out_of_step = False
        for number, wait in enumerate(self.policy.resync_s):
            if out_of_step or (number >= 2 and number % 2 == 0):
                self.port.write(END, self.clock.now_ns() + ns(self.policy.write_s))
                self.drain()
            answer = self.sync_once(wait)
            if answer is not None:
                self.drain()
                if answer.dialect is not self.dialect:
                    raise ChipResetError(
                        "the stub is gone: the ROM loader answers in its place"
                        if answer.dialect is Dialect.ROM
                        else "a stub answers where the ROM loader was expected",
                        hint="the chip restarted on its own: check cable and power supply",
                    )
                out_of_step = not self.in_step()
                if not out_of_step:
                    return
            self.check_banner()
        raise DeadlineExceededError(
            f"the loader fell silent: {len(self.policy.resync_s)} SYNCs are unanswered",
            heard=self.recent[-256:],
            code="transfer.fell_silent",
            hint="reset the chip and try again; if it stays so, try a lower baud rate, another cable or another USB port",
        )

    def in_step(self) -> bool:
        """Tell whether a stub answers what it is asked. The legacy stub out of step answers with its last two commands in turn.

        So three commands in a row are told by their opcodes alone, if the third is another than the first.

        Raises:
            ChipResetError: The chip restarted.
        """
        if self.dialect is Dialect.ROM:
            return True
        wait = self.policy.sync_s[1]
        try:
            for _ in range(2):
                self.command(commands.read_reg(MAGIC_REGISTER), wait)
        except (DeadlineExceededError, DeviceError):
            return False
        answered = self.sync_once(wait) is not None
        self.drain()
        return answered

    def require_step(self) -> None:
        """Make sure that the answers so far were to what was asked.

        Raises:
            DeadlineExceededError: They need not be.
            ChipResetError: The chip restarted.
        """
        if not self.in_step():
            raise DeadlineExceededError(
                "the stub answers commands that are not those it is sent",
                heard=self.exchange.heard[-256:],
                code="transfer.out_of_step",
            )
