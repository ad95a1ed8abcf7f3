"""DTR and RTS of a pseudo-terminal: asked for over a socket by a library in the client's process.

The kernel gives a pty no modem lines, so the library of `simulator/preload/lines.c` turns the client's requests into packets:
one connection, one question, one answer each. The client waits for the answer, which makes the order certain: what it wrote
before lies in the pty by then, and what it writes next comes after. That the kernel itself asserts the lines when the port is
opened and releases them when it is closed (HUPCL) cannot be asked for, so it follows from the client's coming and going.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import tempfile
import termios
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from flashcore.errors import FlashcoreError
from simulator.board.board import HostLines
from simulator.board.bridge import BridgeSpec

_PACKET = struct.Struct("=2I")
_GET_COUNTERS = getattr(termios, "TIOCGICOUNT", 0x545D)
_WAITING = 64
"""Connections without a question that are kept; the client's library asks at once, so there is never more than one a thread."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A request of a client that waits for its answer."""

    connection: socket.socket
    request: int
    word: int


class LineServer:
    """Answers for the modem lines of one port. Close it, or use it as a context manager.

    Args:
        spec: The adapter, for what its driver does with the lines when the port is opened and closed.

    Raises:
        FlashcoreError: The socket cannot be made.
    """

    def __init__(self, spec: BridgeSpec) -> None:
        self._spec = spec
        self._dtr = False
        self._rts = False
        self._silent: deque[socket.socket] = deque()
        self._questions: deque[_Question] = deque()
        self._open_files = contextlib.ExitStack()
        try:
            folder = self._open_files.enter_context(tempfile.TemporaryDirectory(prefix="espsim-"))
            self.path = os.path.join(folder, "lines")
            """The socket; nobody but this user can reach it."""
            self._listener = self._open_files.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            self._listener.bind(self.path)
            self._listener.listen(_WAITING)
            self._listener.setblocking(False)
        except OSError as error:
            self._open_files.close()
            raise FlashcoreError(
                f"cannot make a socket for the modem lines: {error}",
                hint="the folder for temporary files must be writable, with a short name: TMPDIR=/tmp",
                code="simulator.lines",
            ) from error

    def __enter__(self) -> LineServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer no more; whoever waits for an answer finds a port without modem lines. Closing twice is harmless."""
        for connection in (*self._silent, *(question.connection for question in self._questions)):
            connection.close()
        self._silent.clear()
        self._questions.clear()
        self._open_files.close()

    @property
    def descriptors(self) -> Sequence[int]:
        """What becomes readable when a client asks."""
        return self._listener.fileno(), *(connection.fileno() for connection in self._silent)

    def asked(self) -> bool:
        """Take in what clients ask, without waiting; tell whether a question waits for its answer."""
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = self._listener.accept()
                connection.setblocking(False)
                self._silent.append(connection)
        for connection in list(self._silent):
            self._take(connection)
        while len(self._silent) > _WAITING:
            self._silent.popleft().close()
        return bool(self._questions)

    def answer(self) -> list[HostLines]:
        """Answer everything that was asked, in order; return the changes of the lines."""
        changes = []
        while self._questions:
            question = self._questions.popleft()
            present = termios.TIOCM_DTR * self._dtr | termios.TIOCM_RTS * self._rts
            error, word, wanted = 0, present, present
            match question.request:
                case termios.TIOCMSET:
                    wanted = question.word
                case termios.TIOCMBIS:
                    wanted = present | question.word
                case termios.TIOCMBIC:
                    wanted = present & ~question.word
                case termios.TIOCMGET:
                    pass
                case request if request == _GET_COUNTERS:
                    word = 0
                case _:
                    error = errno.ENOTTY
            if not error and question.request not in (termios.TIOCMGET, _GET_COUNTERS):
                changes.append(self._set(bool(wanted & termios.TIOCM_DTR), bool(wanted & termios.TIOCM_RTS)))
            with question.connection, contextlib.suppress(OSError):
                question.connection.send(_PACKET.pack(error, word))
        return changes

    def opened(self) -> list[HostLines]:
        """Return what the driver does with the lines when the first client opens the port."""
        wanted = self._spec.lines_on_open
        return [] if wanted is None else [self._set(*wanted)]

    def closed(self, *, hang_up: bool) -> list[HostLines]:
        """Return what the driver does with the lines when the last client has closed the port.

        Args:
            hang_up: Whether the port's settings ask for it (HUPCL).
        """
        wanted = self._spec.lines_on_close
        return [] if wanted is None or not hang_up else [self._set(*wanted)]

    def _set(self, dtr: bool, rts: bool) -> HostLines:
        self._dtr, self._rts = dtr, rts
        return HostLines(dtr, rts)

    def _take(self, connection: socket.socket) -> None:
        try:
            packet = connection.recv(_PACKET.size + 1)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        self._silent.remove(connection)
        if len(packet) == _PACKET.size:
            self._questions.append(_Question(connection, *_PACKET.unpack(packet)))
        else:
            connection.close()
