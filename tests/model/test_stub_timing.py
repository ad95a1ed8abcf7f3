"""When the stubs answer, and what they lose, on a line that runs at its real pace."""

from __future__ import annotations

import hashlib
import random
import zlib
from functools import partial

import pytest

from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request, data_request
from flashcore.protocol.slip import encode
from simulator.chip.stub import Generation
from simulator.kernel import MS, S
from tests.model.stub_world import StubWorld

BOTH = pytest.mark.parametrize("generation", [Generation.LEGACY, Generation.MODERN])

READ_MAGIC = encode(commands.read_reg(0x4000_1000).pack())
MAGIC = bytes.fromhex("c0010a0200831df0000000c0")


def _ok(opcode: int) -> bytes:
    return bytes([0xC0, 1, opcode, 2, 0, 0, 0, 0, 0, 0, 0, 0xC0])


def test_the_legacy_stub_sends_the_header_of_a_digest_at_once_and_the_rest_when_it_is_done() -> None:
    world = StubWorld(Generation.LEGACY)
    end = world.put(encode(commands.spi_flash_md5(0, 0x10_0000).pack()))
    world.kernel.advance(end + S)
    header, rest = world.sent
    assert header.data == bytes.fromhex("c00113120000000000")
    assert rest.data[:-3] == encode(hashlib.md5(b"\xff" * 0x10_0000).digest())[1:-1]
    assert header.start_ns < end + MS
    assert rest.start_ns - header.start_ns == 0x10_0000 * world.soc.config.times.md5_per_byte


def test_the_modern_stub_sends_a_digest_in_one_piece() -> None:
    world = StubWorld(Generation.MODERN)
    end = world.put(encode(commands.spi_flash_md5(0, 0x10_0000).pack()))
    world.kernel.advance(end + S)
    (answer,) = world.sent
    assert answer.start_ns > end + 0x10_0000 * world.soc.config.times.md5_per_byte


@BOTH
def test_a_block_is_acknowledged_before_it_is_written_and_the_next_command_waits(generation: Generation) -> None:
    world = StubWorld(generation)
    world.soc.flash.load(0, b"\0" * 0x4000)
    assert world.ask(commands.flash_begin(0x4000, 1, 0x4000, 0)) == _ok(Opcode.FLASH_BEGIN)
    end = world.put(encode(data_request(Opcode.FLASH_DATA, b"\x5a" * 0x4000, 0).pack()))
    world.kernel.advance(end + 2 * MS)
    assert world.wait(0) == _ok(Opcode.FLASH_DATA)
    asked = world.put(READ_MAGIC)
    world.kernel.advance(asked + 20 * MS)
    assert world.wait(0) == b"", "still erasing and programming"
    assert world.wait() == MAGIC
    assert world.soc.flash.read(0, 0x4000) == b"\x5a" * 0x4000


@BOTH
def test_a_block_may_arrive_while_the_one_before_it_is_written(generation: Generation) -> None:
    world = StubWorld(generation)
    content = random.Random(1).randbytes(0x8000)
    world.ask(commands.flash_begin(0x8000, 2, 0x4000, 0))
    for number in range(2):
        end = world.put(
            encode(data_request(Opcode.FLASH_DATA, content[number * 0x4000 : (number + 1) * 0x4000], number).pack())
        )
        world.kernel.advance(end + 2 * MS)
    assert world.wait() == 2 * _ok(Opcode.FLASH_DATA)
    assert world.soc.flash.read(0, 0x8000) == content


def test_the_legacy_stub_answers_commands_that_follow_each_other_on_the_line() -> None:
    world = StubWorld(Generation.LEGACY)
    world.put(READ_MAGIC * 5)
    assert world.wait() == MAGIC * 5


@pytest.mark.parametrize(("frames", "alive"), [(2, True), (3, False)])
def test_the_modern_stub_loses_frames_that_follow_in_the_same_batch(frames: int, alive: bool) -> None:
    world = StubWorld(Generation.MODERN)
    world.put(READ_MAGIC * frames)
    assert world.wait() == MAGIC
    world.put(READ_MAGIC)
    assert world.wait() == (MAGIC if alive else b"")
    if not alive:
        world.put(b"\xc0" + READ_MAGIC)
        assert world.wait() == MAGIC, "one more single C0 puts the phase right"


@BOTH
def test_a_compressed_image_is_written_and_costs_few_events(generation: Generation) -> None:
    world = StubWorld(generation)
    raw = random.Random(3).randbytes(0x2_0000) + bytes(0x2_0000)
    stream = zlib.compress(raw, 9)
    blocks = [stream[at : at + 0x4000] for at in range(0, len(stream), 0x4000)]
    world.ask(commands.flash_defl_begin(len(raw), len(blocks), 0x4000, 0x1_0000))
    executed = world.kernel.executed
    for number, block in enumerate(blocks):
        answer = world.ask(data_request(Opcode.FLASH_DEFL_DATA, block, number), duration_ns=2 * S)
        assert answer == _ok(Opcode.FLASH_DEFL_DATA)
    assert world.kernel.executed - executed <= 5 * len(blocks)
    assert world.soc.flash.read(0x1_0000, len(raw)) == raw
    assert world.ask(commands.flash_defl_end(stay=True)) == _ok(Opcode.FLASH_DEFL_END)


@BOTH
def test_reading_a_megabyte_costs_few_events_per_block(generation: Generation) -> None:
    world = StubWorld(generation)
    content = random.Random(2).randbytes(0x10_0000)
    world.soc.flash.load(0, content)
    world.ask(commands.spi_set_params(0x40_0000))
    executed = world.kernel.executed
    got = bytearray()
    end = world.put(encode(commands.read_flash(0, len(content), 0x1000, 64).pack()))
    world.kernel.advance(end)
    while len(got) < len(content):
        world.kernel.advance(world.kernel.next_deadline() or 0)
        for chunk in world.sent:
            if len(chunk.data) > 0x1000:
                got += chunk.data[1:-1].replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                acknowledgement = encode(len(got).to_bytes(4, "little"))
                world.kernel.at(chunk.end_ns, partial(world.put, acknowledgement))
        world.sent.clear()
    assert got == content
    assert world.wait() == encode(hashlib.md5(content).digest())
    assert world.kernel.executed - executed <= 7 * 256


@BOTH
def test_the_rate_changes_behind_the_answer(generation: Generation) -> None:
    world = StubWorld(generation)
    assert world.ask(commands.change_baudrate(921_600, 115_200)) == _ok(Opcode.CHANGE_BAUDRATE)
    assert abs(world.soc.uart.baud - 921_600) < 5000
    world.put(READ_MAGIC)
    assert world.wait() == MAGIC


def test_the_legacy_stub_goes_wrong_when_the_old_rate_is_not_told() -> None:
    world = StubWorld(Generation.LEGACY)
    world.ask(commands.change_baudrate(921_600, 0))
    assert abs(world.soc.uart.baud - 921_600) > 100_000
    assert ("gap", "UART divider 0") in world.notes


def test_flash_end_without_staying_restarts_the_legacy_stubs_chip_only() -> None:
    for generation, boots in ((Generation.LEGACY, 2), (Generation.MODERN, 1)):
        world = StubWorld(generation)
        world.ask(commands.flash_begin(0, 0, 0x4000, 0))
        world.ask(commands.flash_end(stay=False))
        assert world.soc.boots == boots


@BOTH
def test_loading_another_stub_over_the_running_one_is_a_known_jump_or_a_gap(generation: Generation) -> None:
    world = StubWorld(generation)
    world.ask(commands.mem_begin(0, 0, 0x400, 0x3FFE_8000))
    assert world.ask(Request(Opcode.MEM_END, (0).to_bytes(4, "little") + (0x4008_0000).to_bytes(4, "little"))) == _ok(6)
    assert any(kind == "gap" for kind, _ in world.notes)
