"""Faults: their text form, and what they do to a stream."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.errors import PlanError
from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import data_request
from flashcore.protocol.slip import encode
from simulator.board.adapter import SerialAdapter
from simulator.board.bridge import BRIDGES
from simulator.faults import presets, triggers
from simulator.faults.actions_flow import SOURCES
from simulator.faults.bench import Bench
from simulator.faults.frames import FrameFollower
from simulator.faults.model import Fault
from simulator.faults.plan import install
from simulator.faults.presets.preset import parse_preset
from simulator.faults.registry import ACTIONS, HEALS, TRIGGERS, places, suits
from simulator.faults.stream import StreamFault
from simulator.faults.text import format as text_of
from simulator.faults.text import parse
from simulator.faults.triggers import FLASH_KINDS
from simulator.kernel import Kernel
from simulator.rng import Rng
from simulator.wire import Chunk

BLOCKS = [encode(data_request(Opcode.MEM_DATA, bytes([n]) * 20, n).pack()) for n in range(4)]


def active(text: str, seed: int = 0) -> StreamFault:
    kernel, rng = Kernel(), Rng(seed)
    adapter = SerialAdapter(BRIDGES["ideal"], kernel, rng, lambda kind, content: None)
    (found,) = install(Bench(kernel=kernel, adapter=adapter), [parse(text)], rng)
    assert isinstance(found, StreamFault)
    return found


def passed(fault: StreamFault, *writes: bytes, gap_ns: int = 1_000_000) -> list[bytes]:
    return [
        b"".join(chunk.data for chunk in fault(Chunk(data, index * gap_ns, 0, 115200))) for index, data in enumerate(writes)
    ]


ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "data": st.binary(max_size=20),
    "opcode": st.one_of(st.none(), st.integers(0, 255)),
    "at": st.one_of(st.none(), st.integers(-100, 100)),
    "kind": st.sampled_from(FLASH_KINDS),
    "line": st.sampled_from(("dtr", "rts")),
    "source": st.sampled_from(sorted(SOURCES)),
    "name": st.from_regex(r"[A-Za-z0-9_./-]{0,12}", fullmatch=True),
    "percent": st.floats(-10, 10),
    "back": st.floats(-1, 100),
    "up": st.floats(0.001, 1),
    "every": st.floats(1, 100),
    "share": st.floats(0, 1),
    "by": st.sampled_from(("", "ModemManager", "my-monitor.py")),
    "usb_id": st.sampled_from(("", "303A:1001", "0000:0000")),
    "probability": st.floats(0, 1),
    "mask": st.integers(1, 255),
    "code": st.integers(0, 255),
    "id": st.integers(0, 0xFFFFFF),
    "offset": st.integers(0, 0xFFFFFF),
    "factor": st.floats(1, 1000),
    "period": st.floats(0.001, 100),
    "charge": st.floats(0.001, 100),
}
"""Arguments that are not just any small number of their type."""

BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(1, 4096),
    "float": st.floats(0, 100),
    "bool": st.booleans(),
}


def values_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    fields = dataclasses.fields(cls)
    return st.builds(
        cls, **{field.name: ARGUMENTS[field.name] if field.name in ARGUMENTS else BY_TYPE[str(field.type)] for field in fields}
    )


plain_triggers = st.sampled_from(sorted(TRIGGERS)).flatmap(lambda name: values_of(TRIGGERS[name]))
any_trigger = st.recursive(
    plain_triggers, lambda inner: st.builds(triggers.AfterTrigger, inner, st.floats(0, 100)), max_leaves=3
)
any_action = st.sampled_from(sorted(ACTIONS)).flatmap(lambda name: values_of(ACTIONS[name]))
any_heals = st.sampled_from(sorted(HEALS)).flatmap(lambda name: values_of(HEALS[name]))


@st.composite
def any_fault(draw: st.DrawFn) -> Fault:
    what = draw(any_action)
    where = draw(st.sampled_from(places(type(what))))
    return Fault(
        where=where,
        when=draw(any_trigger.filter(lambda trigger: suits(trigger, where))),
        what=what,
        times=draw(st.integers(0, 9)),
        heals=draw(any_heals),
        transient=draw(st.booleans()),
    )


@given(any_fault())
def test_text_form_and_value_are_inverse(fault: Fault) -> None:
    assert dataclasses.replace(parse(text_of(fault)), name="") == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("h2d:always", "2 of 3 parts"),
        ("h3d:always:drop", "unknown place 'h3d'"),
        ("h2d:allways:drop", "unknown trigger 'allways'"),
        ("h2d:always:drap", "unknown action 'drap'"),
        ("h2d:nth_frame(MEM_DATUM,3):drop", "opcode must be a number"),
        ("h2d:nth_frame(MEM_DATA,0):drop", "n must lie between 1"),
        ("h2d:nth_frame(SYNC):drop", "n must be a number"),
        ("h2d:nth_frame(2.5):drop", "n must be a whole number"),
        ("h2d:always:corrupt(mask=1.5)", "mask must be a whole number"),
        ("h2d:chance(1.5):drop", "probability must lie between 0 and 1"),
        ("h2d:always:corrupt(colour=3)", "takes no argument"),
        ("h2d:always:insert(data=xyz)", "hexadecimal"),
        ("h2d:always:delay", "needs seconds"),
        ("h2d:always:drop:often", "unknown option 'often'"),
        ("h2d:always:drop:heals=luck", "unknown rule 'luck'"),
        ("lines:always:drop", "drop cannot happen at lines"),
        ("flash:nth_byte(3):ignore", "nth_byte(n=3) means nothing at flash"),
        ("h2d:after(nth_frame(SYNC,1),x):drop", "seconds must be a number"),
        ("h2d:after(after(after(after(after(after(at(1),1),1),1),1),1),1):drop", "more than 4 triggers"),
        ("flash:flash_op(wipe,1):ignore", "unknown kind 'wipe'"),
        ("usb:always:disconnect(name=COM 3)", "letters, digits"),
    ],
)
def test_what_is_wrong_with_a_text_is_said(text: str, says: str) -> None:
    with pytest.raises(PlanError, match=None) as caught:
        parse(text)
    assert says in caught.value.message


@given(st.text(max_size=60))
def test_any_text_at_all_gives_a_fault_or_one_error(text: str) -> None:
    try:
        parse(text)
    except PlanError as error:
        assert error.message  # noqa: PT017 - the point is that it says something


def test_nth_frame_with_one_number_counts_all_frames_however_many() -> None:
    assert parse("h2d:nth_frame(364):drop").when == triggers.NthFrame(None, 364)


def test_nth_frame_counts_frames_of_its_command_only() -> None:
    fault = active("h2d:nth_frame(MEM_DATA,2):drop")
    sync = encode(commands.sync().pack())
    assert passed(fault, sync, BLOCKS[0], sync, BLOCKS[1], BLOCKS[2]) == [sync, BLOCKS[0], sync, b"", BLOCKS[2]]
    assert fault.fired == 1


def test_a_frame_written_in_pieces_is_dropped_whole_but_for_its_first_delimiter() -> None:
    fault = active("h2d:nth_frame(MEM_DATA,1):drop")
    pieces = [BLOCKS[0][:1], BLOCKS[0][1:10], BLOCKS[0][10:]]
    assert passed(fault, *pieces, BLOCKS[1]) == [b"\xc0", b"", b"", BLOCKS[1]]


def test_corrupt_flips_the_named_byte() -> None:
    fault = active("h2d:nth_frame(MEM_DATA,1):corrupt(mask=0x80,at=30)")
    (wire,) = passed(fault, BLOCKS[0])
    assert [(i, a ^ b) for i, (a, b) in enumerate(zip(wire, BLOCKS[0], strict=True)) if a != b] == [(30, 0x80)]


@given(st.integers(0, 500))
def test_corrupt_without_a_position_neither_makes_nor_breaks_delimiters(seed: int) -> None:
    block = encode(data_request(Opcode.FLASH_DATA, bytes(range(256)), 0).pack())
    (wire,) = passed(active("h2d:nth_frame(FLASH_DATA,1):corrupt(mask=0x01)", seed), block)
    differing = [index for index, (a, b) in enumerate(zip(wire, block, strict=True)) if a != b]
    assert len(differing) == 1
    assert differing[0] >= 25
    assert wire.count(b"\xc0") == 2
    assert wire.count(b"\xdb") == block.count(b"\xdb")


def test_times_limits_how_often_a_fault_strikes() -> None:
    fault = active("h2d:every(1):drop:times=2")
    assert passed(fault, *BLOCKS) == [b"", b"", BLOCKS[2], BLOCKS[3]]
    assert fault.fired == 2


def test_duplicate_and_insert_move_what_comes_behind() -> None:
    fault = active("d2h:nth_frame(any,1):duplicate")
    both = BLOCKS[0] + BLOCKS[1]
    chunks = fault(Chunk(both, 0, 10, 115200))
    assert b"".join(chunk.data for chunk in chunks) == BLOCKS[0] * 2 + BLOCKS[1]
    assert [chunk.start_ns for chunk in chunks] == [0, len(BLOCKS[0]) * 10, 2 * len(BLOCKS[0]) * 10]


def test_delayed_bytes_hold_up_what_is_behind_them_and_no_more() -> None:
    fault = active("d2h:nth_frame(any,2):delay(0.5)")
    starts = [fault(Chunk(BLOCKS[0], at, 0, 115200))[0].start_ns for at in (0, 1000, 2000, 600_000_000)]
    assert starts == [0, 500_001_000, 500_001_000, 600_000_000]


def test_stall_lets_nothing_pass_any_more() -> None:
    fault = active("d2h:nth_frame(any,2):stall")
    assert passed(fault, *BLOCKS) == [BLOCKS[0], b"", b"", b""]


def test_truncate_keeps_the_delimiter() -> None:
    fault = active("d2h:nth_frame(any,1):truncate(6)")
    assert passed(fault, BLOCKS[0]) == [BLOCKS[0][:6] + b"\xc0"]


def test_nth_byte_hits_one_byte_across_writes() -> None:
    fault = active("h2d:nth_byte(5):corrupt(mask=0xff,at=0)")
    assert passed(fault, b"abc", b"def") == [b"abc", b"d" + bytes([ord("e") ^ 0xFF]) + b"f"]


def test_long_burst_spares_short_writes_and_damages_long_ones() -> None:
    text = "h2d:always:long_burst(burst_ok=64,gap_ms=5,probability=1,packet=64,lose=8)"
    fault = active(text)
    long = bytes(range(1, 129)) * 4
    assert passed(fault, long[:64], long[:64], gap_ns=6_000_000) == [long[:64], long[:64]]
    assert fault.fired == 0
    (damaged,) = passed(active(text), long)
    assert damaged.startswith(long[:64])
    assert 7 <= len(long) - len(damaged) <= 56


def test_long_burst_keeps_delimiters() -> None:
    fault = active("h2d:always:long_burst(burst_ok=0,gap_ms=5,probability=1,packet=16,lose=16)")
    for block in BLOCKS:
        (wire,) = passed(fault, block)
        assert wire.count(b"\xc0") == 2


@given(st.lists(st.sampled_from([b"\xc0", b"\x00", b"\x07", b"ab", b"\xdb\xdc"]), max_size=30).map(b"".join), st.integers(1, 9))
def test_following_frames_changes_no_byte(stream: bytes, size: int) -> None:
    follower = FrameFollower()
    parts = [
        part for start in range(0, len(stream), size) for part in follower.follow(Chunk(stream[start : start + size], 0, 0, 1))
    ]
    assert b"".join(part.chunk.data for part in parts) == stream


def test_every_preset_reads_back_and_names_its_evidence() -> None:
    for name in presets.names():
        row = presets.preset(name)
        assert row.id == name
        assert row.evidence
        assert row.duty
        assert row.plan() or row.device or row.state or row.host is not None


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(PlanError) as caught:
        presets.preset("silent-lime")
    assert "silent-line" in caught.value.hint


ROW = 'id = "a"\ntitle = "b"\nrank = 1\nclass = "c"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id = ", "x.toml: "),
        ('id = "a"', "field 'title' is missing"),
        ('id = "a"\ntitle = 3', "x.toml: title: expected a text, not a whole number"),
        (ROW + 'headline = "b"', "unknown field 'headline'"),
        (ROW + "faults = [1]", "x.toml: faults[0]: expected a text, not a whole number"),
        (ROW + 'faults = ["h2d:always:drop", "h2d:x:drop"]', "x.toml: faults[1]: fault 'h2d:x:drop': unknown trigger 'x'"),
        (ROW + 'accept = ["("]', "x.toml: accept[0] is no regular expression"),
        (ROW + "[board]\nc_nf = -1", "x.toml: board.c_nf: must be >= 0, not -1"),
        (ROW + "[board.strap]\nio3 = true", "x.toml: board.strap: unknown field 'io3'"),
        (ROW + "[[job.images]]\noffset = 0\nkind = 'elf'", "x.toml: job.images[0].kind: unknown value 'elf'"),
        (ROW + "[[job.images]]\nofset = 0", "x.toml: job.images[0]: unknown field 'ofset'"),
    ],
)
def test_a_bad_preset_file_gives_one_error_with_the_field(text: str, says: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_preset(text, source="x.toml")
    assert says in caught.value.message


def test_an_unknown_field_of_a_table_is_told_with_the_nearest_of_that_table() -> None:
    with pytest.raises(PlanError) as caught:
        parse_preset(ROW + "[[job.images]]\nofset = 0", source="x.toml")
    assert "'offset'" in caught.value.hint


PIECES = (bytes.fromhex("c0011312000000000000"), bytes(range(1, 17)), bytes.fromhex("0000c0"))
"""An answer as the legacy stub sends it: in several pieces, one behind the other."""


@pytest.mark.parametrize(
    ("what", "arrives"),
    [
        ("corrupt(mask=0x80,at=12)", b"".join(PIECES)[:12] + b"\x83" + b"".join(PIECES)[13:]),
        ("corrupt(mask=0x80,at=-2)", b"".join(PIECES)[:-2] + b"\x80\xc0"),
        ("truncate(keep=6)", b"".join(PIECES)[:6] + b"\xc0"),
        ("truncate(keep=12,delimiter=false)", b"".join(PIECES)[:12]),
        ("duplicate", 2 * b"".join(PIECES)),
        ("drop", b""),
        ("insert(data=aa)", b"\xaa" + b"".join(PIECES)),
    ],
)
def test_a_frame_in_several_pieces_is_one_frame(what: str, arrives: bytes) -> None:
    fault = active(f"d2h:nth_frame(any,1):{what}")
    sent: list[Chunk] = []
    start = 0
    for piece in PIECES:
        sent += fault(Chunk(piece, start, 10, 115200))
        start += 10 * len(piece)
    assert b"".join(chunk.data for chunk in sent) == arrives
    assert fault.fired == 1
    assert [later.start_ns >= earlier.end_ns for earlier, later in pairwise(sent)] == [True] * (len(sent) - 1)


def test_a_place_behind_the_end_of_a_frame_is_not_hit_and_not_counted() -> None:
    fault = active("d2h:nth_frame(any,1):corrupt(mask=0x80,at=40)")
    assert b"".join(chunk.data for piece in PIECES for chunk in fault(Chunk(piece, 0, 0, 115200))) == b"".join(PIECES)
    assert fault.fired == 0
