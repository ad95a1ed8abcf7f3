"""Real time: a device that follows the machine's clock, and a client that is another process.

The pump calls the same four methods of a device as a virtual port does, with the machine's clock in place of jumps. One loop
serves any number of devices and turns only to those whose time has come or whose client has done something. At pace ``max``
the device's clock runs ahead of the machine's, but only where somebody waits for it: while bytes for a client that takes them
are on their way, while a request has had no answer yet, and while the adapter's buffers are full. A board that chatters by
itself therefore keeps its rhythm at either pace.

After a change of the modem lines the device's clock waits a moment for the next one. A reset sequence is a race between the
time of a change and a capacitor of some hundred microseconds, which must not depend on how busy this machine is.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum, unique
from importlib import import_module
from pkgutil import walk_packages
from typing import Protocol

import simulator.chip
from flashcore.port import NS_PER_S
from simulator.board.board import Device, HostBytes, HostClose, HostDiscard, HostEvent, HostLines, HostOpen
from simulator.clock import monotonic_ns
from simulator.kernel import MS

BACKLOG = 65536
"""Bytes kept for a client that does not read; what comes beyond is lost, as in a driver. Fidelity: guessed (Linux's tty flip
buffers have this limit)."""

ANSWER_NS = 120 * NS_PER_S
"""How far ahead of the last request the clock may run at pace ``max``: a whole chip erase takes less."""

PATIENCE_S = 3600.0
"""Longest wait in one go; a driver that takes no more bytes is due in more seconds than a system's clock can hold."""

STRIDE = 4096
"""How many bytes at most are handed over at once at pace ``max``: enough to be cheap, few enough that the client has something
to do meanwhile."""

SETTLE_NS = 200 * MS
"""How long the device goes on when the client has ended, so that what it was told last is done."""

HOLD_NS = 20 * MS
"""How long the device's clock stands still after a change of the lines, unless the client does something else. No flasher's
sequence waits for less than 50 ms on purpose. Fidelity: guessed; only the adapter's own transfers lie between two changes."""

_LAST_WORDS = 1000
"""How often a client that has ended is still read from, should it have left somebody behind who never stops."""


@unique
class Pace(StrEnum):
    """How the device's clock relates to the machine's."""

    REAL = "real"
    """One second is one second."""
    MAX = "max"
    """Nobody waits for the device."""


class Link(Protocol):
    """The client's side of a pump."""

    @property
    def data_descriptor(self) -> int | None:
        """Descriptor on which the client's bytes come, and to which its bytes go; ``None`` while there is none."""
        ...

    @property
    def other_descriptors(self) -> Sequence[int]:
        """Descriptors that tell of the client's coming and going.

        No poll may close a descriptor and then open another under its number: the loop would not notice.
        """
        ...

    @property
    def pending(self) -> int:
        """How many bytes the link itself still has for the client; it hands them over when it is polled."""
        ...

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return what the client has done since, in order; without waiting.

        Args:
            take_bytes: Whether the device has room for bytes, and the client has taken most of its own.
        """
        ...

    def send(self, data: bytes) -> int:
        """Hand bytes to the client without waiting; return how many were taken."""
        ...


class Pump:
    """One device and its client.

    Args:
        device: The device.
        link: The client's side.
        pace: How fast the device's clock runs.
        clock: The machine's clock, in nanoseconds.
    """

    def __init__(self, device: Device, link: Link, *, pace: Pace = Pace.REAL, clock: Callable[[], int] = monotonic_ns) -> None:
        self.device = device
        self.link = link
        self.lost = 0
        """Bytes that were lost because the client did not read."""
        self._pace = pace
        self._clock = clock
        self._ahead_ns = device.kernel.now - clock()
        self._room_ns = 0
        self._asked_ns: int | None = None
        self._held_until = 0
        self._backlog = bytearray()

    def now_ns(self) -> int:
        """Return the device's time."""
        now = self.device.kernel.now
        return now if self._held_until and self._held_ns() else max(self._clock() + self._ahead_ns, now)

    def step(self) -> None:
        """Bring device and client up to date with each other."""
        device = self.device
        self._catch_up()
        for event in self.link.poll(take_bytes=self._reads()):
            self._submit(event)
        self._deliver()
        while self._pace is Pace.MAX and not self._held_ns():
            target = self._worth_waiting_for()
            if target is None:
                break
            self._ahead_ns += max(0, target - self.now_ns())
            device.advance(target)
            self._deliver()

    def wait_ns(self) -> int | None:
        """Return how long nothing happens unless the client does something, in nanoseconds; ``None`` is for ever."""
        held = self._held_ns()
        if held:
            return held
        due = [at for at in (self.device.next_deadline(), None if self._has_room() else self._room_ns) if at is not None]
        return max(0, min(due) - self._clock() - self._ahead_ns) if due else None

    def interests(self) -> dict[int, int]:
        """Return for each descriptor what to wait for, in the words of `selectors`."""
        wanted = dict.fromkeys(self.link.other_descriptors, selectors.EVENT_READ)
        descriptor = self.link.data_descriptor
        if descriptor is not None:
            reading = selectors.EVENT_READ if self._reads() else 0
            writing = selectors.EVENT_WRITE if self._backlog or self.link.pending else 0
            if reading | writing:
                wanted[descriptor] = reading | writing
        return wanted

    def settle(self) -> None:
        """Let the device do what it was told last, without waiting for the machine's clock."""
        device = self.device
        self._held_until = 0
        device.advance(self.now_ns())
        for _ in range(_LAST_WORDS):
            events = self.link.poll(take_bytes=True)
            if not events:
                break
            for event in events:
                self._submit(event)
        device.advance(max(device.kernel.now, device.adapter.sent_ns) + SETTLE_NS)

    def _catch_up(self) -> None:
        # One event at a time, so that an answer is with the client before the device works on.
        device, now = self.device, self.now_ns()
        while (upcoming := device.next_deadline()) is not None and upcoming <= now:
            device.advance(max(upcoming, device.kernel.now))
            self._deliver()
        device.advance(now)

    def _submit(self, event: HostEvent) -> None:
        if self._held_ns() and not isinstance(event, HostLines):
            self._held_until = 0
            self.device.advance(self.now_ns())
        done = self.device.submit(event)
        match event:
            case HostBytes():
                self._room_ns = done
                self._asked_ns = self.device.kernel.now
            case HostOpen() | HostClose():
                self._backlog.clear()
                self._asked_ns = None
                self._room_ns = min(self._room_ns, self.device.adapter.sent_ns)
            case HostDiscard():
                self._backlog.clear()
            case HostLines():
                self.device.advance(max(done, self.device.kernel.now))
                self._asked_ns = None
                self._held_until = self._clock() + HOLD_NS
            case _:
                self.device.advance(max(done, self.device.kernel.now))

    def _held_ns(self) -> int:
        """Return how long the device's clock is going to stand still, in nanoseconds of the machine's."""
        if not self._held_until:
            return 0
        left = self._held_until - self._clock()
        if left <= 0:
            self._held_until = 0
        return max(0, left)

    def _has_room(self) -> bool:
        return self._room_ns <= self.device.kernel.now or self._room_ns <= self.now_ns()

    def _reads(self) -> bool:
        return self._has_room() and self.link.pending <= BACKLOG

    def _deliver(self) -> None:
        data = self.device.drain()
        if data:
            self._asked_ns = None
        if self._backlog:
            self._keep(data)
            del self._backlog[: self.link.send(bytes(self._backlog))]
        elif data:
            taken = self.link.send(data)
            if taken < len(data):
                self._keep(data[taken:])

    def _keep(self, data: bytes) -> None:
        room = max(0, BACKLOG - len(self._backlog))
        self._backlog += data[:room]
        self.lost += max(0, len(data) - room)

    def _worth_waiting_for(self) -> int | None:
        """Return the moment to jump to, or ``None`` if nobody waits."""
        if self._backlog or self.link.pending:
            return None
        device = self.device
        arrival = device.adapter.complete_ns(STRIDE)
        if arrival is not None:
            return arrival
        event = device.kernel.next_deadline()
        if event is not None and self._asked_ns is not None and event - self._asked_ns <= ANSWER_NS:
            return event
        # A driver that takes no more at all is no reason to jump to the end of time.
        soon = not self._has_room() and self._room_ns - device.kernel.now <= ANSWER_NS
        return self._room_ns if soon else None


def load_all() -> None:
    """Import all that a chip may need later: loading it in the middle of a session would let the client wait."""
    for module in walk_packages(simulator.chip.__path__, "simulator.chip."):
        import_module(module.name)


def run(pumps: Sequence[Pump], *, stop: int | None = None, until_ns: int | None = None) -> bool:
    """Serve all clients until told to stop.

    Args:
        pumps: What is to be served.
        stop: Descriptor that becomes readable when it is time to stop.
        until_ns: When to stop at the latest, on the machine's monotonic clock.

    Returns:
        Whether `stop` said so, not the clock.
    """
    with selectors.DefaultSelector() as selector:
        if stop is not None:
            selector.register(stop, selectors.EVENT_READ)
        agenda = _Agenda(selector)
        ready: Iterable[Pump] = pumps
        while True:
            for pump in ready:
                pump.step()
                agenda.plan(pump)
            stopped, ready = agenda.wait(until_ns)
            if stopped:
                return True
            if until_ns is not None and monotonic_ns() >= until_ns:
                return False


class _Agenda:
    """Which pumps to turn to, and when.

    Args:
        selector: Waits for descriptors; one that belongs to no pump means the end.
    """

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._watched: dict[Pump, dict[int, int]] = {}
        self._due: dict[Pump, int] = {}

    def plan(self, pump: Pump) -> None:
        """Learn what `pump` waits for now."""
        wanted, watched = pump.interests(), self._watched.get(pump, {})
        if wanted != watched:
            for descriptor in watched.keys() - wanted.keys():
                self._selector.unregister(descriptor)
            for descriptor, events in wanted.items():
                if descriptor not in watched:
                    self._selector.register(descriptor, events, pump)
                elif events != watched[descriptor]:
                    self._selector.modify(descriptor, events, pump)
            self._watched[pump] = wanted
        wait = pump.wait_ns()
        if wait is None:
            self._due.pop(pump, None)
        else:
            self._due[pump] = monotonic_ns() + wait

    def wait(self, until_ns: int | None) -> tuple[bool, Iterable[Pump]]:
        """Wait for the next thing to happen; return whether it is the end, and the pumps to turn to."""
        moments = [*self._due.values(), *(() if until_ns is None else (until_ns,))]
        patience = min(max(0, min(moments) - monotonic_ns()) / NS_PER_S, PATIENCE_S) if moments else None
        keys = [key for key, _ in self._selector.select(patience)]
        now = monotonic_ns()
        ready: dict[Pump, None] = {key.data: None for key in keys if key.data is not None}
        ready.update((pump, None) for pump, at in self._due.items() if at <= now)
        return any(key.data is None for key in keys), ready
