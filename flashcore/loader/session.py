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
from flashcore.errors import ChipResetError, DeadlineExceededError, DeviceError, PortLostError
from flashcore.host import ReturningPort
from flashcore.loader import refusals, restarts
from flashcore.loader.link import LinkProfile
from flashcore.loader.policy import DEFAULT_POLICY, ROM_BAUDRATE, Policy
from flashcore.loader.progress import Finding, OnEvent, ignore
from flashcore.port import NS_PER_S, Port, ns
from flashcore.protocol import commands
from flashcore.protocol.exchange import Dialect, Exchange, Refusal, Reply, SyncAnswer, sync_answer
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request
from flashcore.protocol.slip import END, encode

READ_SIZE = 0x10000
"""Most bytes taken from the port at once."""
RECENT_LIMIT = 0x10000
"""How many of the last received bytes are kept for a diagnosis."""
_BITS_PER_BYTE = 10


class Session:
    """Commands and answers over one port.

    Args:
        port: An open port.
        policy: Waits and tries.
        on_event: Receives findings and progress.
    """

    def __init__(self, port: Port, *, policy: Policy = DEFAULT_POLICY, on_event: OnEvent = ignore) -> None:
        self.port = port
        self.clock = port.clock
        self.policy = policy
        self.exchange = Exchange()
        self.link = LinkProfile()
        self.findings: list[Finding] = []
        self.emit: OnEvent = on_event
        self.received = 0
        """Bytes received since the last `clear_recent`."""
        self.lag_s = 0.0
        """How late the first answer to SYNC came, in seconds."""
        self._recent = bytearray()

    # --- what was heard ---------------------------------------------------------------------------------------------

    @property
    def dialect(self) -> Dialect:
        """Which loader is believed to answer."""
        return self.exchange.dialect

    @dialect.setter
    def dialect(self, dialect: Dialect) -> None:
        self.exchange.dialect = dialect

    @property
    def recent(self) -> bytes:
        """The last bytes received, as they came; at most `RECENT_LIMIT`."""
        return bytes(self._recent[-RECENT_LIMIT:])

    def clear_recent(self) -> None:
        """Start a new record of what is received."""
        self._recent.clear()
        self.received = 0

    def found(self, code: str, text: str) -> None:
        """Record a finding, once per code, and tell it."""
        if all(finding.code != code for finding in self.findings):
            finding = Finding(code=code, text=text)
            self.findings.append(finding)
            self.emit(finding)

    # --- bytes ------------------------------------------------------------------------------------------------------

    def receive(self, deadline_ns: int) -> bytes:
        """Return the next bytes, none at the deadline, and keep them among the recent ones."""
        data = self.port.read(READ_SIZE, deadline_ns)
        if data:
            self.received += len(data)
            recent = self._recent
            recent += data
            if len(recent) > 2 * RECENT_LIMIT:
                del recent[:-RECENT_LIMIT]
        return data

    def transmit(self, wire: bytes) -> None:
        """Hand `wire` to the port, cut into bursts where the link asks for that.

        Raises:
            DeadlineExceededError: The driver does not take it.
            PortLostError: The port vanished.
        """
        port, clock, burst = self.port, self.clock, self.link.max_burst
        allowed = ns(self.policy.write_s) + 2 * self._wire_ns(len(wire))
        if burst is None or len(wire) <= burst:
            port.write(wire, clock.now_ns() + allowed)
            return
        pause = ns(self.link.pause_s)
        for start in range(0, len(wire), burst):
            piece = wire[start : start + burst]
            port.write(piece, clock.now_ns() + allowed)
            clock.sleep_until(clock.now_ns() + pause + self._wire_ns(len(piece)))

    def _wire_ns(self, size: int) -> int:
        return size * _BITS_PER_BYTE * NS_PER_S // self.port.baudrate

    def clear_input(self) -> None:
        """Forget what has come in.

        Raises:
            ChipResetError: It was the text of a boot.
        """
        if self.receive(0):
            for _ in range(64):
                if not self.receive(0):
                    break
            self.port.discard_input()
            self._check_banner()
        self.exchange.forget()

    def drain(self) -> None:
        """Take in and forget what comes until the line is quiet, or for a while if it never is.

        Answers to SYNC are waited for longer, since each SYNC has eight of them and on a slow link they trickle in.
        """
        policy, clock, exchange = self.policy, self.clock, self.exchange
        quiet = ns(max(policy.quiet_s, min(2 * self.lag_s, policy.quiet_limit_s)))
        started = clock.now_ns()
        limit = started + ns(policy.quiet_limit_s)
        while clock.now_ns() < limit and (data := self.receive(clock.now_ns() + quiet)):
            exchange.feed(data)
            while (frame := exchange.next_frame()) is not None:
                if sync_answer(frame) is not None:
                    limit = min(started + ns(policy.trickle_s), clock.now_ns() + ns(policy.quiet_limit_s))
        exchange.forget()

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
        deadline = self.clock.now_ns() + ns(wait) + 2 * self._wire_ns(len(wire))
        try:
            return self.answer(request.opcode, deadline, also=also)
        except DeadlineExceededError as late:
            if longest_s is None or longest_s <= wait:
                raise
            return self._answer_of_busy(request.opcode, late, deadline + ns(longest_s - wait))

    def _answer_of_busy(self, opcode: int, late: DeadlineExceededError, until_ns: int) -> Reply:
        """Wait for the answer of a loader that may still be at work; one that answers SYNC is not, and has lost the answer."""
        pause, exchange = ns(self.policy.busy_first_s), self.exchange
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
                self._check_banner()
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
        deadline = self.clock.now_ns() + ns(wait_s + self.lag_s) + 2 * self._wire_ns(len(SYNC_WIRE))
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
        self._check_banner()
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
            self._check_banner()
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

    def damaged(self, length: int) -> None:
        """Note that a frame of `length` wire bytes arrived broken; too many of them, and the link is paced from now on.

        Above the usual rate the rate is the more likely cause, and is lowered first by who can do that.
        """
        if self.link.note_damage(length) >= self.policy.damage_limit and self.port.baudrate <= ROM_BAUDRATE:
            self.pace()

    def pace(self) -> None:
        """Cut writes into short bursts from now on, so that no driver sees a long one.

        Raises:
            PortLostError: There is another port to the same board; the work must be taken up again on that one, unpaced.
        """
        old = self.port.name
        if not self.link.paced and isinstance(self.port, ReturningPort) and self.port.change_over("link.damages_long_writes"):
            self.link = LinkProfile()
            text = f"{old} damages long writes; the work goes on through {self.port.name}, which leads to the same board"
            self.found("link.changed_over", text)
            raise PortLostError(text, code=CHANGED_OVER)
        self.link.pace(self.policy.burst_bytes, self.policy.burst_pause_s)

    def report_pacing(self) -> None:
        """Record why the link is paced, once it is known that this helps."""
        if self.link.paced:
            self.found("link.damages_long_writes", self.link.advice(self.port.name))

    def _check_banner(self) -> None:
        if not restarts.has_mark(self._recent):
            return
        self.drain_text()
        error = restarts.error(self.recent)
        if error is None:
            return
        self.clear_recent()
        raise error

    def drain_text(self) -> None:
        """Let the rest of a boot text come in."""
        limit = self.clock.now_ns() + ns(self.policy.quiet_s)
        while self.receive(limit):
            pass


CHANGED_OVER = "port.changed_over"
"""Code of the error that says that the port is another one now."""

SYNC_WIRE = encode(commands.sync().pack())
"""SYNC as it travels."""
