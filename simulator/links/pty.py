"""A pseudo-terminal as the client's side: for every program that opens a serial port by its path.

The client's baud rate is read from the master at each batch of bytes, custom rates too. A pty has no modem lines, but a
`simulator.links.lines.LineServer` may answer for them. What the device sends while nobody has the port open is dropped, as a
driver does, so the client's coming and going is watched (inotify).
Our own descriptor of the client's end stays open, so that settings survive between clients and the master never reads an error.
Source: docs/sources.md, Pseudo-terminals.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
import termios
import tty
from collections.abc import Sequence

from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostOpen
from simulator.links.lines import LineServer
from simulator.links.presence import Presence

CHUNK = 65536
"""Bytes read at once; more than a pty buffers."""

_BATCH = 8
"""Reads that are taken together."""

_DRAINING = 16
"""Reads before a change of the lines is taken, at most; a pty is empty after a few, unless another thread keeps writing."""

_TCGETS2 = 0x802C542A
_TERMIOS2 = struct.Struct("4I20s2I")
_SPEEDS = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[0] == "B" and name[1:].isdecimal()}


class PtyLink:
    """A pseudo-terminal. Close it, or use it as a context manager.

    Args:
        lines: What answers for DTR and RTS; ``None`` for a port without. It is closed with the port.

    Raises:
        OSError: The system has none left.
    """

    def __init__(self, lines: LineServer | None = None) -> None:
        self._lines = lines
        self._open_files = contextlib.ExitStack()
        if lines is not None:
            self._open_files.callback(lines.close)
        try:
            self._master, self._slave = os.openpty()
            self._open_files.callback(os.close, self._master)
            self._open_files.callback(os.close, self._slave)
            tty.setraw(self._slave, termios.TCSANOW)
            if lines is not None:
                _set_hang_up(self._slave)
            os.set_blocking(self._master, False)
            self.path = os.ttyname(self._slave)
            """What the client opens."""
            self._presence = self._open_files.enter_context(Presence(self.path))
        except BaseException:
            self._open_files.close()
            raise
        self._users = 0
        self._baud = 0

    def __enter__(self) -> PtyLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the port; a client that has it open sees it vanish. Closing twice is harmless."""
        self._open_files.close()

    @property
    def data_descriptor(self) -> int:
        """The master."""
        return self._master

    @property
    def other_descriptors(self) -> Sequence[int]:
        """Where the watch on the client's end reports, and where clients ask for the modem lines."""
        return (*self._presence.descriptors, *(self._lines.descriptors if self._lines is not None else ()))

    @property
    def pending(self) -> int:
        """None: what the kernel does not take stays with the pump."""
        return 0

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return what the client has done since, in order."""
        events: list[HostEvent] = []
        # Whoever asks has opened the port before, so who came must be looked up after who asks.
        asked = self._lines is not None and self._lines.asked()
        opened, closed = self._presence.changes()
        before = self._users
        self._users += opened
        if not before and self._users:
            # Bytes on their way through the kernel when the last client left escaped the flush of that moment.
            termios.tcflush(self._slave, termios.TCIFLUSH)
            events.append(HostOpen())
            if self._lines is not None:
                events += self._lines.opened()
        if take_bytes or closed:
            # All that was written before the lines changed is here by now, and goes first.
            for _ in range(_DRAINING if asked else 1):
                data = self._read()
                if data or self._users:
                    self._follow_baud(events)
                if not data:
                    break
                events.append(HostBytes(data))
            if self._lines is not None:
                events += self._lines.answer()
        elif self._users:
            self._follow_baud(events)
        self._users = max(0, self._users - closed)
        if closed and not self._users:
            termios.tcflush(self._slave, termios.TCIFLUSH)
            if self._lines is not None:
                events += self._lines.closed(hang_up=_hangs_up(self._slave))
            events.append(HostClose())
        return events

    def send(self, data: bytes) -> int:
        """Hand bytes to the client; return how many were taken."""
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0

    def _read(self) -> bytes:
        # The kernel gives 4 KiB at most and has the next ones ready a moment later; a batch costs us less than its parts.
        parts: list[bytes] = []
        with contextlib.suppress(BlockingIOError):
            while len(parts) < _BATCH:
                parts.append(os.read(self._master, CHUNK))
        return b"".join(parts)

    def _follow_baud(self, events: list[HostEvent]) -> None:
        baud = _baud(self._master, self._slave)
        if baud != self._baud:
            self._baud = baud
            events.append(HostBaud(baud))


def _set_hang_up(slave: int) -> None:
    """Let the settings ask for the lines to be released by the last close, as those of real serial ports do."""
    settings = termios.tcgetattr(slave)
    settings[2] |= termios.HUPCL
    termios.tcsetattr(slave, termios.TCSANOW, settings)


def _hangs_up(slave: int) -> bool:
    return bool(termios.tcgetattr(slave)[2] & termios.HUPCL)


def _baud(master: int, slave: int) -> int:
    """Return the client's rate."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            settings = fcntl.ioctl(master, _TCGETS2, bytes(_TERMIOS2.size))
            return int(_TERMIOS2.unpack(settings)[-1])
    speed = int(termios.tcgetattr(slave)[5])
    return _SPEEDS.get(speed, speed)
