"""A WebSocket as the client's side: for web pages and Node, which reach the board through `simulator/web/serial.js`.

`simulator.links.web_port` says what the messages mean; this module carries them. The address holds a random token, without
which nobody gets in. A page is let in only from this machine, unless its origin was named: a token may leak, and any page
that a browser shows can reach the machine's own ports. One client at a time; the next one is told that the port is in use.
What a client can make us keep is bounded: when it does not read, or sends more than the device takes, we stop reading.
"""

from __future__ import annotations

import hmac
import os
import secrets
import selectors
import socket
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from flashcore.errors import ScenarioError
from simulator.board.board import HostEvent
from simulator.board.bridge import BridgeSpec
from simulator.links.web_port import WebPort

try:
    from websockets.exceptions import InvalidState
    from websockets.frames import CloseCode, Frame, Opcode
    from websockets.http11 import Request
    from websockets.protocol import State
    from websockets.server import ServerProtocol
except ImportError as error:
    raise ScenarioError(
        f"the WebSocket link needs the library websockets, 13 or newer: {error}", hint="pip install 'flashcore[web]'"
    ) from error

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts whose pages are let in without being named."""

MAX_MESSAGE = 1 << 20
"""Longest binary message, in bytes; a longer one ends the connection."""

MAX_TEXT = 4096
"""Longest text message, in bytes."""

MAX_KEPT = 1 << 16
"""Bytes kept in either direction before we stop reading from the client."""

MAX_PEERS = 8
"""Connections at a time, most of which have no more than begun; the oldest of those gives way."""

_READ = 1 << 16
_PROBES = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""How soon a client whose machine has died is found out, in seconds and tries."""


class _Peer:
    """A connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.protocol = ServerProtocol(max_size=MAX_MESSAGE)
        self.outgoing = bytearray()
        self.text: bytearray | None = None
        self.leaving = False
        """Whether all that is left to do is to wait for the other side to leave."""


class WebSocketLink:
    """A server for one port. Close it, or use it as a context manager.

    Args:
        spec: The adapter that the client sees.
        host: Address to listen on.
        port: TCP port; 0 takes any.
        token: The secret in the address; a random one by default.
        origins: Further origins whose pages are let in, for example ``https://example.org``; ``*`` lets in all.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(
        self,
        spec: BridgeSpec,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str = "",
        origins: Sequence[str] = (),
    ) -> None:
        self._token = token or secrets.token_urlsafe(16)
        self._origins = frozenset(origins)
        self._port = WebPort(spec)
        self._peers: list[_Peer] = []
        self._client: _Peer | None = None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=MAX_PEERS)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._reader, self._writer = os.pipe()
        name, number = self._listener.getsockname()[:2]
        self.path = f"ws://{f'[{name}]' if ':' in name else name}:{number}/{self._token}"
        """What the client connects to."""

    def __enter__(self) -> WebSocketLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the port; a client that has it sees it vanish. Closing twice is harmless."""
        for peer in list(self._peers):
            with suppress(InvalidState):
                peer.protocol.send_close(CloseCode.GOING_AWAY)
            self._flush(peer)
            self._drop(peer)
        if self._listener.fileno() >= 0:
            self._selector.close()
            self._listener.close()
            os.close(self._reader)
            os.close(self._writer)

    @property
    def data_descriptor(self) -> None:
        """None: all descriptors are behind `other_descriptors`."""

    @property
    def other_descriptors(self) -> Sequence[int]:
        """A descriptor that becomes readable when anything can be done on any connection."""
        # A selector's own descriptor is one for the kernels that have epoll or kqueue; so the pump need not know our sockets.
        fileno = getattr(self._selector, "fileno", None)
        return (fileno(),) if fileno else ()

    @property
    def pending(self) -> int:
        """None: what waits here is watched by the selector behind `other_descriptors`."""
        return 0

    def poll(self, *, take_bytes: bool) -> list[HostEvent]:
        """Return what the client has done since, in order."""
        for key, ready in self._selector.select(0):
            if key.fileobj is self._listener:
                self._accept()
            elif key.data in self._peers:
                self._serve(key.data, ready)
        before = self._port.waiting_bytes
        events = self._port.events(take_bytes=take_bytes)
        if self._client is not None:
            if self._port.waiting_bytes != before and self._port.is_live:
                self._say(self._client, self._port.took())
            self._watch(self._client)
        # The pump comes back by itself when there is room; until then it waits for descriptors.
        self._set(self._writer, selectors.EVENT_WRITE if take_bytes and self._port.has_events else 0)
        return events

    def send(self, data: bytes) -> int:
        """Hand bytes to the client; return how many were taken. What comes while nobody has the port open is dropped."""
        client = self._client
        if client is None or not self._port.is_live or client.protocol.state is not State.OPEN:
            return len(data)
        allowance = self._port.allowance
        room = max(0, MAX_KEPT - len(client.outgoing))
        count = min(len(data), room if allowance is None else min(room, allowance))
        if count:
            client.protocol.send_binary(data[:count])
            self._port.on_sent(count)
            self._flush(client)
            self._watch(client)
        return count

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES:
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if len(self._peers) >= MAX_PEERS:
            self._drop(next(peer for peer in self._peers if peer is not self._client))
        peer = _Peer(connection)
        self._peers.append(peer)
        self._selector.register(connection, selectors.EVENT_READ, peer)

    def _serve(self, peer: _Peer, ready: int) -> None:
        if ready & selectors.EVENT_READ:
            try:
                data = peer.connection.recv(_READ)
            except BlockingIOError:
                data = None
            except OSError:
                self._drop(peer)
                return
            if data:
                peer.protocol.receive_data(data)
                self._take(peer)
            elif data is not None:
                peer.protocol.receive_eof()
                self._take(peer)
                self._flush(peer)
                self._drop(peer)
                return
        self._flush(peer)
        self._watch(peer)

    def _take(self, peer: _Peer) -> None:
        for event in peer.protocol.events_received():
            match event:
                case Request():
                    self._greet(peer, event)
                case Frame() if peer is self._client:
                    self._hear(peer, event)
                case _:
                    pass
        if peer is self._client and peer.protocol.state is not State.OPEN:
            self._lose_client()

    def _greet(self, peer: _Peer, request: Request) -> None:
        protocol = peer.protocol
        if protocol.eof_sent:
            # Behind its request came what is no frame, without waiting for our answer: it has been given up already.
            return
        if not hmac.compare_digest(request.path.encode(errors="surrogateescape"), f"/{self._token}".encode()):
            response = protocol.reject(HTTPStatus.FORBIDDEN, "wrong token\n")
        elif not self._is_welcome(request.headers.get_all("Origin")):
            response = protocol.reject(HTTPStatus.FORBIDDEN, "pages from elsewhere are not let in\n")
        elif self._client is not None:
            response = protocol.reject(HTTPStatus.SERVICE_UNAVAILABLE, "the port is in use\n")
        else:
            response = protocol.accept(request)
        protocol.send_response(response)
        if protocol.state is State.OPEN:
            self._client = peer
            self._say(peer, self._port.greeting())

    def _is_welcome(self, origins: Sequence[str]) -> bool:
        """Tell whether a page from `origins` is let in; programs that are no browsers name none."""
        if not origins or "*" in self._origins:
            return True
        if len(origins) > 1:
            return False
        try:
            host = urlsplit(origins[0]).hostname
        except ValueError:
            return False
        return origins[0] in self._origins or host in LOOPBACK

    def _hear(self, peer: _Peer, frame: Frame) -> None:
        match frame.opcode:
            case Opcode.BINARY:
                self._port.on_bytes(bytes(frame.data))
            case Opcode.TEXT:
                peer.text = bytearray(frame.data)
            case Opcode.CONT if peer.text is not None:
                peer.text += frame.data
            case Opcode.CONT:
                self._port.on_bytes(bytes(frame.data))
            case _:
                return
        if peer.text is None:
            return
        if len(peer.text) > MAX_TEXT:
            peer.protocol.fail(CloseCode.MESSAGE_TOO_BIG, f"a text message has up to {MAX_TEXT} bytes")
        elif frame.fin:
            text, peer.text = bytes(peer.text), None
            self._hear_text(peer, text)

    def _hear_text(self, peer: _Peer, message: bytes) -> None:
        try:
            text = message.decode()
        except UnicodeDecodeError:
            peer.protocol.fail(CloseCode.INVALID_DATA)
            return
        answer = self._port.on_text(text)
        if answer is not None:
            self._say(peer, answer)

    def _say(self, peer: _Peer, text: str) -> None:
        if peer.protocol.state is State.OPEN:
            peer.protocol.send_text(text.encode())
            self._flush(peer)

    def _flush(self, peer: _Peer) -> None:
        for data in peer.protocol.data_to_send():
            peer.outgoing += data
            peer.leaving = peer.leaving or not data
        try:
            while peer.outgoing:
                del peer.outgoing[: peer.connection.send(peer.outgoing)]
            if peer.leaving:
                peer.connection.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            # The next look at the connection finds it ended, and reads what came before that.
            peer.outgoing.clear()

    def _watch(self, peer: _Peer) -> None:
        """Wait for what can be done next on the connection."""
        full = len(peer.outgoing) > MAX_KEPT or (peer is self._client and self._port.waiting_bytes > MAX_KEPT)
        wanted = (0 if full else selectors.EVENT_READ) | (selectors.EVENT_WRITE if peer.outgoing else 0)
        self._set(peer.connection, wanted, peer)

    def _set(self, file: socket.socket | int, wanted: int, peer: _Peer | None = None) -> None:
        present = self._selector.get_map().get(file)
        if present is None:
            if wanted:
                self._selector.register(file, wanted, peer)
        elif not wanted:
            self._selector.unregister(file)
        elif wanted != present.events:
            self._selector.modify(file, wanted, peer)

    def _drop(self, peer: _Peer) -> None:
        if peer is self._client:
            self._lose_client()
        self._peers.remove(peer)
        with suppress(KeyError):
            self._selector.unregister(peer.connection)
        peer.connection.close()

    def _lose_client(self) -> None:
        self._client = None
        self._port.on_gone()
