"""Inflating zlib streams as the loaders' own inflater does it: block by block, into what room is left.

zlib itself raises where the loaders' inflater returns a status, and checks the stream's Adler-32 whether or not that
is wanted, so the header and the trailer are read here and only the deflate data in between goes to `zlib`.

Fidelity: recorded for header, trailer and distance errors (stub_*.json defl_*). Guessed: a stream that is cut off in
the last announced block fails, and output between the last full window and an error is lost (it never reaches the
flash)."""

from __future__ import annotations

import zlib
from enum import Enum, unique
from struct import Struct

WINDOW = 0x8000
"""Bytes of output that are collected before they are written. Source: oracle fact 43, stub_e3.json
defl_corrupt_middle."""

_HEADER_LENGTH = 2
_TRAILER = Struct(">I")


@unique
class Status(Enum):
    """Where the inflater stands after a step."""

    MORE_OUTPUT = "more output"
    """The room is full, and there is more to come."""
    NEEDS_INPUT = "needs input"
    """All input is used, and the stream has not ended."""
    DONE = "done"
    """The stream has ended."""
    FAILED = "failed"
    """The stream is broken; every further step fails too."""


class Inflater:
    """One zlib stream.

    Args:
        check_adler: Whether a wrong Adler-32 is an error (oracle fact 79: the newer stub does not look).
    """

    def __init__(self, *, check_adler: bool) -> None:
        self._check_adler = check_adler
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._adler = 1
        self._header = b""
        self._trailer = b""
        self._failed = False
        self._done = False

    def step(self, data: bytes, room: int, *, more_follows: bool) -> tuple[Status, bytes, bytes]:
        """Inflate until input or room is used up.

        Args:
            data: Next bytes of the stream.
            room: Bytes of output that may be made, 1 or more.
            more_follows: Whether the host has announced more than `data`.

        Returns:
            Where it stands, the output, and the input that is left.
        """
        if self._failed:
            return Status.FAILED, b"", data
        if self._done:
            return Status.DONE, b"", data
        if len(self._header) < _HEADER_LENGTH:
            missing = _HEADER_LENGTH - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) == _HEADER_LENGTH and not _header_valid(self._header):
                return self._fail(data)
        output = b""
        if data and not self._ended():
            try:
                output = self._inflate.decompress(data, room)
            except zlib.error:
                return self._fail(b"")
            if self._check_adler:
                self._adler = zlib.adler32(output, self._adler)
            data = self._inflate.unused_data if self._ended() else self._inflate.unconsumed_tail
            if not self._ended() and len(output) == room:
                return Status.MORE_OUTPUT, output, data
        if self._ended():
            missing = _TRAILER.size - len(self._trailer)
            self._trailer += data[:missing]
            data = data[missing:]
            if len(self._trailer) == _TRAILER.size:
                return self._end(output, data)
        if more_follows:
            return Status.NEEDS_INPUT, output, data
        self._failed = True
        return Status.FAILED, output, data

    def _ended(self) -> bool:
        return self._inflate.eof

    def _end(self, output: bytes, rest: bytes) -> tuple[Status, bytes, bytes]:
        if self._check_adler and _TRAILER.unpack(self._trailer)[0] != self._adler:
            self._failed = True
            return Status.FAILED, output, rest
        self._done = True
        return Status.DONE, output, rest

    def _fail(self, rest: bytes) -> tuple[Status, bytes, bytes]:
        self._failed = True
        return Status.FAILED, b"", rest


def _header_valid(header: bytes) -> bool:
    """Whether these two bytes begin a zlib stream that fits the window and needs no dictionary."""
    method, flags = header
    return not ((method << 8 | flags) % 31 or flags & 0x20 or method & 0x0F != 8 or method >> 4 > 7)
