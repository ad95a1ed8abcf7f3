"""Whatever comes down the line, a stub neither fails nor grows."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashcore.protocol.packet import Request
from flashcore.protocol.slip import encode
from simulator.chip.stub import Generation
from simulator.chip.stub.legacy_receiver import BUFFER, LegacyReceiver
from simulator.chip.stub.modern_receiver import CAPACITY, ModernReceiver
from simulator.kernel import MS, S
from tests.model.stub_world import StubWorld

GENERATIONS = [Generation.LEGACY, Generation.MODERN]

WORDS = st.sampled_from((0, 1, 4, 16, 36, 0x100, 0x1000, 0x4000, 0x8000, 0x3FFE_8000, 0x4000_1000, 0xFFFF_FFFF)) | st.integers(
    0, 0xFFFF_FFFF
)
BODIES = st.lists(WORDS, max_size=9).map(lambda words: b"".join(word.to_bytes(4, "little") for word in words))
OPCODES = st.integers(0, 0x15) | st.integers(0xD0, 0xD5) | st.integers(0, 255)
FRAMES = st.builds(
    lambda op, body, checksum: encode(Request(op, body, checksum).pack()), OPCODES, BODIES, st.sampled_from((0, 0xEF))
)
NOISE = st.binary(max_size=80) | st.lists(st.sampled_from(b"\xc0\xdb\xdc\xdd\x00"), max_size=40).map(bytes)
STREAMS = st.lists(FRAMES | NOISE, max_size=12)


@pytest.mark.parametrize("generation", GENERATIONS)
@settings(max_examples=150)
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 10_000), max_size=8), pause_ms=st.sampled_from((0, 1, 50)))
def test_any_bytes_in_any_pieces_are_survived(
    generation: Generation, stream: list[bytes], cuts: list[int], pause_ms: int
) -> None:
    world = StubWorld(generation)
    for data in stream:
        end = world.put(data, cuts=cuts)
        world.kernel.advance(end + pause_ms * MS)
        world.sent.clear()
    events = world.kernel.executed
    for _ in range(10):
        world.wait(S)
    assert world.kernel.executed - events < 1000, "it comes to rest, or floods slowly"


@pytest.mark.parametrize("generation", GENERATIONS)
@settings(max_examples=50)
@given(stream=STREAMS, cuts=st.lists(st.integers(0, 10_000), max_size=8))
def test_the_pieces_make_no_difference(generation: Generation, stream: list[bytes], cuts: list[int]) -> None:
    data = b"".join(stream)
    heard = []
    for pieces in ((), cuts):
        world = StubWorld(generation)
        end = world.put(data, cuts=pieces)
        world.kernel.advance(end)
        heard.append(world.wait())
    assert heard[0] == heard[1]


def test_the_legacy_receiver_holds_two_buffers_and_no_more() -> None:
    receiver = LegacyReceiver()
    receiver.feed(b"\xc0")
    tracemalloc.start()
    for _ in range(200):
        receiver.feed(b"\x55" * 10_000)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 4 * BUFFER


class _Nobody:
    def frame_complete(self, frame: bytes) -> None:
        raise AssertionError("no frame ends here")

    def batch_ended(self) -> None:
        return


def test_the_modern_receiver_drops_a_frame_that_never_ends() -> None:
    receiver = ModernReceiver(_Nobody())
    receiver.feed(b"\xc0", 0, 1000)
    tracemalloc.start()
    for number in range(200):
        receiver.feed(b"\x55" * 10_000, 1000 + number * 10_000_000, 1000)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 4 * CAPACITY
