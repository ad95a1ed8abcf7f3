"""The WebSocket as a target, without a network: what a client's bytes make of the port, and what it hears.

Sockets and selector are replaced by objects that take and give bytes as the dice say: whole, in pieces, or none for a while,
with an end or without one. Mutations change messages before they are framed, or the stream of frames, or the opening handshake.
After any input the clients go, and the next one must be let in and find the port as Web Serial has it.
"""

from __future__ import annotations

import json
import logging
import re
import selectors
import socket
from collections import deque
from dataclasses import replace
from random import Random
from typing import cast
from zlib import crc32

from fuzz import mutator
from fuzz.bounds import BrokenError, check_footprint
from fuzz.corpus import READ_MAGIC
from fuzz.link_corpus import FRAME_SPECIAL, WEB_MESSAGES, WEB_SPECIAL
from fuzz.mutator import SYNC, Write
from fuzz.target import Outcome
from simulator.board.board import HostBaud, HostBytes, HostClose, HostEvent, HostLines, HostOpen
from simulator.board.bridge import bridge
from simulator.links.web_port import WebPort
from simulator.links.websocket import MAX_KEPT, MAX_MESSAGE, MAX_PEERS, WebSocketLink

TOKEN = "token"
SPEC = replace(bridge("CP2102N"), lines_on_open=(True, True), lines_on_close=(False, False))

READ = 1 << 16
"""Bytes that the link reads at once, at most."""

MAX_OUTGOING = MAX_KEPT + 40 * READ
"""Bytes kept for a client that does not read: what one more reading is answered with may still be added."""

_MASK = b"\x01\x02\x03\x04"
_TEXT, _BINARY, _CLOSE, _PING = 1, 2, 8, 9
_SERVER_OPCODES = (_TEXT, _BINARY, _CLOSE, _PING, 10)


class _Wire:
    """A connection, seen from the server."""

    def __init__(self) -> None:
        self.coming: deque[bytes] = deque()
        self.heard = bytearray()
        self.room = 1 << 24
        self.ended = False
        self.broken = False
        self.closed = False

    def recv(self, size: int) -> bytes:
        if self.broken:
            raise ConnectionResetError
        if self.coming:
            data = self.coming.popleft()
            if len(data) > size:
                self.coming.appendleft(data[size:])
            return data[:size]
        if self.ended:
            return b""
        raise BlockingIOError

    def send(self, data: bytes | bytearray) -> int:
        if self.broken or self.closed:
            raise BrokenPipeError
        if not self.room:
            raise BlockingIOError
        taken = bytes(data[: self.room])
        self.heard += taken
        self.room -= len(taken)
        return len(taken)

    @property
    def is_readable(self) -> bool:
        return bool(self.coming) or self.ended or self.broken

    def setblocking(self, flag: bool) -> None: ...

    def setsockopt(self, *option: object) -> None: ...

    def shutdown(self, how: int) -> None:
        if self.broken:
            raise OSError

    def close(self) -> None:
        self.closed = True


class _Network:
    """The listener and the selector of a link."""

    def __init__(self) -> None:
        self.knocking: deque[_Wire] = deque()
        self.watched: dict[object, selectors.SelectorKey] = {}
        self.register(self, selectors.EVENT_READ)

    def accept(self) -> tuple[_Wire, object]:
        if not self.knocking:
            raise BlockingIOError
        return self.knocking.popleft(), None

    def fileno(self) -> int:
        return -1

    def register(self, file: object, events: int, data: object = None) -> None:
        if file in self.watched:
            raise KeyError(file)
        self.watched[file] = selectors.SelectorKey(file, -1, events, data)  # type: ignore[arg-type]

    def modify(self, file: object, events: int, data: object = None) -> None:
        self.unregister(file)
        self.register(file, events, data)

    def unregister(self, file: object) -> None:
        del self.watched[file]

    def get_map(self) -> dict[object, selectors.SelectorKey]:
        return self.watched

    def select(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        found: list[tuple[selectors.SelectorKey, int]] = []
        for file, key in list(self.watched.items()):
            ready = 0
            if file is self:
                ready = selectors.EVENT_READ if self.knocking else 0
            elif isinstance(file, _Wire):
                ready = selectors.EVENT_READ if file.is_readable else 0
                ready |= selectors.EVENT_WRITE if file.room or file.broken else 0
            if ready & key.events:
                found.append((key, ready & key.events))
        return found


class _Complaints(logging.Handler):
    """What the library logs as an error: it swallows exceptions there."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


def handshake(token: str = TOKEN, *more: str) -> bytes:
    """Return a client's opening request."""
    lines = [
        f"GET /{token} HTTP/1.1",
        "Host: 127.0.0.1:9000",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


ACCEPTED = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""Answer to the key above. Source: RFC 6455, section 1.3."""


def framed(payload: bytes, opcode: int = _TEXT, *, last: bool = True) -> bytes:
    """Return a client's frame."""
    size = len(payload)
    if size < 126:
        head = bytes((opcode | last << 7, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((opcode | last << 7, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((opcode | last << 7, 0x80 | 127)) + size.to_bytes(8, "big")
    mask = int.from_bytes((_MASK * (size // 4 + 1))[:size], "big")
    return head + _MASK + (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")


class WebSocketTarget:
    """A serial port over WebSocket."""

    MESSAGES = (*mutator.ANYWHERE, mutator.sprinkler(WEB_SPECIAL), mutator.sprinkler(WEB_SPECIAL))
    STREAM = (*mutator.ANYWHERE, mutator.sprinkler(FRAME_SPECIAL), mutator.sprinkler(FRAME_SPECIAL))

    def __init__(self) -> None:
        self._link = WebSocketLink(SPEC, token=TOKEN)
        self._link.close()
        self._complaints = _Complaints()
        logger = logging.getLogger("websockets.server")
        logger.addHandler(self._complaints)
        logger.propagate = False
        self._network = _Network()
        self.story: list[tuple[str, bytes]] = []
        """What was said, and on which connection."""

    def run(self, dice: Random, *, weigh: bool) -> Outcome:
        """Play one input."""
        self._renew()
        wires = [self._connect(dice, dice.random() < 0.1) for _ in range(dice.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 12)))]
        largest = 0
        offered = 0
        for wire in wires:
            offered += self._speak(dice, wire)
        self.story = [(f"connection {number}", data) for number, wire in enumerate(wires) for data in wire.coming]
        passed: list[bytes] = []
        for _ in range(400):
            for event in self._poll(take_bytes=dice.random() < 0.9):
                passed += [event.data] if isinstance(event, HostBytes) else []
            if dice.random() < 0.2:
                self._link.send(dice.randbytes(dice.choice((1, 200, 5000))))
            largest = max(largest, self._kept())
            for wire in wires:
                wire.room += dice.choice((0, 0, 1, 100, 1 << 16))
            if not any(wire.coming for wire in wires if not wire.closed) and dice.random() < 0.5:
                break
        if weigh:
            check_footprint(self._link, limit=MAX_PEERS * (MAX_OUTGOING + MAX_MESSAGE))
        if sum(map(len, passed)) > offered:
            raise BrokenError("the port gets no more than the client said", f"{sum(map(len, passed))} of {offered} bytes")
        heard = b"".join(_server_said(bytes(wire.heard)) for wire in wires)
        self._leave(dice, wires)
        self._play_clean()
        if self._complaints.texts:
            raise BrokenError("no exception is swallowed", self._complaints.texts[0])
        return Outcome(mark=crc32(heard), footprint=largest, compared=1)

    def _renew(self) -> None:
        """Put the link into the state in which it starts, on a network of its own."""
        link = self._link
        self._network = _Network()
        self._complaints.texts.clear()
        link._port = WebPort(SPEC)
        link._peers = []
        link._client = None
        link._listener = cast(socket.socket, self._network)
        link._selector = cast(selectors.DefaultSelector, self._network)

    def _connect(self, dice: Random, damaged: bool) -> _Wire:
        wire = _Wire()
        self._network.knocking.append(wire)
        request = handshake(*dice.choice((("token",), ("token",), ("token", "Origin: http://localhost:8000"), ("other",))))
        if damaged:
            writes = mutator.mutate(dice, self.STREAM, [Write(request)], [handshake("token", "Origin: null")])
            wire.coming.extend(write.data for write in writes if write.data)
        else:
            wire.coming.append(request)
        return wire

    def _speak(self, dice: Random, wire: _Wire) -> int:
        """Put messages on a wire, and return how many bytes of data they can hold at most."""
        count = dice.randint(1, 6)
        texts = [dice.choice(WEB_MESSAGES) for _ in range(count)]
        if dice.random() < 0.7:
            texts[0] = WEB_MESSAGES[0]
        if dice.random() < 0.5:
            changed = mutator.mutate(dice, self.MESSAGES, [Write(text) for text in texts], WEB_MESSAGES)
            texts = [write.data for write in changed]
        frames: list[bytes] = []
        for text in texts:
            frames += _pieces(dice, text, _TEXT)
            if dice.random() < 0.5:
                frames += _pieces(dice, dice.choice((SYNC, READ_MAGIC, b"\xff" * 9000, b"")), _BINARY)
            if dice.random() < 0.1:
                frames.append(framed(dice.randbytes(dice.choice((0, 2, 125))), dice.choice((_PING, _CLOSE, 10))))
        if dice.random() < 0.5:
            writes = mutator.mutate(dice, self.STREAM, [Write(frame) for frame in frames], frames[:3])
            frames = [write.data for write in writes if write.data]
        if dice.random() < 0.3:
            frames = [b"".join(frames)]
        wire.coming.extend(frame for frame in frames if frame)
        wire.room = dice.choice((0, 300, 1 << 24, 1 << 24))
        wire.ended = dice.random() < 0.2
        wire.broken = dice.random() < 0.02
        return sum(map(len, frames))

    def _poll(self, *, take_bytes: bool) -> list[HostEvent]:
        events = self._link.poll(take_bytes=take_bytes)
        if len(self._link._peers) > MAX_PEERS:
            raise BrokenError(f"at most {MAX_PEERS} connections are kept", str(len(self._link._peers)))
        return events

    def _kept(self) -> int:
        """Return how many bytes the link keeps."""
        outgoing = max((len(peer.outgoing) for peer in self._link._peers), default=0)
        if outgoing > MAX_OUTGOING:
            raise BrokenError(f"at most {MAX_OUTGOING} bytes wait for a client", str(outgoing))
        waiting = self._link._port.waiting_bytes
        if waiting > MAX_KEPT + MAX_MESSAGE + READ:
            raise BrokenError("what waits for the device is bounded", str(waiting))
        return outgoing + waiting

    def _leave(self, dice: Random, wires: list[_Wire]) -> None:
        """Let all clients go, politely or not; the port must be closed then."""
        for wire in wires:
            wire.room = 1 << 24
            wire.ended = True
            wire.broken = wire.broken or dice.random() < 0.3
        for _ in range(1000):
            self._poll(take_bytes=True)
            if not self._link._peers and not self._link._port.has_events:
                break
        if self._link._peers or self._link._port.is_live:
            raise BrokenError("a client that has gone is gone", f"{len(self._link._peers)} connections are left")

    def _play_clean(self) -> None:
        """Let a client in that makes no mistake, and compare all that comes of it."""
        wire = _Wire()
        self._network.knocking.append(wire)
        wire.coming.append(handshake())
        events: list[HostEvent] = []
        for _ in range(2):
            events += self._poll(take_bytes=True)
        head, _, rest = bytes(wire.heard).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 ") or ACCEPTED not in head:
            raise BrokenError("who knows the token is let in", head[:200].decode(errors="replace"))
        wire.heard.clear()
        wire.coming += [framed(WEB_MESSAGES[0]), framed(SYNC, _BINARY), framed(b'{"id":9,"close":{}}')]
        for _ in range(4):
            events += self._poll(take_bytes=True)
            if HostOpen() in events and HostClose() not in events:
                self._link.send(b"\xc0\xff")
        expected: list[HostEvent] = [HostOpen(), HostLines(True, True), HostBaud(115200), HostBytes(SYNC)]
        expected += [HostLines(False, False), HostClose()]
        if events != expected:
            raise BrokenError(f"the port sees {expected}", repr(events))
        greeting = json.loads(rest[2:])
        texts, data = _server_frames(bytes(wire.heard))
        if (
            greeting.get("hello", {}).get("version") != 1
            or {"id": 1, "ok": {}} not in texts
            or {"id": 9, "ok": {}} not in texts
        ):
            raise BrokenError("greeting and answers come", f"{greeting} {texts}")
        if not data or data.replace(b"\xc0\xff", b""):
            raise BrokenError("the client hears the device", data.hex())
        wire.ended = True
        self._poll(take_bytes=True)


def _pieces(dice: Random, payload: bytes, opcode: int) -> list[bytes]:
    """Return a message in one frame or more."""
    if dice.random() < 0.8:
        return [framed(payload, opcode)]
    at = dice.randint(0, len(payload))
    return [framed(payload[:at], opcode, last=False), framed(payload[at:], 0)]


def _server_said(stream: bytes) -> bytes:
    """Return what a server said, if it is what one may say, without the day and second at which it said so.

    Raises:
        BrokenError: It is not.
    """
    head, _, rest = stream.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "[: len(stream)]):
        raise BrokenError("a server answers in HTTP first", stream[:80].hex())
    if head.startswith(b"HTTP/1.1 101 "):
        _server_frames(rest)
    return _DATE.sub(b"", stream, count=1)


_DATE = re.compile(rb"(?<=\r\n)Date: [^\r\n]*\r?\n?")


def _server_frames(stream: bytes) -> tuple[list[object], bytes]:
    """Return texts and data of a server's frames; the last one may be cut off.

    Raises:
        BrokenError: They are malformed, masked, fragmented, or hold texts that are no JSON.
    """
    texts: list[object] = []
    data: list[bytes] = []
    at = 0
    while len(stream) - at >= 2:
        first, size = stream[at], stream[at + 1]
        at += 2
        if first & 0xF0 != 0x80 or first & 15 not in _SERVER_OPCODES or size > 127:
            raise BrokenError("a server's frames are whole and unmasked", stream[at - 2 : at + 40].hex())
        if size > 125:
            width = 2 if size == 126 else 8
            size = int.from_bytes(stream[at : at + width], "big")
            at += width
        payload = stream[at : at + size]
        at += size
        if len(payload) < size:
            break
        if first & 15 == _TEXT:
            texts.append(json.loads(payload))
        elif first & 15 == _BINARY:
            data.append(payload)
    return texts, b"".join(data)
