"""The USB serial adapter: between what the host does and what the UART wires see.

Towards the chip, bytes written by the host leave at the host's baud rate behind what is still being sent. Towards the host,
bytes are handed over when the adapter's next USB packet is due, which is computed when the host looks, not simulated byte by
byte. Line changes cost one control transfer each and happen in order. At four points faults may tap the stream; a tap maps each
chunk to the chunks that go on.

An adapter whose flow control is always on moves RTS by itself (CP2102C): each burst from the chip, and closing the port,
asserts it for a moment. Behind two transistors that resets the chip, unless DTR is asserted too.

Fidelity: latencies and buffers from data sheets (see `simulator.board.bridge`), packet timing simplified to fixed intervals.
Flow control: from source that it happens (docs/sources.md, Bridges); that every burst does it, and for how long, is guessed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from simulator.board.bridge import BridgeSpec
from simulator.kernel import US, Kernel, S, Timer
from simulator.rng import Rng
from simulator.wire import Chunk, LineChange, Taps, as_received, byte_time, through

Observer = Callable[[str, bytes], None]
"""Called with the kind and the content of everything that happens."""

Signal = Callable[[], None]
"""Called when something has happened."""

CLOSING_WAIT_NS = 30 * S
"""How long a port may go on sending when it has been closed; if there is more to send, all of it is dropped. Fidelity: from
source (Linux's ``closing_wait``), simplified: Linux drops the rest only when that time has passed."""

TWITCH_NS = 10 * US
"""How long flow control asserts RTS. Fidelity: guessed; about a byte at the fastest rates. EN falls at once in this model."""


class FarEnd(Protocol):
    """What is wired to the adapter's UART pins and modem lines."""

    @property
    def baudrate(self) -> int:
        """The rate at which it listens, in baud."""
        ...

    def receive(self, chunk: Chunk) -> None:
        """Take bytes at the moment the last of them is complete."""
        ...

    def lines_changed(self, *, dtr: bool, rts: bool) -> None:
        """Learn that the modem lines have new levels; true is asserted."""
        ...


class SerialAdapter:
    """One adapter in use.

    Args:
        spec: Which one.
        kernel: Time.
        rng: Dice, for the stream ``bridge``.
        observe: Where events go.
    """

    def __init__(self, spec: BridgeSpec, kernel: Kernel, rng: Rng, observe: Observer) -> None:
        self.spec = spec
        self.taps = Taps()
        self.baudrate = 9600
        self.is_open = False
        self.opens = 0
        """How often the host has opened the port."""
        self.dtr = False
        self.rts = False
        self.blocked_ns = 0
        """Until when the driver takes no more from the host, whatever it has room for."""
        self.on_open: list[Signal] = []
        """Called when the host has opened the port."""
        self.on_close: list[Signal] = []
        """Called when the host closes the port, before what is on its way is dropped."""
        self.on_configure: list[Signal] = []
        """Called when the host sets the port's rate, be it to what it is."""
        self.on_unplug: list[Signal] = []
        """Called when the adapter is pulled; nobody but itself releases its lines then."""
        self.on_edge: list[Signal] = []
        """Called when the modem lines have changed."""
        self._plugged = 0
        """How often it has been pulled."""
        self._follows = False
        self._kernel = kernel
        self._observe = observe
        self._noise = rng.stream("bridge")
        self._far: FarEnd | None = None
        self._tx_free_ns = 0
        self._control_free_ns = 0
        self._outgoing: deque[Timer] = deque()
        self._incoming: deque[Chunk] = deque()

    def connect(self, far: FarEnd) -> None:
        """Wire `far` to the UART side."""
        self._far = far

    def open(self) -> None:
        """The host opens the port: what was received while it was closed is gone."""
        self._incoming.clear()
        self.is_open = True
        self.opens += 1
        self._observe("open", b"")
        for opened in self.on_open:
            opened()

    def close(self) -> None:
        """The host closes the port."""
        for closed in self.on_close:
            closed()
        self.is_open = False
        now = self._kernel.now
        if self._tx_free_ns > now + CLOSING_WAIT_NS:
            self._drop_outgoing()
        self._incoming.clear()
        self._observe("close", b"")
        if self.spec.flow_control:
            self._kernel.at(max(now, self._control_free_ns), self._twitch)

    def unplug(self) -> None:
        """The adapter is pulled: nothing that is on its way in either direction arrives, and the lines are released."""
        self.is_open = False
        self._drop_outgoing()
        self._incoming.clear()
        self._plugged += 1
        for pulled in self.on_unplug:
            pulled()
        self._control_free_ns = self._kernel.now
        self._observe("unplug", b"")
        self._lines_reach(False, False)

    def _drop_outgoing(self) -> None:
        self._tx_free_ns = self._kernel.now
        for timer in self._outgoing:
            timer.cancel()
        self._outgoing.clear()

    def set_baudrate(self, baudrate: int) -> None:
        """Change the rate of the UART side at once; 0 makes it that of whatever is wired there, from now on.

        What is above the adapter's fastest rate becomes that rate, and whoever asked is told nothing. Source: the Linux driver
        cp210x, which clamps the rate. Fidelity: from source for that one, guessed for the others.
        """
        self._follows = not baudrate
        self._use_rate(min(baudrate, self.spec.max_baud) or self.baudrate)
        for configured in self.on_configure:
            configured()

    def _use_rate(self, baudrate: int) -> None:
        if baudrate != self.baudrate:
            self.baudrate = baudrate
            self._observe("baud", b"%d" % baudrate)

    def set_lines(self, dtr: bool, rts: bool) -> int:
        """Change the modem lines by one control transfer.

        Returns:
            When the change takes effect, in nanoseconds.
        """
        done = max(self._kernel.now, self._control_free_ns) + self.spec.control_ns
        self._control_free_ns = done
        changes = [LineChange(done, dtr, rts)]
        for tap in self.taps.lines:
            changes = [result for item in changes for result in tap(item)]
        for change in changes:
            self._kernel.at(change.at_ns, partial(self._transferred, self._plugged, change.dtr, change.rts))
        return done

    def _transferred(self, plugged: int, dtr: bool, rts: bool) -> None:
        """A control transfer has arrived, unless the adapter was pulled meanwhile."""
        if plugged == self._plugged:
            self._lines_reach(dtr, rts)

    @property
    def incoming(self) -> bool:
        """Whether bytes are on their way to the host, or wait there to be read."""
        return bool(self._incoming)

    def _lines_reach(self, dtr: bool, rts: bool) -> None:
        if (dtr, rts) == (self.dtr, self.rts):
            return
        self.dtr, self.rts = dtr, rts
        for changed in self.on_edge:
            changed()
        self._observe("lines", b"dtr=%d rts=%d" % (dtr, rts))
        self._drive(dtr, rts)

    def _twitch(self) -> None:
        """Let flow control assert RTS for a moment."""
        if not self.rts:
            self._observe("flow", b"rts asserted by flow control, dtr=%d" % self.dtr)
            self._drive(self.dtr, True)
            self._kernel.after(TWITCH_NS, lambda: self._drive(self.dtr, self.rts))

    def _drive(self, dtr: bool, rts: bool) -> None:
        if self._far is not None and self.spec.has_lines:
            self._far.lines_changed(dtr=dtr, rts=rts)

    @property
    def sent_ns(self) -> int:
        """When the last bit written so far has left, in nanoseconds."""
        return self._tx_free_ns

    def write(self, data: bytes) -> int:
        """Send `data` towards the chip.

        Returns:
            When the host's write call returns: as soon as the rest fits into the buffers on the way.
        """
        now = self._kernel.now
        if self._follows and self._far is not None:
            self._use_rate(self._far.baudrate)
        self._observe("h2d", data)
        if self.blocked_ns > now:
            return self.blocked_ns
        taps = self.taps.host_to_bridge
        if taps:
            for item in through(taps, Chunk(data, now, 0, self.baudrate)):
                self._send(item.data, item.start_ns, item.baud)
        else:
            self._send(data, now, self.baudrate)
        return max(now, self.blocked_ns, self._tx_free_ns - self.spec.tx_buffer * byte_time(self.baudrate))

    def _send(self, data: bytes, at_ns: int, baud: int) -> None:
        if not data:
            return
        start = max(at_ns + self.spec.out_latency_ns, self._tx_free_ns)
        chunk = Chunk(data, start, byte_time(baud), baud)
        self._tx_free_ns = chunk.end_ns
        self.to_chip(chunk)

    def to_chip(self, chunk: Chunk) -> None:
        """Let a chunk travel to the chip."""
        taps = self.taps.bridge_to_chip
        outgoing = self._outgoing
        while outgoing and outgoing[0].at_ns <= self._kernel.now:
            outgoing.popleft()
        for sent in through(taps, chunk) if taps else (chunk,):
            for piece in sent.pieces():
                outgoing.append(self._kernel.at(piece.end_ns, partial(self._arrive, piece)))

    def _arrive(self, piece: Chunk) -> None:
        if self._far is not None:
            self._far.receive(piece)

    def from_chip(self, chunk: Chunk) -> None:
        """Take a chunk that the chip's UART begins to send."""
        if self._follows:
            self._use_rate(chunk.baud)
        if self.spec.flow_control and self.is_open:
            self._kernel.at(chunk.start_ns + chunk.byte_ns, self._twitch)
        taps = self.taps.chip_to_bridge
        for item in through(taps, chunk) if taps else (chunk,):
            data = as_received(item, self.baudrate, self._noise)
            self.to_host(item if data is item.data else item.with_data(data))

    def to_host(self, chunk: Chunk) -> None:
        """Let a chunk travel to the host, who gets it if the port is open."""
        taps = self.taps.bridge_to_host
        for item in through(taps, chunk) if taps else (chunk,):
            if item.data and self.is_open:
                self._incoming.append(item)
                self._observe("d2h", item.data)

    def cut(self) -> None:
        """The chip stopped in the middle of sending: bytes that are not complete yet never come."""
        now = self._kernel.now
        kept = [
            chunk.split(chunk.received_by(now))[0] if chunk.byte_ns and chunk.end_ns > now else chunk
            for chunk in self._incoming
        ]
        self._incoming = deque(chunk for chunk in kept if chunk.data)

    def discard_input(self) -> None:
        """The host throws away what it has received: everything that the adapter has handed over by now."""
        while self.drain(1 << 20):
            pass

    def _horizon(self) -> int:
        interval = self.spec.latency_ns
        return self._kernel.now // interval * interval if interval else self._kernel.now

    def in_waiting(self) -> int:
        """Return how many bytes the host could read now."""
        horizon = self._horizon()
        total = 0
        for chunk in self._incoming:
            if chunk.start_ns > horizon:
                break
            total += chunk.received_by(horizon)
        return total

    def drain(self, limit: int) -> bytes:
        """Return up to `limit` bytes that have reached the host by now."""
        incoming = self._incoming
        if not incoming:
            return b""
        horizon = self._horizon()
        parts: list[bytes] = []
        while incoming and limit:
            chunk = incoming[0]
            past = horizon - chunk.start_ns
            if past < chunk.byte_ns:
                break
            size = len(chunk.data)
            ready = min(past // chunk.byte_ns if chunk.byte_ns else size, size, limit)
            if ready == size:
                parts.append(chunk.data)
                incoming.popleft()
            else:
                parts.append(chunk.data[:ready])
                incoming[0] = chunk.behind(ready)
            limit -= ready
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def complete_ns(self, limit: int) -> int | None:
        """Return when the host will have all that is on its way, or `limit` bytes of it if that is earlier, or ``None``."""
        expected = 0
        for chunk in self._incoming:
            expected += len(chunk.data)
            if expected >= limit:
                break
        return self.arrival_ns(min(expected, limit)) if expected else None

    def arrival_ns(self, count: int = 1) -> int | None:
        """Return when the host will have `count` more bytes to read, as far as is known now, or ``None``."""
        interval = self.spec.latency_ns
        before = 0
        for chunk in self._incoming:
            size = len(chunk.data)
            if count <= size:
                # A chunk that a fault holds up holds up what is behind it.
                complete = max(before, chunk.start_ns + count * chunk.byte_ns)
                return -(-complete // interval) * interval if interval else complete
            before = max(before, chunk.end_ns)
            count -= size
        return None
