"""SLIP framing: exact bytes, any split, junk reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.protocol.slip import Decoder, Frame, Junk, JunkReason, encode, unescape
from tests.oracle import expand, probes


def frames(events: list[Frame | Junk]) -> list[bytes]:
    return [event.packet for event in events if isinstance(event, Frame)]


def test_encode_escapes_delimiter_and_escape() -> None:
    assert encode(b"\x01\xc0\x02\xdb\x03") == b"\xc0\x01\xdb\xdc\x02\xdb\xdd\x03\xc0"


@given(st.binary(min_size=1, max_size=300), st.integers(1, 40))
def test_decode_undoes_encode_in_pieces_of_any_size(packet: bytes, size: int) -> None:
    wire = encode(packet)
    decoder = Decoder()
    events = [event for start in range(0, len(wire), size) for event in decoder.feed(wire[start : start + size])]
    assert events == [Frame(packet)]


@given(st.lists(st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"a", b"xyz"])).map(b"".join), st.data())
def test_any_split_of_a_stream_gives_the_same_packets(stream: bytes, data: st.DataObject) -> None:
    whole = frames(Decoder().feed(stream))
    decoder = Decoder()
    cut: list[bytes] = []
    rest = stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        cut += frames(decoder.feed(rest[:size]))
        rest = rest[size:]
    assert cut == whole


@given(st.binary(max_size=600), st.integers(1, 64))
def test_every_byte_is_a_delimiter_or_in_one_event_or_pending(stream: bytes, size: int) -> None:
    decoder = Decoder(limit=100)
    events = [event for start in range(0, len(stream), size) for event in decoder.feed(stream[start : start + size])]
    raw = sum(len(encode(event.packet)) - 2 if isinstance(event, Frame) else len(event.data) for event in events)
    assert raw + len(decoder.pending) == len(stream) - stream.count(b"\xc0")


def test_text_before_the_first_delimiter_is_reported_at_once() -> None:
    assert Decoder().feed(b"ets Jul 29") == [Junk(b"ets Jul 29", JunkReason.OUTSIDE)]


def test_a_lost_closing_delimiter_costs_nothing() -> None:
    assert Decoder().feed(b"\xc0one\xc0two\xc0") == [Frame(b"one"), Frame(b"two")]


def test_unknown_escape_is_junk_and_the_next_frame_is_fine() -> None:
    events = Decoder().feed(b"\xc0a\xdb\x00b\xc0\xc0ok\xc0")
    assert events == [Junk(b"a\xdb\x00b", JunkReason.BAD_ESCAPE), Frame(b"ok")]


def test_escape_without_its_second_byte_is_junk() -> None:
    assert Decoder().feed(b"\xc0a\xdb\xc0") == [Junk(b"a\xdb", JunkReason.BAD_ESCAPE)]


def test_a_frame_without_end_is_given_up_at_the_limit() -> None:
    decoder = Decoder(limit=10)
    assert decoder.feed(b"\xc0" + b"x" * 8) == []
    assert decoder.feed(b"y" * 8) == [Junk(b"x" * 8 + b"y" * 8, JunkReason.TOO_LONG)]
    assert decoder.pending == b""
    assert decoder.feed(b"\xc0ok\xc0") == [Frame(b"ok")]


@given(st.binary(max_size=200))
def test_unescape_refuses_exactly_what_encode_never_makes(raw: bytes) -> None:
    body = raw.replace(b"\xc0", b"")
    packet = unescape(body)
    if packet is None:
        assert encode(b"")[1:-1] != body
    else:
        assert encode(packet)[1:-1] == body


@pytest.mark.parametrize("run", [0, 1, 40, 400], ids="{} bytes between escapes".format)
def test_escapes_are_undone_and_judged_alike_however_far_apart_they_are(run: int) -> None:
    plain = b"a" * run
    packet = b"\xc0" + plain + b"\xdb" + plain + b"\xdc" + plain + b"\xc0\xdb" + plain
    body = encode(packet)[1:-1]
    assert unescape(body) == packet
    assert unescape(body + b"\xdb") is None
    assert unescape(body + b"\xdb\x00") is None
    assert unescape(body.replace(b"\xdb\xdd", b"\xdb\xdb", 1)) is None


def test_recorded_answers_decode_to_the_frames_that_the_oracle_lists() -> None:
    checked = 0
    for probe in probes("rom_mem"):
        for exchange in probe["exchanges"]:
            if "frames" not in exchange:
                continue
            packets = frames(Decoder().feed(expand(exchange["recv"])))
            listed = [frame for frame in exchange["frames"] if "op" in frame for _ in range(frame.get("times", 1))]
            assert [packet[1] for packet in packets] == [int(frame["op"], 16) for frame in listed]
            checked += len(listed)
    assert checked > 500
