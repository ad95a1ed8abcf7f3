"""The ladder of a run says what was sent, what became of it on its way, and nothing that did not happen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

import pytest

from flashcore.errors import FlashcoreError
from flashcore.image import Region
from flashcore.loader import Flasher, Options
from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Response, data_request
from flashcore.protocol.slip import encode
from simulator.links.virtual import VirtualPort
from simulator.record.crossings import Crossing, Recorder, Way
from simulator.record.events import Event
from simulator.record.excerpt import ALIKE, BEFORE, HEAD, SPARED, TAIL, excerpt
from simulator.record.frame_text import Reader, loose
from simulator.record.ladder import Kind, Step, ladder
from simulator.record.transits import Fate, transits
from simulator.scenario import Scenario
from simulator.wire import Chunk

REGION = Region(offset=0x10000, data=bytes(range(256)) * 160)


def recorded(*faults: str, records: bool = True) -> tuple[list[Step], str]:
    """Return the ladder of flashcore's ROM session under `faults`, empty unless it `records`, and the hash of its events."""
    world = Scenario(faults=faults, keep_events=True).build()
    recorder = Recorder(world.device, world.journal) if records else None
    try:
        with Flasher.open(VirtualPort(world.device), Options(use_stub=False)) as flasher:
            flasher.write([REGION])
    except FlashcoreError:
        pass
    if recorder is None:
        return [], world.journal.digest()
    recorder.stop()
    return ladder(recorder.events, recorder.crossings), world.journal.digest()


def struck(steps: Iterable[Step]) -> list[Step]:
    return [step for step in steps if step.strikes]


# --- what became of a frame ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "fate", "title", "says"),
    [
        ("d2h:nth_frame(FLASH_DEFL_DATA,1):drop", Kind.TO_HOST, Fate.LOST, "FLASH_DEFL_DATA answer", ""),
        ("h2d:nth_frame(FLASH_DEFL_DATA,1):drop", Kind.TO_CHIP, Fate.LOST, "FLASH_DEFL_DATA #0", ""),
        (
            "h2d:nth_frame(SPI_FLASH_MD5,1):corrupt(mask=0x01,at=10)",
            Kind.TO_CHIP,
            Fate.DAMAGED,
            "SPI_FLASH_MD5",
            "1 bit flipped, the first in byte 9",
        ),
        ("h2d:nth_frame(SPI_ATTACH,1):truncate(keep=6)", Kind.TO_CHIP, Fate.DAMAGED, "SPI_ATTACH", "5 bytes of 16"),
        ("d2h:nth_frame(SPI_ATTACH,1):duplicate", Kind.TO_HOST, Fate.DOUBLED, "SPI_ATTACH answer", ""),
        ("d2h:nth_frame(SPI_ATTACH,1):delay(7.0)", Kind.TO_HOST, Fate.LATE, "SPI_ATTACH answer", "7.0 s late"),
        ("h2d:nth_frame(SPI_ATTACH,1):insert(data=55aa00)", Kind.TO_CHIP, Fate.INVENTED, "noise", "3 bytes: 55 aa 00"),
    ],
)
def test_each_kind_of_damage_shows_at_the_frame_that_it_struck(
    fault: str, kind: Kind, fate: Fate, title: str, says: str
) -> None:
    (step,) = struck(recorded(fault)[0])
    assert (step.kind, step.fate, step.title, step.fault) == (kind, fate, title, fault)
    assert says in step.detail


def test_nothing_strikes_where_there_is_no_fault_and_recording_changes_nothing() -> None:
    steps, digest = recorded()
    assert struck(steps) == []
    assert digest == recorded(records=False)[1]
    assert recorded("mac-cdc-long-frame")[1] == recorded("mac-cdc-long-frame", records=False)[1]


def test_equal_frames_in_one_write_are_told_apart_by_their_place() -> None:
    frame = encode(commands.sync().pack())
    crossing = Crossing(Way.TO_CHIP, 0, Chunk(frame * 3, 5, 0, 115200), arrived=[Chunk(frame * 2, 5, 0, 115200)])
    assert [item.fate for item in transits([crossing])] == [Fate.DELIVERED, Fate.DELIVERED, Fate.LOST]


def test_bytes_that_nobody_sent_are_invented() -> None:
    crossing = Crossing(Way.TO_HOST, 3, None, arrived=[Chunk(b"hello there", 5, 0, 115200)])
    (item,) = transits([crossing])
    assert (item.fate, item.data, item.position) == (Fate.INVENTED, b"hello there", 3)


# --- words -----------------------------------------------------------------------------------------------------------


def test_requests_are_named_with_what_they_ask_for() -> None:
    reader = Reader()
    block = data_request(Opcode.MEM_DATA, b"abcd", 3)
    assert reader.request(block.pack()).title == "MEM_DATA #3"
    assert reader.request(block.pack()).detail == "4 bytes"
    wrong = block.pack()[:-1] + b"x"
    assert reader.request(wrong).detail == "4 bytes, checksum wrong"
    assert reader.request(block.pack()[:-1]).detail == "says 20 bytes, has 19"
    assert reader.request(commands.read_reg(0x40001000).pack()).detail == "0x40001000"
    assert (
        reader.request(commands.flash_begin(4096, 4, 1024, 0x10000).pack()).detail
        == "4096 bytes in 4 blocks of 1024 at 0x10000"
    )


def test_a_refusal_is_read_as_the_loader_that_speaks_means_it() -> None:
    reader = Reader()
    rom = Response(Opcode.MEM_DATA, 0, b"\1\7\0\0", 4).pack()
    stub = Response(Opcode.FLASH_DATA, 0, b"\xc1\0", 2).pack()
    assert reader.answer(rom).refused
    assert reader.answer(rom).detail == "refused: checksum of the block wrong (01 07)"
    assert reader.answer(b"OHAI").title == "OHAI"
    assert reader.answer(stub).detail == "refused: checksum of the block wrong (c1 00)"
    assert reader.answer(rom).detail == "refused: checksum of the block wrong (01 07)"


def test_text_is_quoted_and_noise_is_not() -> None:
    assert loose(b"\r\nERROR\r\n").detail == "ERROR"
    assert loose(bytes(range(128, 140))).title == "noise"
    boot = b"ets Jun  8 2016\r\nrst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0))\r\nwaiting for download\r\n"
    assert loose(boot).detail.endswith("waiting for download")


def test_line_edges_and_resets_are_in_their_place() -> None:
    titles = [step.title for step in recorded()[0][:9]]
    assert titles[1:3] == ["port opened", "115200 baud"]
    assert "DTR released, RTS asserted" in titles
    assert titles.index("DTR released, RTS asserted") < titles.index("EN low") < titles.index("reset POWERON_RESET strap 0x03")


# --- excerpts and JSON -----------------------------------------------------------------------------------------------


def rung(number: int, **other: object) -> Step:
    return Step(at_ns=number, end_ns=number, kind=Kind.TO_CHIP, title=f"FLASH_DATA #{number}", **other)  # type: ignore[arg-type]


def test_an_excerpt_has_the_ends_and_every_strike_and_says_what_it_leaves_out() -> None:
    steps = [rung(number, fate=Fate.LOST if number in (100, 200) else Fate.DELIVERED) for number in range(300)]
    short = excerpt(steps, limit=40)
    shown = [step for step in short if step.kind is not Kind.SKIPPED]
    assert len(short) <= 42
    assert shown[:HEAD] == steps[:HEAD]
    assert shown[-TAIL:] == steps[-TAIL:]
    assert struck(shown) == [steps[100], steps[200]]
    assert sum(step.count for step in short) == 300
    skipped = next(step for step in short if step.kind is Kind.SKIPPED)
    assert skipped.title == f"FLASH_DATA ×{skipped.count}"


def test_an_excerpt_does_not_leave_out_less_than_it_would_say() -> None:
    near = HEAD + BEFORE + SPARED
    steps = [rung(number, fate=Fate.LOST if number == near else Fate.DELIVERED) for number in range(300)]
    assert excerpt(steps, limit=40)[: near + 1] == steps[: near + 1]


def test_an_excerpt_stays_short_where_everything_strikes() -> None:
    short = excerpt([rung(number, fate=Fate.LOST) for number in range(3000)], limit=30)
    assert 25 <= len(short) <= 32


def test_a_fault_that_strikes_the_same_again_and_again_is_shown_a_few_times() -> None:
    steps = [
        Step(at_ns=number, end_ns=number, kind=Kind.TO_HOST, title="SYNC answer", fate=Fate.LOST, fault="d2h:every(2):drop")
        if number % 20 == 0
        else rung(number)
        for number in range(2000)
    ]
    assert len(struck(excerpt(steps, limit=500))) == ALIKE


def test_a_short_ladder_is_shown_whole() -> None:
    steps = [rung(number) for number in range(30)]
    assert excerpt(steps, limit=30) == steps


def test_a_step_comes_back_from_json_as_it_was() -> None:
    step = rung(1, fate=Fate.LATE, detail="x", refused=True, fault="d2h:always:drop")
    assert Step.from_fields(json.loads(json.dumps(asdict(step)))) == step
    assert Step.from_fields(json.loads(json.dumps(step.to_fields()))) == step
    assert set(rung(1).to_fields()) == {"at_ns", "end_ns", "kind", "title"}
    with pytest.raises(ValueError, match="not the fields of a step"):
        Step.from_fields({"kind": "h2d", "fate": "lost"})


def test_a_fault_of_the_device_is_a_step_of_its_own() -> None:
    events = [Event(0, "open", b""), Event(5, "fault", b"chip:at(1):brownout"), Event(5, "chip", b"reset BROWN_OUT strap 0x13")]
    steps = ladder(events, [])
    assert [step.kind for step in steps] == [Kind.PORT, Kind.FAULT, Kind.CHIP]
    assert struck(steps) == [steps[1]]


def test_two_lines_are_told_apart_and_each_has_its_own_loader() -> None:
    sync, answer = encode(commands.sync().pack()), encode(Response(Opcode.SYNC, 0, b"\0\0", 2).pack())
    refused = encode(Response(Opcode.MEM_DATA, 0, b"\1\7\0\0", 4).pack())
    crossings = [
        Crossing(way, number, Chunk(data, number, 0, 115200), line, arrived=[Chunk(data, number, 0, 115200)])
        for number, (way, line, data) in enumerate(
            [
                (Way.TO_CHIP, "", sync),
                (Way.TO_CHIP, "/dev/ttyUSB1", sync),
                (Way.TO_HOST, "/dev/ttyUSB1", answer),
                (Way.TO_HOST, "", refused),
            ]
        )
    ]
    steps = ladder([], crossings)
    assert [step.title for step in steps] == ["SYNC", "/dev/ttyUSB1: SYNC", "/dev/ttyUSB1: SYNC answer", "MEM_DATA answer"]
    assert steps[3].detail == "refused: checksum of the block wrong (01 07)"


def test_what_a_chip_says_to_a_closed_port_is_no_step() -> None:
    world = Scenario(keep_events=True).build()
    recorder = Recorder(world.device, world.journal)
    world.device.advance(2_000_000_000)
    assert {step.kind for step in ladder(recorder.events, recorder.crossings)} == {Kind.CHIP}


def test_talk_that_a_fault_makes_is_told_with_its_name() -> None:
    fault = "chip_to_bridge:always:chatter(source=nmea,period=0.01)"
    talk = [step for step in recorded(fault)[0] if step.fault]
    assert {(step.fault, step.fate, step.kind) for step in talk} == {(fault, Fate.DELIVERED, Kind.TO_HOST)}
    assert all(step.end_ns - step.at_ns < 600_000_000 for step in talk if step.count == 1)


def test_a_board_at_another_port_is_told_only_if_somebody_opens_it() -> None:
    events = [Event(0, "chip", b"reset A"), Event(0, "chip", b"reset B"), Event(5, "open", b""), Event(6, "chip", b"reset B")]
    titles = [step.title for step in ladder(events[:2], [], {1: "/dev/ttyUSB1"})]
    assert titles == ["reset A"]
    titles = [step.title for step in ladder(events, [], {1: "/dev/ttyUSB1", 2: "/dev/ttyUSB1", 3: "/dev/ttyUSB1"})]
    assert titles == ["reset A", "/dev/ttyUSB1: reset B", "/dev/ttyUSB1: port opened", "/dev/ttyUSB1: reset B"]


def test_a_fault_that_strikes_in_a_row_is_one_step() -> None:
    events = [Event(number, "fault", b"flash:always:slow_erase struck block_erase 0x%x" % number) for number in range(5)]
    (step,) = ladder(events, [])
    assert (step.title, step.detail, step.count) == ("flash:always:slow_erase", "block_erase 0x0", 5)


def test_an_answer_at_another_rate_is_said_to_be_misheard() -> None:
    world = Scenario(keep_events=True).build()
    recorder = Recorder(world.device, world.journal)
    port = VirtualPort(world.device, baudrate=9600)
    port.read(100, port.clock.now_ns() + 50_000_000)
    recorder.stop()
    (step,) = [step for step in ladder(recorder.events, recorder.crossings) if step.kind is Kind.TO_HOST]
    assert (step.title, step.fate) == ("boot log", Fate.MISHEARD)
    assert "the host listens at 9600 baud" in step.detail
    assert not step.strikes
