"""How the ROM inflates: a ring of 32 KiB, written to flash as a whole, and a decoder that makes up missing input.

Each block goes to the decoder as long as it takes bytes. Whenever 32 KiB have come out, the ring is handed on as one
window; with the last announced block it is handed on once more, whatever it holds by then, so an image's tail is
followed by what older output left there. In the last block the decoder is told that no more will come: it then reads
zeros for ever, except inside a stored block, where it gives up. Input behind the end of the stream is never taken, and
the ROM waits for that without end.

Decoding is zlib's. Where the ROM's decoder is more lenient (distances that reach behind the start of the stream, unused
code words) this model reports a broken stream.

Source: oracle facts 42 to 46, rom_defl.json. Fidelity: recorded; what the window holds after a broken stream is
derived.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from enum import Enum, auto

WINDOW = 0x8000
"""Bytes in the ring. Source: oracle fact 43."""

_ENOUGH_ZEROS = bytes(2 * WINDOW + 16)
"""Zeros that fill a window through any code: at most 48 bits of input make three bytes of output."""

_PROBES = (b"\x01", b"\x2c", b"\x70", b"\xb3")
"""Bytes that only a stored block hands through unchanged, all four of them."""


class Inflated(Enum):
    """How a block ended."""

    TAKEN = auto()
    BROKEN = auto()
    WRONG_ADLER = auto()
    STUCK = auto()


class Inflator:
    """The decoder and its ring, which outlives the streams."""

    __slots__ = ("_adler", "_decoder", "_header", "_outcome", "_position", "_trailer", "produced", "window")

    def __init__(self) -> None:
        self.window = bytearray(WINDOW)
        """The ring's content. Fidelity: zeros at first, as in the recording; on silicon whatever the RAM held."""
        self.produced = 0
        """Bytes of output since the last `begin`."""
        self.begin()

    def begin(self) -> None:
        """Start a new stream; the ring keeps its content."""
        self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        self._header = b""
        self._trailer = b""
        self._adler = 1
        self._position = 0
        self._outcome: Inflated | None = None
        self.produced = 0

    def feed(self, data: bytes, *, last: bool, write: Callable[[bytes], None]) -> Inflated:
        """Inflate one block.

        Args:
            data: The block's payload.
            last: Whether no more will come.
            write: Called with each window, `WINDOW` bytes.

        Returns:
            How it ended; `Inflated.STUCK` if the ROM hangs.
        """
        rest = data
        while rest:
            if self._outcome is not None:
                return Inflated.STUCK if self._outcome is Inflated.TAKEN else self._outcome
            rest = self._step(rest, last=last)
            if self._position == WINDOW:
                self._hand_on(write)
        if self._outcome not in (None, Inflated.TAKEN):
            return self._outcome or Inflated.BROKEN
        if last:
            self._hand_on(write)
        return Inflated.TAKEN

    def _step(self, rest: bytes, *, last: bool) -> bytes:
        """Decode until the input or the room in the ring ends; return what is left of the input."""
        if len(self._header) < 2:
            return self._take_header(rest, last=last)
        if self._decoder.eof:
            return self._take_trailer(rest, last=last)
        if not self._decode(rest):
            return b""
        if self._decoder.eof:
            return self._take_trailer(self._decoder.unused_data, last=last)
        rest = self._decoder.unconsumed_tail
        if not rest and last and self._position < WINDOW:
            self._make_up()
        return rest

    def _take_header(self, rest: bytes, *, last: bool) -> bytes:
        count = 2 - len(self._header)
        self._header += rest[:count]
        rest = rest[count:]
        if len(self._header) < 2 and not last:
            return rest
        method, flags = self._header.ljust(2, b"\0")
        good = not (method << 8 | flags) % 31 and not flags & 0x20 and method & 15 == 8 and method >> 4 <= 7
        if not good:
            self._outcome = Inflated.BROKEN
        elif not rest and last:
            self._make_up()
        return rest

    def _take_trailer(self, rest: bytes, *, last: bool) -> bytes:
        count = 4 - len(self._trailer)
        self._trailer += rest[:count]
        if len(self._trailer) == 4 or last:
            told = int.from_bytes(self._trailer.ljust(4, b"\0"), "big")
            self._outcome = Inflated.TAKEN if told == self._adler else Inflated.WRONG_ADLER
        return rest[count:]

    def _make_up(self) -> None:
        """Go on with zeros in place of input, as far as the ring has room."""
        if self._in_stored_block():
            self._outcome = Inflated.BROKEN
        elif self._decode(_ENOUGH_ZEROS) and self._decoder.eof:
            self._take_trailer(b"", last=True)

    def _in_stored_block(self) -> bool:
        for probe in _PROBES:
            try:
                if self._decoder.copy().decompress(probe) != probe:
                    return False
            except zlib.error:
                return False
        return True

    def _decode(self, data: bytes) -> bool:
        room = WINDOW - self._position
        before = self._decoder.copy()
        try:
            output = self._decoder.decompress(data, room)
        except zlib.error:
            self._outcome = Inflated.BROKEN
            self._put(_until_broken(before, data, room))
            return False
        self._put(output)
        return True

    def _put(self, output: bytes) -> None:
        end = self._position + len(output)
        self.window[self._position : end] = output
        self._position = end
        self._adler = zlib.adler32(output, self._adler)
        self.produced += len(output)

    def _hand_on(self, write: Callable[[bytes], None]) -> None:
        self._position = 0
        write(bytes(self.window))


def _until_broken(decoder: zlib._Decompress, data: bytes, room: int) -> bytes:
    """Return the output that comes before the error in `data`, by bisection."""
    good, bad = 0, len(data)
    output = b""
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            output = decoder.copy().decompress(data[:middle], room)
        except zlib.error:
            bad = middle
        else:
            good = middle
    return output
