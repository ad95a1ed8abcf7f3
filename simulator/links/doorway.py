"""One port of a simulated computer as a device that links can serve: whoever opens the link opens the port.

A file cannot be refused to a client as a system refuses a port, so a port that is busy or denied opens and stays silent.
"""

from __future__ import annotations

from flashcore.errors import PortError
from simulator.board.adapter import SerialAdapter
from simulator.board.board import HostClose, HostEvent, HostOpen
from simulator.host.handle import Handle
from simulator.host.unit import PortNode
from simulator.host.virtual_host import VirtualHost
from simulator.kernel import Kernel


class Doorway:
    """A port that is attached to while a client has its link open.

    Args:
        host: The computer.
        node: The port.
    """

    def __init__(self, host: VirtualHost, node: PortNode) -> None:
        self._host = host
        self._node = node
        self._device = node.unit.device
        self._handle: Handle | None = None

    @property
    def kernel(self) -> Kernel:
        """The world's time."""
        return self._device.kernel

    @property
    def adapter(self) -> SerialAdapter:
        """The adapter behind the port."""
        return self._device.adapter

    def submit(self, event: HostEvent) -> int:
        """Let the client do something; return when its call comes back, in nanoseconds."""
        if isinstance(event, HostOpen):
            return self._open(event)
        handle = self._handle
        if handle is None:
            return self.kernel.now
        if isinstance(event, HostClose):
            self._handle = None
        elif handle.lost:
            return self.kernel.now
        try:
            return handle.submit(event)
        except PortError:
            return self.kernel.now

    def next_deadline(self, count: int = 1) -> int | None:
        """Return when something happens next, or ``None``."""
        handle = self._handle
        return self.kernel.next_deadline() if handle is None or handle.lost else self._device.next_deadline(count)

    def advance(self, to_ns: int) -> None:
        """Let time pass."""
        self._device.advance(to_ns)

    def drain(self, limit: int = 65536) -> bytes:
        """Return bytes that have reached the client."""
        handle = self._handle
        return b"" if handle is None or handle.lost else self._device.drain(limit)

    def _open(self, event: HostOpen) -> int:
        try:
            self._handle = self._host.attach(self._node.name, exclusive=False)
        except PortError:
            return self.kernel.now
        return self._handle.submit(event)
