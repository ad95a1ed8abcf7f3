"""The ports of a simulated computer as files: a folder with a symbolic link per port, named as the port and leading to a pty.

When a device leaves, its ptys are closed, which a client that has one open sees as it sees a pulled cable, and their names
vanish; when it comes back there are new ptys under the names that the ports have then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from simulator.board.board import HostClose, HostEvent, HostOpen
from simulator.host.unit import PortNode
from simulator.host.virtual_host import VirtualHost
from simulator.links.doorway import Doorway
from simulator.links.lines import LineServer
from simulator.links.pty import PtyLink


class PortFile:
    """One port's side of a pump: a pty while the port is there, with its name in the folder.

    Args:
        node: The port.
        folder: Where the name goes.
        changed: Called when the file has come or gone.
        lines: What answers for DTR and RTS of the first pty; ``None`` for a port without.
    """

    def __init__(self, node: PortNode, folder: Path, changed: Callable[[], None], lines: LineServer | None = None) -> None:
        self._node = node
        self._changed = changed
        self._folder = folder
        self._lines = lines
        self._pty: PtyLink | None = None
        self._open = False
        self.path = ""
        """What a client opens; empty while the port is not there."""
        if self._there:
            self._appear()

    def close(self) -> None:
        """Remove the port. Closing twice is harmless."""
        if self._pty is not None:
            self._vanish()
        elif self._lines is not None:
            self._lines.close()
            self._lines = None

    @property
    def pty_path(self) -> str:
        """The pty behind the name; empty while the port is not there."""
        return self._pty.path if self._pty is not None else ""

    @property
    def data_descriptor(self) -> int | None:
        """The pty's master, while there is one."""
        return self._pty.data_descriptor if self._pty is not None else None

    @property
    def other_descriptors(self) -> Sequence[int]:
        """Where the client's coming and going is told."""
        return self._pty.other_descriptors if self._pty is not None else ()

    @property
    def pending(self) -> int:
        """None: what the kernel does not take stays with the pump."""
        return 0

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return what the client has done since, in order; a pty is closed and another one opened in different polls."""
        if self._pty is None:
            if self._there:
                self._appear()
            return []
        if not self._there:
            self._vanish()
            was_open, self._open = self._open, False
            return [HostClose()] if was_open else []
        events = self._pty.poll(take_bytes=take_bytes)
        for event in events:
            if isinstance(event, HostOpen | HostClose):
                self._open = isinstance(event, HostOpen)
        return events

    def send(self, data: bytes) -> int:
        """Hand bytes to the client; return how many were taken. They vanish with a port that has gone."""
        return self._pty.send(data) if self._pty is not None else len(data)

    @property
    def _there(self) -> bool:
        return self._node.unit.present and self._node.listed

    def _appear(self) -> None:
        lines, self._lines = self._lines, None
        self._pty = PtyLink(lines)
        path = self._folder / os.path.basename(self._node.name)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.symlink_to(self._pty.path)
        self.path = str(path)
        self._changed()

    def _vanish(self) -> None:
        if self._pty is not None:
            path = Path(self.path)
            # Another port may have taken the name meanwhile.
            with contextlib.suppress(OSError):
                if os.readlink(path) == self._pty.path:
                    path.unlink()
            self._pty.close()
            self._pty = None
        self.path = ""
        self._changed()


class PortFolder:
    """All ports of a computer as files. Close it, or use it as a context manager.

    Args:
        host: The computer.
        folder: For the names; it is made.
        lines: Whether the ptys that are there at the start answer for DTR and RTS.
    """

    def __init__(self, host: VirtualHost, folder: Path, *, lines: bool = False) -> None:
        self._folder = folder
        self.sockets: dict[str, str] = {}
        """By the path of each pty the socket that answers for its lines."""
        self.on_change: list[Callable[[], None]] = []
        """Called each time that a file has come or gone."""
        folder.mkdir()
        self.ports: list[tuple[Doorway, PortFile]] = []
        """Each port with the device that a pump serves there, in the order of the devices."""
        with contextlib.ExitStack() as undo:
            for unit in host.units:
                for node in unit.nodes:
                    server = LineServer(unit.device.adapter.spec) if lines and unit.present else None
                    file = PortFile(node, folder, self._changed, server)
                    undo.callback(file.close)
                    self.ports.append((Doorway(host, node), file))
                    if server is not None:
                        self.sockets[file.pty_path] = server.path
            self._files = undo.pop_all()

    def __enter__(self) -> PortFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove all ports. Closing twice is harmless."""
        self._files.close()

    def _changed(self) -> None:
        for call in self.on_change:
            call()

    def path_of(self, name: str) -> str:
        """Return the file that has the port's name, whether it is there now or not."""
        return str(self._folder / os.path.basename(name)) if name else ""
