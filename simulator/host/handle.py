"""A port that a program has open: the device behind it, for as long as it is there.

It has the four methods of a device, so a virtual port and pyserial's ``sim://`` use it like one. When the device is removed,
every use but closing raises, as every system call on such a port fails.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from simulator.board.adapter import SerialAdapter
from simulator.board.board import HostBaud, HostClose, HostEvent, HostLines
from simulator.host.refusals import error
from simulator.host.system import Os, Refusal
from simulator.host.unit import PortNode
from simulator.kernel import Kernel


class Handle:
    """An open port.

    Args:
        node: Which.
        os: The system, for its words.
        exclusive: Whether the program wants it for itself.
        advance: Lets time pass.
        shied: Called when DTR was asserted on a device that leaves then.
    """

    def __init__(
        self,
        node: PortNode,
        os: Os,
        *,
        exclusive: bool,
        advance: Callable[[int], None],
        shied: Callable[[], None],
    ) -> None:
        self.node = node
        self.name = node.name
        self.exclusive = exclusive
        self.lost = False
        """Whether the device is gone."""
        self.advance = advance
        self.announced: deque[int] = deque()
        """When bytes were announced that somebody else read, in nanoseconds."""
        self._os = os
        self.device = node.unit.device
        """What is behind it."""
        self._shied = shied

    @property
    def kernel(self) -> Kernel:
        """The world's time."""
        return self.device.kernel

    @property
    def adapter(self) -> SerialAdapter:
        """The adapter behind the port.

        Raises:
            PortLostError: The device is gone.
        """
        self._require()
        return self.device.adapter

    def submit(self, event: HostEvent) -> int:
        """Let the program do something; return when its call comes back, in nanoseconds.

        Raises:
            PortLostError: The device is gone.
            PortError: The driver refuses the settings.
        """
        if isinstance(event, HostClose):
            self.node.opened.remove(self)
            return self.kernel.now if self.lost else self.device.submit(event)
        self._require()
        if isinstance(event, HostBaud) and (refusal := self.node.refuses_settings()) is not None:
            raise error(refusal, self.name, self._os)
        done = self.device.submit(event)
        if isinstance(event, HostLines) and event.dtr and self.node.unit.shy:
            self._shied()
        return done

    def next_deadline(self, count: int = 1) -> int | None:
        """Return when something happens next, or ``None``; the host waits for `count` bytes."""
        self._require()
        upcoming = self.device.next_deadline(count)
        if not self.announced:
            return upcoming
        return self.announced[0] if upcoming is None else min(upcoming, self.announced[0])

    def drain(self, limit: int = 65536) -> bytes:
        """Return bytes that have reached the host.

        Raises:
            PortLostError: The device is gone.
            PortError: Somebody else was faster.
        """
        self._require()
        data = self.device.drain(limit)
        now = self.kernel.now
        while self.announced and self.announced[0] <= now:
            # A reader that was not waiting at that moment has noticed nothing.
            if self.announced.popleft() == now and not data:
                raise error(Refusal.SHARED, self.name, self._os)
        return data

    def lose(self) -> None:
        """The device is gone."""
        self.lost = True

    def abandon(self) -> None:
        """The program has ended: the lines go as the driver puts them, and the port is closed."""
        lines = self.device.adapter.spec.lines_on_close
        if lines is not None and not self.lost:
            self.advance(max(self.submit(HostLines(*lines)), self.kernel.now))
        self.submit(HostClose())

    def announce(self, at_ns: int) -> None:
        """At this moment bytes are there that somebody else will have read."""
        self.announced.append(at_ns)

    def _require(self) -> None:
        if self.lost:
            raise error(Refusal.GONE, self.name, self._os)
