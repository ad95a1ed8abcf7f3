"""Whatever is fed to the ROM, in whatever pieces: no exception, bounded memory, the same answers."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashcore.protocol.packet import checksum
from flashcore.protocol.slip import encode
from simulator.chip.boot import first_program
from simulator.chip.config import ORACLE, ChipConfig
from simulator.chip.rom.loader import COMMANDS, RomLoader
from simulator.chip.rom.ring import RING_SIZE, Ring
from simulator.chip.rom.slip import BUFFER_SIZE, SlipReceiver
from simulator.chip.soc import Soc
from simulator.kernel import MS, Kernel
from simulator.rng import Rng
from simulator.wire import Chunk, byte_time

SYNC = encode(b"\x00\x08\x24\x00" + bytes(4) + b"\x07\x07\x12\x20" + b"\x55" * 32)
SYNC_ANSWER = bytes.fromhex("c0010804000707122000000000c0")
BURST = 200
"""Bytes sent in one go: fewer than the ring holds, so that none is lost whatever the pieces."""


class AnyRate(Soc):
    """A chip that hears bytes at any rate, so that CHANGE_BAUDRATE doesn't bring dice into play."""

    def heard(self, chunk: Chunk) -> bytes:
        return chunk.data


def loader(config: ChipConfig = ORACLE) -> tuple[Soc, Kernel, list[Chunk]]:
    kernel = Kernel()
    sent: list[Chunk] = []
    soc = AnyRate(
        config, kernel, Rng(0), start=first_program, transmit=sent.append, straps=lambda: 3, note=lambda _kind, _text: None
    )
    soc.set_enabled(True)
    kernel.advance(100 * MS)
    sent.clear()
    return soc, kernel, sent


def settle(kernel: Kernel) -> None:
    """Let all that is planned happen, but no endless output."""
    for _ in range(1_000):
        due = kernel.next_deadline()
        if due is None:
            return
        kernel.advance(due)


def feed(soc: Soc, kernel: Kernel, data: bytes, cuts: list[int]) -> None:
    """Send `data` at 115200 baud, cut behind each C0, as the wire does it, and at `cuts` besides."""
    rest = Chunk(data, kernel.now, byte_time(115200), 115200)
    done = 0
    pieces: list[Chunk] = []
    for cut in sorted({cut % (len(data) + 1) for cut in cuts}):
        head, rest = rest.split(cut - done)
        done = cut
        pieces += head.pieces()
    for piece in pieces + rest.pieces():
        kernel.at(piece.end_ns, lambda piece=piece: soc.receive(piece))  # type: ignore[misc]
    settle(kernel)


ADDRESSES = st.sampled_from(
    [0, 0x1000, 0x10010, 0x3FF000, 0x3FF40014, 0x3FF42000, 0x3FF5A000, 0x3FFAE270, 0x3FFE8000, 0x40001000, 0x40080400]
)
WORDS = ADDRESSES | st.integers(0, 0xFFFFFFFF) | st.integers(0, 0x2000)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Frames that get past the first checks more often than noise would."""
    opcode = draw(st.sampled_from(sorted(COMMANDS)) | st.integers(0, 255))
    payload = draw(st.binary(max_size=48))
    words = draw(st.lists(WORDS, max_size=4))
    if draw(st.booleans()):
        words = [len(payload), draw(st.integers(0, 3)), 0, 0]
        body = struct.pack("<4I", *words) + payload
    else:
        body = struct.pack(f"<{len(words)}I", *words)
    size = draw(st.just(len(body)) | st.integers(0, 0x1900))
    direction = draw(st.sampled_from([0, 0, 0, 1]))
    return encode(struct.pack("<BBHI", direction, opcode, size, checksum(payload)) + body)


STREAMS = st.lists(st.just(SYNC) | frames() | st.binary(max_size=60), max_size=8).map(b"".join).map(lambda data: data[:BURST])


@given(bursts=st.lists(st.tuples(STREAMS, st.lists(st.integers(0, BURST), max_size=6)), min_size=1, max_size=6))
@settings(max_examples=60)
def test_answers_do_not_depend_on_how_the_stream_is_cut(bursts: list[tuple[bytes, list[int]]]) -> None:
    runs: list[bytes] = []
    for cut in (False, True):
        soc, kernel, sent = loader()
        feed(soc, kernel, SYNC, [])
        for data, cuts in bursts:
            feed(soc, kernel, data, cuts if cut else [])
        runs.append(b"".join(chunk.data for chunk in sent))
        if isinstance(soc.program, RomLoader):
            assert len(soc.program.state.receiver.buffer) == BUFFER_SIZE
    assert runs[0] == runs[1]


@given(data=st.binary(max_size=3_000), autobaud=st.booleans(), cuts=st.lists(st.integers(0, 3_000), max_size=4))
@settings(max_examples=40)
def test_after_any_noise_a_reset_brings_the_loader_back(data: bytes, autobaud: bool, cuts: list[int]) -> None:
    soc, kernel, sent = loader(ChipConfig() if autobaud else ORACLE)
    feed(soc, kernel, data + SYNC + data, cuts)
    soc.set_enabled(False)
    soc.set_enabled(True)
    kernel.advance(kernel.now + 100 * MS)
    sent.clear()
    feed(soc, kernel, SYNC, [])
    feed(soc, kernel, SYNC, [])
    assert b"".join(chunk.data for chunk in sent) == SYNC_ANSWER * (8 if autobaud else 16)


@pytest.mark.parametrize("filler", [b"\x55", b"\xdb", b"\xdb\x41", b"\xdb\xdc"], ids=["plain", "escapes", "bad", "c0"])
def test_a_frame_without_end_takes_no_more_than_the_buffer(filler: bytes) -> None:
    receiver = SlipReceiver()
    assert receiver.feed(b"\xc0") == -1
    for _ in range(10):
        assert receiver.feed(filler * 10_000) == -1
    assert receiver.length == BUFFER_SIZE
    assert len(receiver.buffer) == BUFFER_SIZE
    assert receiver.feed(b"\x41\xc0") == 2


def naive_frames(stream: bytes) -> list[bytes]:
    """Cut a stream byte by byte, by the rules as the oracle's facts 9 to 14 state them."""
    found: list[bytes] = []
    frame: list[int] | None = None
    escaped = False
    for byte in stream:
        if frame is None:
            if byte == 0xC0:
                frame = []
        elif escaped:
            frame.append({0xDC: 0xC0, 0xDD: 0xDB}.get(byte, byte))
            escaped = False
        elif byte == 0xDB:
            escaped = True
        elif byte != 0xC0:
            frame.append(byte)
        elif frame:
            found.append(bytes(frame))
            frame = None
    return found


@given(
    stream=st.lists(st.sampled_from([0xC0, 0xDB, 0xDC, 0xDD, 0x41]) | st.integers(0, 255), max_size=80).map(bytes),
    cuts=st.lists(st.integers(0, 80), max_size=8),
)
@settings(max_examples=200)
def test_frames_are_cut_as_a_byte_by_byte_reader_cuts_them(stream: bytes, cuts: list[int]) -> None:
    receiver = SlipReceiver()
    found: list[bytes] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        piece = stream[start:end]
        position = 0
        while position < len(piece) and (position := receiver.feed(piece, position)) >= 0:
            found.append(bytes(receiver.buffer[: receiver.length]))
    assert found == naive_frames(stream)


@given(pushes=st.lists(st.binary(max_size=400), max_size=6))
def test_the_ring_holds_what_two_unchecked_indices_leave(pushes: list[bytes]) -> None:
    ring = Ring()
    cells = bytearray(RING_SIZE)
    written = 0
    for data in pushes:
        ring.push(data)
        for byte in data:
            cells[written % RING_SIZE] = byte
            written += 1
    assert ring.take() == bytes(cells[: written % RING_SIZE])
    assert ring.take() == b""
