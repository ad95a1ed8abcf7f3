"""The telnet side of one RFC 2217 session: options in, what a host does with its port out.

pyserial's `PortManager` does telnet and most of the COM port options, on something shaped like one of its serial ports. What it
leaves unanswered (states of the lines, masks, signature, flow control towards us) is answered here, and what it would stumble
over (options too short or with unknown values, an end without a start, endless ones) never reaches it. Every well-formed option
is answered at once with the value in force. Bytes between options go through in one piece, never one by one.

Source: RFC 2217, RFC 854. Fidelity: parity, data and stop bits are remembered and have no effect on the wire.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import cast

from serial import rfc2217

from simulator.board.board import HostBaud, HostBytes, HostDiscard, HostEvent
from simulator.links.line_modes import Lines

SIGNATURE = b"virtual ESP32"
"""What the server calls itself."""

LONGEST_OPTION = 64
"""Bytes of one option that are kept; all known ones have at most five."""

DEFAULT_BAUD = 115200
"""Rate at which a session starts, in baud."""

_IAC = b"\xff"
_SE = 0xF0
_CLEAR = re.compile(rb"(?:[^\xff]++|(?:\xff\xff)++)++")
"""Data, with every FF doubled."""

_SERVER = 100
"""What an answer's code has more than its request's."""

_ACCEPTED = {
    code: re.compile(pattern, re.DOTALL)
    for code, pattern in {
        1: rb".{4}",  # baud rate
        2: rb"[\x00\x05-\x08]",  # data bits
        3: rb"[\x00-\x05]",  # parity
        4: rb"[\x00-\x03]",  # stop bits
        5: rb"[\x00-\x03\x05\x06\x08\x09\x0b\x0c]",  # control: flow, BREAK, DTR, RTS
        7: rb".*",  # modem state, asked for
        12: rb"[\x01-\x03]",  # purge
    }.items()
}
"""Options that `PortManager` does, with the values that it understands."""


class TelnetPort:
    """One session.

    Args:
        emit: Takes what the host does.
        lines: The modem lines.
        output: Where the bytes for the client are appended.
    """

    def __init__(self, emit: Callable[[HostEvent], None], lines: Lines, output: bytearray) -> None:
        self._emit = emit
        self.manager = _Manager(_SerialShape(emit, lines), _Output(output))
        emit(HostBaud(DEFAULT_BAUD))

    def receive(self, data: bytes) -> None:
        """Take bytes from the client."""
        manager, position = self.manager, 0
        while position < len(data):
            if manager.idle:
                found = _CLEAR.match(data, position)
                if found:
                    position = found.end()
                    self._emit(HostBytes(found[0].replace(_IAC + _IAC, _IAC)))
                    continue
            byte = data[position : position + 1]
            position += 1
            if manager.stray(byte[0]):
                continue
            # Through here comes no more than one byte of data, whose doubled FF lies in two batches.
            for item in manager.filter(byte):
                self._emit(HostBytes(item))


def escaped(data: bytes) -> bytes:
    """Return `data` as it stands in a telnet stream."""
    return data.replace(_IAC, _IAC + _IAC)


class _Output:
    """Where `PortManager` writes."""

    def __init__(self, output: bytearray) -> None:
        self._output = output

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._output += data


class _SerialShape:
    """The device as `PortManager` wants it: an object with the attributes of pyserial's ports."""

    cts = dsr = ri = cd = False
    """Not wired on these boards."""

    def __init__(self, emit: Callable[[HostEvent], None], lines: Lines) -> None:
        self._emit = emit
        self._lines = lines
        self._baudrate = DEFAULT_BAUD
        self._dtr = False
        self._rts = False
        self.bytesize = 8
        self.parity = "N"
        self.stopbits: float = 1
        self.xonxoff = False
        self.rtscts = False
        self.break_condition = False

    @property
    def baudrate(self) -> int:
        """The client's rate, in baud."""
        return self._baudrate

    @baudrate.setter
    def baudrate(self, baudrate: int) -> None:
        if baudrate != self._baudrate:
            self._baudrate = baudrate
            self._emit(HostBaud(baudrate))

    @property
    def dtr(self) -> bool:
        """Whether the client wants DTR asserted."""
        return self._dtr

    @dtr.setter
    def dtr(self, asserted: bool) -> None:
        self._dtr = asserted
        self._lines.set(dtr=self._dtr, rts=self._rts)

    @property
    def rts(self) -> bool:
        """Whether the client wants RTS asserted."""
        return self._rts

    @rts.setter
    def rts(self, asserted: bool) -> None:
        self._rts = asserted
        self._lines.set(dtr=self._dtr, rts=self._rts)

    def reset_input_buffer(self) -> None:
        """Forget what the device has sent."""
        self._emit(HostDiscard())

    def reset_output_buffer(self) -> None:
        """Do nothing: what was written has been handed to the adapter, where no client can reach it any more."""


class _Manager(rfc2217.PortManager):
    """pyserial's part, with the gaps filled."""

    def __init__(self, shape: _SerialShape, output: _Output) -> None:
        self._shape = shape
        # The stubs ask for real ports here; what the class uses of them is what the shape has.
        super().__init__(cast(rfc2217.Serial, shape), cast(rfc2217.Serial, output))

    @property
    def idle(self) -> bool:
        """Whether the next byte is data, or starts something."""
        return self.mode is rfc2217.M_NORMAL and self.suboption is None

    def stray(self, byte: int) -> bool:
        """Drop what must not reach the filter: the end of an option that never started, the rest of an endless one."""
        if self.suboption is None:
            if self.mode is rfc2217.M_IAC_SEEN and byte == _SE:
                self.mode = rfc2217.M_NORMAL
                return True
        elif self.mode is rfc2217.M_NORMAL and byte != _IAC[0]:
            return len(self.suboption) >= LONGEST_OPTION
        return False

    def _telnet_process_subnegotiation(self, suboption: bytes) -> None:
        if suboption[:1] != rfc2217.COM_PORT_OPTION or len(suboption) < 2 or len(suboption) >= LONGEST_OPTION:
            return
        code, value = suboption[1], suboption[2:]
        accepted = _ACCEPTED.get(code)
        if accepted is not None and accepted.fullmatch(value):
            super()._telnet_process_subnegotiation(suboption)  # type: ignore[misc]
            return
        answer = self._answer(code, value)
        if answer is not None:
            self.rfc2217_send_subnegotiation(bytes([code + _SERVER]), answer)

    def _answer(self, code: int, value: bytes) -> bytes | None:
        """Return the value in force for an option that pyserial does not do, or ``None`` for one that has no answer."""
        shape = self._shape
        match code, tuple(value):
            case 0, ():
                return SIGNATURE
            case 1, _:
                return struct.pack("!I", shape.baudrate)
            case 2, _:
                return bytes([shape.bytesize])
            case 3, _:
                return bytes([rfc2217.RFC2217_PARITY_MAP[shape.parity]])
            case 4, _:
                return bytes([rfc2217.RFC2217_STOPBIT_MAP[shape.stopbits]])
            case 5, (4,):
                return bytes([5 if shape.break_condition else 6])
            case 5, (7,):
                return bytes([8 if shape.dtr else 9])
            case 5, (10,):
                return bytes([11 if shape.rts else 12])
            case 5, (13 | 14 | 15 | 16 | 18,):
                return bytes([14])
            case 5, (17 | 19,):
                return bytes([1])
            case 6, _:
                return bytes(1)
            case 10, (mask,):
                self.linstate_mask = mask
                return value
            case 11, (mask,):
                self.modemstate_mask = mask
                return value
            case _:
                return None
