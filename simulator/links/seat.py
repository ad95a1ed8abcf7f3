"""A listening socket with one seat: one client at a time, as a serial port has.

Who comes while the seat is taken is accepted and closed at once, so that it learns that the port is in use, unless the present
client has hung up already and only its last bytes are unread: then it is taken leave of first. A client may vanish at any
moment, on a write too; it is always seen going exactly once. What the kernel keeps for a client that does not read, and what
it takes from one that we do not read, is bounded; connections whose other machine has died are found by keep-alive probes.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from flashcore.errors import FlashcoreError
from simulator.board.board import HostBytes, HostClose, HostEvent, HostOpen

LOOPBACK = "127.0.0.1"
"""Where nobody but this machine can connect."""

CHUNK = 16384
"""Bytes read at once: little enough that not much is on its way when a client vanishes, and the next one does not wait long."""

KEPT = 1 << 17
"""Bytes that the kernel keeps in either direction (Linux doubles it for its own needs)."""

_QUEUE = 16
_PROBES = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Args:
        host: Name or address of an interface; empty for all of them.
        port: TCP port; 0 for any that is free.
    """

    host: str = LOOPBACK
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Address:
        """Return what ``HOST``, ``HOST:PORT``, ``[IPV6]`` or ``[IPV6]:PORT`` means.

        Raises:
            ValueError: It cannot be read, or the port is none. An empty text is no address either: it would be all interfaces,
                and is what an unset variable of a shell leaves.
        """
        if not text.strip():
            raise ValueError(f"{text!r}: expected HOST or HOST:PORT; 0.0.0.0 is all interfaces")
        if text.startswith("["):
            host, closed, rest = text[1:].partition("]")
            if not closed or rest[:1] not in ("", ":"):
                raise ValueError(f"{text!r}: expected [IPV6] or [IPV6]:PORT")
            port = rest[1:]
        elif text.count(":") > 1:
            host, port = text, ""
        else:
            host, _, port = text.partition(":")
        if port and not (port.isascii() and port.isdecimal() and int(port) < 65536):
            raise ValueError(f"{text!r}: {port!r} is not a TCP port from 0 to 65535")
        return cls(host, int(port or 0))

    def behind(self, count: int) -> Address:
        """Return the address `count` ports further on; any port stays any port."""
        return Address(self.host, self.port + count if self.port else 0)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Seat:
    """A listening socket for one client. Close it, or use it as a context manager.

    Args:
        address: Where to listen.

    Raises:
        FlashcoreError: It is not possible to listen there.
    """

    def __init__(self, address: Address) -> None:
        self.refused = 0
        """How many clients came while another one was there."""
        self._client: socket.socket | None = None
        self._lost = False
        try:
            self._listener = _listen(address)
        except (OSError, OverflowError) as error:
            raise cannot_listen(address, error) from error
        host, port = self._listener.getsockname()[:2]
        self.address = Address(host, port)
        """Where the socket really listens."""

    @property
    def reachable(self) -> Address:
        """Where a client on this machine connects to."""
        host = {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.address.host, self.address.host)
        return Address(host, self.address.port)

    def close(self) -> None:
        """Listen no more; a client that is there sees the connection end. Closing twice is harmless."""
        self._listener.close()
        if self._client is not None:
            self._client.close()
            self._client = None

    @property
    def doorbell(self) -> int:
        """Descriptor that becomes readable when somebody comes."""
        return self._listener.fileno()

    @property
    def descriptor(self) -> int | None:
        """Descriptor of the client's connection, ``None`` while there is none."""
        return None if self._client is None else self._client.fileno()

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return who came, what was said and who went, in order; without waiting."""
        events: list[HostEvent] = []
        newcomer = self._accept()
        if self._client is not None and (newcomer is not None or self._lost) and (self._lost or _hung_up(self._client)):
            # Whatever it said last is unread, and this is the last moment to read it.
            events += self._read()
            if self._client is not None:
                events.append(self._leave())
        if newcomer is not None:
            if self._client is None:
                self._client = newcomer
                events.append(HostOpen())
            else:
                self.refused += 1
                newcomer.close()
        if take_bytes and self._client is not None:
            events += self._read()
        return events

    def send(self, data: bytes) -> int:
        """Hand bytes to the client; return how many were taken. They vanish with a client that has gone."""
        if self._client is None or self._lost:
            return len(data)
        try:
            return self._client.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._lost = True
            return len(data)

    def _accept(self) -> socket.socket | None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # Nobody is there, or whoever was has gone again.
            return None
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _PROBES:
                if hasattr(socket, name):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        return connection

    def _read(self) -> list[HostEvent]:
        if self._client is None:
            return []
        try:
            data = self._client.recv(CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        return [HostBytes(data)] if data else [self._leave()]

    def _leave(self) -> HostClose:
        if self._client is not None:
            self._client.close()
        self._client = None
        self._lost = False
        return HostClose()


def cannot_listen(address: Address, error: Exception) -> FlashcoreError:
    """Return what to raise if `error` came of an attempt to listen on `address`."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return FlashcoreError(
        f"cannot listen on {address}: {reason}",
        hint="choose another address or port with --listen; port 0 takes any that is free",
        code="simulator.listen",
        context={"address": str(address)},
    )


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            listener.setsockopt(socket.SOL_SOCKET, option, KEPT)
        listener.bind((address.host, address.port))
        listener.listen(_QUEUE)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _hung_up(client: socket.socket) -> bool:
    """Tell whether the other side has closed, even if bytes from before that are unread where the system can tell."""
    if hasattr(select, "POLLRDHUP"):
        poller = select.poll()
        poller.register(client, _HUNG_UP)
        return bool(poller.poll(0))
    try:
        return not client.recv(1, socket.MSG_PEEK)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK)


class SeatedLink:
    """What every link with one seat for a client is to the pump, but for the bytes. Close it, or use it as a context manager.

    Args:
        address: Where to listen; on this machine only, by default.

    Raises:
        FlashcoreError: It is not possible to listen there.
    """

    def __init__(self, address: Address | None = None) -> None:
        self.seat = Seat(address or Address())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the port; a client that has it open sees it vanish. Closing twice is harmless."""
        self.seat.close()

    @property
    def data_descriptor(self) -> int | None:
        """The client's connection."""
        return self.seat.descriptor

    @property
    def other_descriptors(self) -> Sequence[int]:
        """Where clients knock."""
        return (self.seat.doorbell,)
