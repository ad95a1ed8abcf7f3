"""What faults do to the bytes and the pace of a stream, one chunk after the other."""

from __future__ import annotations

from itertools import pairwise

import pytest

from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import checksum, data_request
from flashcore.protocol.slip import encode
from simulator.kernel import MS, S
from simulator.wire import Chunk
from tests.unit.test_faults import PIECES, active

BYTE_NS = 86_800


def through(text: str, *chunks: Chunk, seed: int = 0) -> list[Chunk]:
    fault = active(text, seed)
    return [result for chunk in chunks for result in fault(chunk)]


def line(data: bytes, start_ns: int = 0, baud: int = 115200) -> Chunk:
    return Chunk(data, start_ns, BYTE_NS, baud)


@pytest.mark.parametrize(
    ("what", "arrives"),
    [
        ("lose(first=1)", b"\xc0" + b"".join(PIECES)[2:]),
        ("lose(first=12,count=3)", b"".join(PIECES)[:12] + b"".join(PIECES)[15:]),
    ],
)
def test_bytes_are_lost_from_a_frame_in_several_pieces(what: str, arrives: bytes) -> None:
    chunks, start = [], 0
    for piece in PIECES:
        chunks.append(Chunk(piece, start, 10, 115200))
        start += 10 * len(piece)
    assert b"".join(chunk.data for chunk in through(f"d2h:nth_frame(any,1):{what}", *chunks)) == arrives


def test_every_nth_frame_of_one_command_is_counted_by_itself() -> None:
    sync, read = encode(commands.sync().pack()), encode(commands.read_reg(0).pack())
    frames = [sync, read, sync, read, read, sync, sync]
    passed = through("h2d:every(2,SYNC):drop", *(Chunk(frame, at * MS, 0, 115200) for at, frame in enumerate(frames)))
    assert [chunk.data for chunk in passed] == [sync, read, read, read, sync]


def test_exchanged_packets_keep_the_checksum_and_the_delimiters() -> None:
    frame = encode(data_request(Opcode.MEM_DATA, bytes(n % 191 for n in range(4096)), 0).pack())
    (found,) = through("h2d:always:long_burst(burst_ok=1024,probability=1,swap=true)", Chunk(frame, 0, 0, 115200))
    assert found.data != frame
    assert (len(found.data), found.data[-1:], sorted(found.data)) == (len(frame), b"\xc0", sorted(frame))
    assert checksum(found.data[1:-1]) == checksum(frame[1:-1])


@pytest.mark.parametrize(("size", "pieces"), [(1, 1), (4, 3), (64, 1)])
def test_pieces_are_as_large_as_told_and_in_order(size: int, pieces: int) -> None:
    found = through(f"d2h:always:chunked(size={size},seconds=0.01)", line(bytes(range(10))))
    assert (len(found), b"".join(chunk.data for chunk in found)) == (pieces, bytes(range(10)))
    assert all(earlier.end_ns <= later.start_ns for earlier, later in pairwise(found))
    if size == 1:
        assert found[0].byte_ns == 10 * MS


def test_whole_groups_are_handed_over_at_once_and_the_rest_when_its_time_is_up() -> None:
    found = through("d2h:always:hold(count=4,seconds=0.016)", line(bytes(10)))
    assert [(chunk.start_ns, len(chunk.data), chunk.byte_ns) for chunk in found] == [
        (4 * BYTE_NS, 4, 0),
        (8 * BYTE_NS, 4, 0),
        (8 * BYTE_NS + 16 * MS, 2, 0),
    ]


def test_a_buffer_that_is_emptied_as_fast_as_it_fills_loses_nothing() -> None:
    assert through("bridge_to_chip:always:overflow(size=10,rate=11521)", line(bytes(1000))) == [line(bytes(1000))]


def test_a_slower_buffer_loses_the_end_and_recovers_in_a_pause() -> None:
    lost, whole = through("bridge_to_chip:always:overflow(size=100,rate=5760)", line(bytes(1000)), line(bytes(100), 10 * S))
    assert 550 < len(lost.data) < 650
    assert len(whole.data) == 100


@pytest.mark.parametrize(("probability", "least", "most"), [(0.0, 0, 0), (0.01, 60, 140), (1.0, 10_000, 10_000)])
def test_noise_hits_about_as_many_bytes_as_told_and_one_bit_of_each(probability: float, least: int, most: int) -> None:
    (found,) = through(f"d2h:always:noise(probability={probability})", line(bytes(10_000)))
    hits = [byte for byte in found.data if byte]
    assert least <= len(hits) <= most
    assert all(byte.bit_count() == 1 for byte in hits)


def test_delays_of_frames_that_come_together_do_not_add_up() -> None:
    frames = encode(commands.sync().pack()) * 8
    found = through("d2h:always:delay(0.3)", line(frames)) + through("d2h:every(1):delay(0.3)", line(frames))
    assert [chunk.data for chunk in found].count(frames) == 1
    assert max(chunk.end_ns for chunk in found) == 300 * MS + len(frames) * BYTE_NS


def test_short_runs_pass_where_the_rule_spares_them() -> None:
    long, short = line(bytes(65)), line(bytes(64), S)
    assert through("h2d:always:drop:heals=shorter(64)", long, short) == [short]


def test_slow_runs_pass_where_the_rule_spares_them() -> None:
    fast, slow = line(b"fast", baud=460800), line(b"slow", S, baud=115200)
    assert through("h2d:always:drop:heals=lower_baud(115200)", fast, slow, line(b"fast", 2 * S, baud=230400)) == [slow]
