"""What the recordings could not show of the ROM: baud detection, the time its work takes, an unattached flash."""

from __future__ import annotations

import struct
import zlib
from itertools import pairwise

import pytest

from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import DATA_HEADER, HEADER, Request, checksum
from flashcore.protocol.slip import encode
from simulator.chip.autobaud import EDGES, Autobaud
from simulator.chip.boot import first_program
from simulator.chip.config import ORACLE, ChipConfig
from simulator.chip.rom.deflate import WINDOW, Inflated, Inflator
from simulator.chip.rom.loader import RomLoader
from simulator.chip.soc import Soc
from simulator.kernel import MS, US, Kernel
from simulator.rng import Rng
from simulator.wire import Chunk, byte_time

SYNC = encode(Request(Opcode.SYNC, b"\x07\x07\x12\x20" + b"\x55" * 32).pack())
READ_MAGIC = encode(Request(Opcode.READ_REG, struct.pack("<I", 0x40001000)).pack())
MAGIC_ANSWER = bytes.fromhex("c0010a0400831df00000000000c0")


class Bench:
    """A chip in download mode, and a host at any rate."""

    def __init__(self, config: ChipConfig) -> None:
        self.kernel = Kernel()
        self.sent: list[Chunk] = []
        self.soc = Soc(
            config,
            self.kernel,
            Rng(0),
            start=first_program,
            transmit=self.sent.append,
            straps=lambda: 3,
            note=lambda _kind, _text: None,
        )
        self.soc.set_enabled(True)
        self.kernel.advance(100 * MS)
        self.sent.clear()

    def say(self, data: bytes, baud: int = 115200, *, wait_ns: int = 100 * MS) -> list[Chunk]:
        line = Chunk(data, self.kernel.now, byte_time(baud), baud)
        for piece in line.pieces():
            self.kernel.at(piece.end_ns, lambda piece=piece: self.soc.receive(piece))  # type: ignore[misc]
        self.kernel.advance(line.end_ns + wait_ns)
        answers, self.sent[:] = list(self.sent), []
        return answers

    def ask(self, opcode: Opcode, *words: int, payload: bytes = b"") -> bytes:
        body = struct.pack(f"<{len(words)}I", *words) + payload
        packet = HEADER.pack(0, opcode, len(body), checksum(payload)) + body
        return b"".join(chunk.data for chunk in self.say(encode(packet), wait_ns=30_000 * MS))


@pytest.mark.parametrize("baud", [9_600, 74_880, 115_200, 460_800])
def test_first_sync_is_spent_on_measuring_the_rate_and_later_ones_are_answered_at_it(baud: int) -> None:
    bench = Bench(ChipConfig())
    assert bench.say(SYNC, baud) == []
    answers = bench.say(SYNC, baud, wait_ns=2_000 * MS)
    assert b"".join(chunk.data for chunk in answers) == bytes.fromhex("c0010804000707122000000000c0") * 8
    assert answers[0].baud == baud


def test_a_short_first_frame_is_not_enough_to_measure_the_rate() -> None:
    bench = Bench(ChipConfig())
    short = encode(Request(Opcode.SYNC).pack())
    for _ in range(5):
        assert bench.say(short) == []
    assert isinstance(bench.soc.program, RomLoader)
    assert not bench.soc.program.connected


def test_edges_of_a_byte_are_its_level_changes_from_idle_to_idle() -> None:
    for byte in range(256):
        levels = [1, 0, *((byte >> bit) & 1 for bit in range(8)), 1]
        assert EDGES[byte] == sum(a != b for a, b in pairwise(levels))


def test_autobaud_is_done_with_the_byte_that_passes_127_edges() -> None:
    counter = Autobaud()
    assert counter.feed(b"\x55" * 12) == 12
    assert not counter.done
    assert counter.feed(b"\x55\x55\x55") == 1
    assert counter.done


def test_clkdiv_tells_the_measured_rate() -> None:
    bench = Bench(ChipConfig(crystal_mhz=40))
    bench.say(SYNC, 115200)
    bench.say(SYNC, 115200)
    word = int.from_bytes(bench.ask(Opcode.READ_REG, 0x3FF40014)[5:9], "little")
    sixteenths = (word & 0xFFFFF) * 16 + (word >> 20)
    assert round(40_000_000 * 16 / sixteenths) == pytest.approx(115200, rel=0.001)


def test_baud_rate_changes_behind_the_answer_and_the_empty_frame() -> None:
    bench = Bench(ChipConfig())
    bench.say(SYNC)
    bench.say(SYNC)
    answers = bench.say(encode(Request(Opcode.CHANGE_BAUDRATE, struct.pack("<II", 921600, 0)).pack()))
    assert [chunk.baud for chunk in answers] == [115200, 115200]
    assert answers[1].data == b"\xc0\xc0"
    assert bench.soc.uart.baud == pytest.approx(921600, rel=0.01)
    assert [chunk.data for chunk in bench.say(READ_MAGIC, 921600)] == [MAGIC_ANSWER]
    assert MAGIC_ANSWER not in [chunk.data for chunk in bench.say(READ_MAGIC, 115200)]


def test_an_answer_starts_after_the_command_time() -> None:
    bench = Bench(ORACLE)
    bench.say(SYNC)
    asked = bench.kernel.now + len(READ_MAGIC) * byte_time(115200)
    assert [chunk.start_ns - asked for chunk in bench.say(READ_MAGIC)] == [ORACLE.times.command]


def test_write_reg_delays_its_answer_by_the_delays_of_its_entries() -> None:
    bench = Bench(ORACLE)
    bench.say(SYNC)
    entry = struct.pack("<IIII", 0x3FFE8000, 1, 0xFFFFFFFF, 5_000)
    frame = encode(Request(Opcode.WRITE_REG, entry * 2).pack())
    asked = bench.kernel.now + len(frame) * byte_time(115200)
    assert [chunk.start_ns - asked for chunk in bench.say(frame)] == [ORACLE.times.command + 10_000 * US]


def test_erase_takes_the_time_of_the_part() -> None:
    bench = Bench(ChipConfig(autobaud=False))
    bench.say(SYNC)
    bench.ask(Opcode.SPI_ATTACH, 0, 0)
    frame = encode(Request(Opcode.FLASH_BEGIN, struct.pack("<IIII", 0x5000, 20, 0x400, 0x1000)).pack())
    asked = bench.kernel.now + len(frame) * byte_time(115200)
    answers = bench.say(frame, wait_ns=5_000 * MS)
    assert [chunk.start_ns - asked for chunk in answers] == [60 * US + 5 * bench.soc.flash.part.sector_erase_ns]


def test_flash_is_out_of_reach_until_attached_on_silicon() -> None:
    bench = Bench(ChipConfig(autobaud=False))
    bench.soc.flash.load(0, b"\x12\x34\x56\x78" * 16)
    bench.say(SYNC)
    assert bench.ask(Opcode.READ_FLASH_SLOW, 0, 64)[9:73] == b"\xff" * 64
    assert bench.ask(Opcode.FLASH_BEGIN, 0x400, 1, 0x400, 0)[9:11] == b"\x01\x06"
    bench.ask(Opcode.SPI_ATTACH, 0, 0)
    assert bench.ask(Opcode.READ_FLASH_SLOW, 0, 64)[9:73] == b"\x12\x34\x56\x78" * 16
    assert bench.ask(Opcode.FLASH_BEGIN, 0x400, 1, 0x400, 0)[9] == 0


def test_addresses_wrap_where_the_part_is_smaller_than_the_geometry_says() -> None:
    bench = Bench(ORACLE)
    bench.say(SYNC)
    bench.ask(Opcode.SPI_SET_PARAMS, 0, 0x1000000, 0x10000, 0x1000, 0x100, 0xFFFF)
    assert bench.ask(Opcode.FLASH_BEGIN, 0x400, 1, 0x400, 0x400000)[9] == 0
    block = bytes(range(256)) * 4
    assert bench.ask(Opcode.FLASH_DATA, len(block), 0, 0, 0, payload=block)[9] == 0
    assert bench.soc.flash.read(0, 0x400) == block


def test_bytes_beyond_the_ring_are_lost_while_the_rom_erases() -> None:
    bench = Bench(ChipConfig(autobaud=False))
    bench.say(SYNC)
    bench.ask(Opcode.SPI_ATTACH, 0, 0)
    begin = encode(Request(Opcode.FLASH_BEGIN, struct.pack("<IIII", 0x4000, 16, 0x400, 0)).pack())
    answers = bench.say(begin + READ_MAGIC * 30, wait_ns=5_000 * MS)
    assert len(answers) == 1 + 11


def test_a_short_stream_leaves_older_output_behind_it_in_the_window() -> None:
    windows: list[bytes] = []
    inflator = Inflator()
    long, short = bytes(range(256)) * 100, b"new" * 10
    for image in (long, short):
        inflator.begin()
        outcome = inflator.feed(zlib.compress(image, 9), last=True, write=windows.append)
        assert outcome is Inflated.TAKEN
    assert windows[0] == long.ljust(WINDOW, b"\0")
    assert windows[1] == (short + long[len(short) :]).ljust(WINDOW, b"\0")


@pytest.mark.parametrize("level", [0, 9], ids=["stored", "huffman"])
@pytest.mark.parametrize("size", [1, 7, 1000, 6144])
def test_blocks_of_any_size_inflate_to_the_same_windows(size: int, level: int) -> None:
    image = b"".join(b"%d " % (number * number) for number in range(12_000))
    stream = zlib.compress(image, level)
    if size == 1:
        image = image[:9_000]
        stream = zlib.compress(image, level)
    windows: list[bytes] = []
    inflator = Inflator()
    blocks = [stream[at : at + size] for at in range(0, len(stream), size)]
    for number, block in enumerate(blocks, start=1):
        assert inflator.feed(block, last=number == len(blocks), write=windows.append) is Inflated.TAKEN
    assert b"".join(windows)[: len(image)] == image
    assert len(windows) == len(image) // WINDOW + 1


def test_a_broken_stream_leaves_its_output_up_to_the_fault_in_the_window() -> None:
    packer = zlib.compressobj(9)
    good = packer.compress(b"some text, some text, some more text") + packer.flush(zlib.Z_FULL_FLUSH)
    windows: list[bytes] = []
    inflator = Inflator()
    assert inflator.feed(good + b"\xff\xff\xff", last=False, write=windows.append) is Inflated.BROKEN
    assert inflator.feed(good, last=False, write=windows.append) is Inflated.BROKEN
    assert windows == []
    assert bytes(inflator.window[:36]) == b"some text, some text, some more text"


def test_a_data_header_says_how_long_the_block_is_not_the_frame() -> None:
    bench = Bench(ORACLE)
    bench.say(SYNC)
    bench.ask(Opcode.MEM_BEGIN, 16, 1, 16, 0x3FFE8000)
    packet = HEADER.pack(0, Opcode.MEM_DATA, 32, checksum(b"abcd")) + DATA_HEADER.pack(4, 0, 0, 0) + b"abcdefgh"
    assert b"".join(chunk.data for chunk in bench.say(encode(packet)))[9] == 0
    assert bench.soc.memory.dump(0x3FFE8000, 8) == b"abcd\0\0\0\0"


def test_a_lost_end_delimiter_costs_one_frame_even_when_a_long_one_follows() -> None:
    bench = Bench(ORACLE)
    bench.say(SYNC)
    bench.ask(Opcode.MEM_BEGIN, 0x1800, 1, 0x1800, 0x3FFE0000)
    block = bytes(range(256)) * 24
    packet = HEADER.pack(0, Opcode.MEM_DATA, len(block) + 16, checksum(block)) + DATA_HEADER.pack(len(block), 0, 0, 0) + block
    answers = bench.say(READ_MAGIC[:-1] + encode(packet) + encode(packet))
    assert [chunk.data[2] for chunk in answers] == [Opcode.READ_REG, Opcode.MEM_DATA]
    assert answers[1].data[9] == 0
