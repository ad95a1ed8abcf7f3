"""What the fuzzer starts from at the links: what real clients say, with the answers that the protocols ask for.

The telnet session is what pyserial 3.5 sends when it opens a ``rfc2217://`` port, resets a board, changes its rate and writes;
the answers follow from RFC 854 and RFC 2217. The messages of the WebSocket are those of ``simulator/web/serial.js``.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fuzz.corpus import READ_MAGIC
from fuzz.mutator import SYNC
from simulator.board.board import HostBaud, HostBytes, HostDiscard, HostEvent, HostLines

IAC = b"\xff"
OPTION_START, OPTION_END = b"\xff\xfa\x2c", b"\xff\xf0"


class Telnet(NamedTuple):
    """A step of a telnet session: what the client says, what it hears, and what happens at the port."""

    said: bytes
    heard: bytes
    events: tuple[HostEvent, ...] = ()


def option(code: int, value: bytes) -> bytes:
    """Return a COM port option."""
    return OPTION_START + bytes([code]) + value.replace(IAC, IAC + IAC) + OPTION_END


def _set(code: int, value: str, *events: HostEvent) -> Telnet:
    """Return a request that sets an option, and the answer that confirms it (RFC 2217: its code is 100 higher)."""
    content = bytes.fromhex(value)
    return Telnet(option(code, content), option(code + 100, content), events)


GREETING = bytes.fromhex("fffb01 fffb03 fffd00 fffb2c")
"""What the server offers when a client comes."""

NO_NEWS = option(107, b"\0")
"""State of the modem inputs, of which none is wired."""

TELNET = (
    Telnet(bytes.fromhex("fffd01"), b""),
    Telnet(bytes.fromhex("fffb03"), bytes.fromhex("fffd03")),
    Telnet(bytes.fromhex("fffd2c"), NO_NEWS),
    Telnet(bytes.fromhex("fffb2c"), bytes.fromhex("fffd2c") + NO_NEWS),
    Telnet(bytes.fromhex("fffb00"), b""),
    _set(1, "0001c200"),
    _set(2, "08"),
    _set(3, "01"),
    _set(4, "01"),
    _set(5, "01"),
    _set(5, "08", HostLines(True, False)),
    _set(5, "0b", HostLines(True, True)),
    _set(12, "01", HostDiscard()),
    _set(12, "02"),
    _set(5, "09", HostLines(False, True)),
    _set(5, "0c", HostLines(False, False)),
    _set(5, "08", HostLines(True, False)),
    Telnet(SYNC, b"", (HostBytes(SYNC),)),
    _set(1, "000e1000", HostBaud(921600)),
    Telnet(READ_MAGIC + b"\xff\xff\x01", b"", (HostBytes(READ_MAGIC + b"\xff\x01"),)),
)
"""A whole session, with the lines taken literally."""

TELNET_SPECIAL = bytes((0xFF, 0xFF, 0xFA, 0xF0, 0xFB, 0xFC, 0xFD, 0xFE, 0x2C, 0x05, 0x0C))
"""Bytes that mean something in telnet."""

_TOKEN = re.compile(rb"\xff[\xfb-\xfe].|\xff.|[^\xff]++", re.DOTALL)


def telnet_parts(stream: bytes) -> tuple[bytes, list[bytes]]:
    """Return what a telnet stream carries: data, and the contents of finished options."""
    data: list[bytes] = []
    options: list[bytes] = []
    inside: list[bytes] | None = None
    for found in _TOKEN.finditer(stream):
        token = found[0]
        if token == b"\xff\xfa":
            inside = []
        elif token == b"\xff\xf0":
            if inside is not None:
                options.append(b"".join(inside))
            inside = None
        elif token[0] != 0xFF or token == b"\xff\xff":
            (data if inside is None else inside).append(token[-1:] if token[0] == 0xFF else token)
    return b"".join(data), options


WEB_MESSAGES = (
    b'{"id":1,"open":{"baudRate":115200,"window":65536}}',
    b'{"id":2,"setSignals":{"dataTerminalReady":false,"requestToSend":true}}',
    b'{"id":3,"setSignals":{"dataTerminalReady":true,"requestToSend":false}}',
    b'{"id":4,"setSignals":{"dataTerminalReady":false,"break":true}}',
    b'{"id":5,"getSignals":{}}',
    b'{"got":14}',
    b'{"got":0}',
    b'{"id":6,"close":{}}',
    b'{"id":7,"open":{"baudRate":921600}}',
    b'{"id":[{}],"open":{"baudRate":4294967295,"window":1}}',
)
"""Text messages of a client."""

WEB_SPECIAL = b'{}[]":,\\0e-\xc3\xa9\xff'
"""Bytes that mean something in them."""

FRAME_SPECIAL = bytes((0x00, 0x01, 0x02, 0x08, 0x09, 0x0A, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0xFE, 0xFF, 0x7E, 0x7F))
"""Bytes that mean something in the head of a WebSocket frame."""
