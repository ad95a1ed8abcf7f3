"""The kernel: order, cancelling, and time that only moves when asked."""

from __future__ import annotations

from simulator.kernel import Kernel
from simulator.rng import Rng
from simulator.wire import Chunk, as_received, byte_time


def test_ties_run_by_priority_then_in_the_order_of_planning() -> None:
    kernel, ran = Kernel(), []
    kernel.at(5, lambda: ran.append("b"))
    kernel.at(5, lambda: ran.append("c"))
    kernel.at(5, lambda: ran.append("a"), priority=-1)
    kernel.advance(5)
    assert ran == ["a", "b", "c"]


def test_actions_see_their_own_time_and_advance_ends_at_its_target() -> None:
    kernel, seen = Kernel(), []
    kernel.at(3, lambda: seen.append(kernel.now))
    kernel.advance(10)
    assert (seen, kernel.now) == ([3], 10)


def test_an_action_planned_for_the_past_runs_now() -> None:
    kernel, seen = Kernel(), []
    kernel.advance(10)
    kernel.at(3, lambda: seen.append(kernel.now))
    kernel.advance(10)
    assert seen == [10]


def test_cancelled_actions_neither_run_nor_count_as_a_deadline() -> None:
    kernel, ran = Kernel(), []
    timer = kernel.at(5, lambda: ran.append("x"))
    timer.cancel()
    assert kernel.next_deadline() is None
    kernel.advance(9)
    assert ran == []


def test_streams_are_independent_of_each_other_and_of_their_order() -> None:
    one, two = Rng(7), Rng(7)
    first = one.stream("a").bytes(8)
    two.stream("b").bytes(100)
    assert two.stream("a").bytes(8) == first
    assert Rng(8).stream("a").bytes(8) != first


def test_streams_are_the_same_for_ever() -> None:
    dice = Rng(1).stream("fault.0")
    assert (dice.bytes(4).hex(), dice.below(1000), dice.between(5, 9)) == LOCKED_DRAWS


LOCKED_DRAWS = ("a97c6974", 258, 8)


def test_pieces_end_where_frames_end_and_keep_their_times() -> None:
    chunk = Chunk(b"\xc0ab\xc0\xc0c\xc0d", 1000, 10, 115200)
    assert [(piece.data, piece.start_ns) for piece in chunk.pieces()] == [
        (b"\xc0ab\xc0", 1000),
        (b"\xc0c\xc0", 1040),
        (b"d", 1070),
    ]


def test_pieces_of_delimiters_alone_lose_none() -> None:
    for count in range(6):
        data = b"\xc0" * count
        assert b"".join(piece.data for piece in Chunk(data, 0, 1, 1).pieces()) == data


def test_bytes_survive_a_small_mismatch_and_not_a_large_one() -> None:
    dice = Rng(0).stream("x")
    chunk = Chunk(b"hello", 0, byte_time(115200), 115200)
    assert as_received(chunk, 117000, dice) == b"hello"
    assert as_received(chunk, 9600, dice) != b"hello"
