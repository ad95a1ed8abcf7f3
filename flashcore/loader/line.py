"""The bytes of a session: out in bursts that the link bears, in with a record of what was heard.

What a line carries besides answers decides much: the banner of a chip that restarts, the panic of a stub, the talk of a
firmware. So everything that comes is kept for a while, and looked through for such words. All waiting is on the port's clock.
"""

from __future__ import annotations

from flashcore.errors import PortLostError
from flashcore.host import ReturningPort
from flashcore.loader import restarts
from flashcore.loader.link import LinkProfile
from flashcore.loader.policy import DEFAULT_POLICY, ROM_BAUDRATE, Policy
from flashcore.loader.progress import Finding, OnEvent, ignore
from flashcore.port import NS_PER_S, Port, ns
from flashcore.protocol.exchange import Dialect, Exchange, sync_answer

READ_SIZE = 0x10000
"""Most bytes taken from the port at once."""
RECENT_LIMIT = 0x10000
"""How many of the last received bytes are kept for a diagnosis."""
_BITS_PER_BYTE = 10

CHANGED_OVER = "port.changed_over"
"""Code of the error that says that the port is another one now."""


class Line:
    """The bytes of one session, both ways.

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
        allowed = ns(self.policy.write_s) + 2 * self.wire_ns(len(wire))
        if burst is None or len(wire) <= burst:
            port.write(wire, clock.now_ns() + allowed)
            return
        pause = ns(self.link.pause_s)
        for start in range(0, len(wire), burst):
            piece = wire[start : start + burst]
            port.write(piece, clock.now_ns() + allowed)
            clock.sleep_until(clock.now_ns() + pause + self.wire_ns(len(piece)))

    def wire_ns(self, size: int) -> int:
        """Return how long `size` bytes take on the wire at the present rate, in nanoseconds."""
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
            self.check_banner()
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

    def drain_text(self) -> None:
        """Let the rest of a boot text come in."""
        limit = self.clock.now_ns() + ns(self.policy.quiet_s)
        while self.receive(limit):
            pass

    def check_banner(self) -> None:
        """Look for the words of a chip that restarts or crashes among what was heard.

        Raises:
            ChipResetError: They are there.
        """
        if not restarts.has_mark(self._recent):
            return
        self.drain_text()
        error = restarts.error(self.recent)
        if error is None:
            return
        self.clear_recent()
        raise error

    # --- what the line bears ----------------------------------------------------------------------------------------

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
        if not self.link.paced and isinstance(self.port, ReturningPort) and self.port.change_over():
            self.link = LinkProfile()
            text = f"{old} damages long writes; the work goes on through {self.port.name}, which leads to the same board"
            self.found("link.changed_over", text)
            raise PortLostError(text, code=CHANGED_OVER)
        self.link.pace(self.policy.burst_bytes, self.policy.burst_pause_s)

    def report_pacing(self) -> None:
        """Record why the link is paced, once it is known that this helps."""
        if self.link.paced:
            self.found("link.damages_long_writes", self.link.advice(self.port.name))
