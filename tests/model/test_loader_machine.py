"""ROM and stubs as a state machine: valid commands, damaged ones, garbage and resets in any order.

What holds at any time, whatever came before: a good block lands where its number says; a block changes no sector outside the
range that its BEGIN opened; one with a wrong checksum or out of turn changes nothing; nothing else changes the flash; and a
reset brings back a loader that answers SYNC.

Source: oracle facts 3, 25, 33 to 35, 51, 53, 55, 62, 76; rom_flash.json flash_bad_checksum_resend.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import Request, checksum
from flashcore.protocol.slip import encode
from fuzz.bounds import BudgetKernel
from fuzz.chip_targets import FuzzedSoc
from simulator.chip.boot import first_program
from simulator.chip.config import ORACLE
from simulator.chip.stub import KNOWN_STUBS, Generation, LegacyStub, ModernStub
from simulator.kernel import MS, S
from simulator.rng import Rng
from simulator.wire import Chunk, byte_time

SYNC = Request(Opcode.SYNC, b"\x07\x07\x12\x20" + b"\x55" * 32)
BLOCK = 0x400
PAGE = 0x100
SECTOR = 0x1000
OLD = bytes(range(256)) * 16
"""What lies in each sector near the ranges that are written: no byte of it survives an erase, and few a write."""

PLACES = (0x1_0000, 0x1_1000, 0x1_3000, 0x1F_E000)
"""Where writes begin; the last one ends where the ROM takes the flash to end, at 2 MB."""
AREAS = (range(0xF000, 0x1_8000), range(0x1F_C000, 0x20_0000))
"""Where something lies before, and where it is looked for afterwards."""
SECTORS = [offset for area in AREAS for offset in area[::SECTOR]]

BEGIN_LENGTHS = st.sampled_from((0, 1, BLOCK, 3 * BLOCK, SECTOR, SECTOR + 1, 2 * SECTOR))
PAYLOADS = st.binary(min_size=4, max_size=4).map(lambda data: data * (BLOCK // 4))
GARBAGE = st.binary(max_size=60) | st.lists(st.sampled_from(b"\xc0\xdb\xdc\xdd\x08\x0a"), max_size=30).map(bytes)


class Loader(RuleBasedStateMachine):
    """A chip, what is known of its flash, and the write that is open."""

    generation: Generation | None = None
    """Which stub runs; ``None`` is the ROM."""

    @initialize()
    def power_on(self) -> None:
        self.kernel = BudgetKernel()
        self.sent: list[Chunk] = []
        self.soc = FuzzedSoc(
            ORACLE,
            self.kernel,
            Rng(0),
            start=first_program,
            transmit=self.sent.append,
            straps=lambda: 0x03,
            note=lambda _kind, _text: None,
        )
        for offset in SECTORS:
            self.soc.flash.load(offset, OLD)
        self.opened = range(0)
        self.length = self.sequence = 0
        self.start()

    def start(self) -> None:
        """Let the chip start, the loader run, and answer a SYNC."""
        self.soc.set_enabled(True)
        self.rest(100 * MS)
        if self.generation is not None:
            known = next(one for one in KNOWN_STUBS if one.recorded and one.generation is self.generation)
            self.soc.jump((LegacyStub if self.generation is Generation.LEGACY else ModernStub)(self.soc, known))
            self.rest(100 * MS)
        self.heard()
        self.in_step = True
        answer = self.ask(SYNC)
        assert answer == self.sync_answer() * 8

    def sync_answer(self) -> bytes:
        if self.generation is None:
            return bytes.fromhex("c0010804000707122000000000c0")
        return bytes.fromhex("c001080200000000000000c0")

    def rest(self, duration_ns: int) -> None:
        self.kernel.advance(self.kernel.now + duration_ns)

    def heard(self) -> bytes:
        data = b"".join(chunk.data for chunk in self.sent)
        self.sent.clear()
        return data

    def ask(self, request: Request) -> bytes:
        """Say a whole command, and return the answer."""
        self.say(encode(request.pack()))
        return self.heard()

    def say(self, data: bytes) -> None:
        line = Chunk(data, self.kernel.now, byte_time(115200), self.soc.uart.baud)
        for piece in line.pieces():
            self.kernel.at(piece.end_ns, lambda piece=piece: self.soc.receive(piece))
        self.kernel.advance(line.end_ns + 200 * MS)

    def command(self, opcode: int, *words: int, payload: bytes = b"", check: int = 0) -> bytes:
        body = b"".join(word.to_bytes(4, "little") for word in words) + payload
        return self.ask(Request(opcode, body, check))

    @rule(place=st.sampled_from(PLACES), length=BEGIN_LENGTHS)
    @precondition(lambda self: self.in_step)
    def begin(self, place: int, length: int) -> None:
        before = self.content()
        blocks = -(-length // BLOCK)
        self.command(Opcode.FLASH_BEGIN, length, blocks, BLOCK, place)
        self.opened = range(place, place + max(blocks * BLOCK, length))
        self.length = length
        self.sequence = 0
        erased = range(place, place + -(-length // SECTOR) * SECTOR)
        self.assert_only(before, erased)

    @rule(payload=PAYLOADS)
    @precondition(lambda self: self.in_step and self.room())
    def data(self, payload: bytes) -> None:
        before = self.content()
        at = self.opened.start + self.sequence * BLOCK
        self.command(Opcode.FLASH_DATA, BLOCK, self.sequence, 0, 0, payload=payload, check=checksum(payload))
        # The stubs cut the last block to the announced length (oracle fact 55).
        count = BLOCK if self.generation is None else min(BLOCK, self.length - self.sequence * BLOCK)
        if self.generation is Generation.LEGACY and count % 4:
            # The routine that it calls writes no page whose bytes are no whole words (stub_e3.json flash_erase_extent_1_at_0).
            count -= count % PAGE
        assert self.soc.flash.read(at, count) == payload[:count]
        self.sequence += 1
        last = -(-(at + BLOCK) // SECTOR) * SECTOR
        self.assert_only(before, range(self.opened.start - self.opened.start % SECTOR, last))

    @rule(payload=PAYLOADS, wrong=st.integers(1, 255))
    @precondition(lambda self: self.in_step)
    def data_with_wrong_checksum(self, payload: bytes, wrong: int) -> None:
        before = self.content()
        answer = self.command(Opcode.FLASH_DATA, BLOCK, self.sequence, 0, 0, payload=payload, check=checksum(payload) ^ wrong)
        assert answer
        self.assert_only(before, range(0))
        if self.generation is None and self.room():
            # The ROM has taken the number; the stubs have not.
            self.opened = range(0)

    @rule(payload=PAYLOADS, ahead=st.integers(1, 3))
    @precondition(lambda self: self.in_step and self.generation is None)
    def data_out_of_turn(self, payload: bytes, ahead: int) -> None:
        before = self.content()
        self.command(Opcode.FLASH_DATA, BLOCK, 0x1000 + ahead, 0, 0, payload=payload, check=checksum(payload))
        self.assert_only(before, range(0))

    @rule(payload=st.binary(max_size=40))
    @precondition(lambda self: self.in_step)
    def harmless(self, payload: bytes) -> None:
        before = self.content()
        self.ask(SYNC)
        self.command(Opcode.READ_REG, 0x4000_1000)
        self.command(Opcode.MEM_BEGIN, len(payload), 1, 0x400, 0x3FFE_8000)
        self.command(Opcode.MEM_DATA, len(payload), 0, 0, 0, payload=payload, check=checksum(payload))
        self.assert_only(before, range(0))
        self.opened = range(0)

    @rule(data=GARBAGE)
    def garbage(self, data: bytes) -> None:
        self.say(data)
        self.heard()
        self.in_step = False
        self.opened = range(0)

    @rule(short=st.booleans())
    def reset(self, short: bool) -> None:
        before = self.content()
        self.soc.set_enabled(False)
        self.rest(MS if short else S)
        self.heard()
        self.start()
        self.opened = range(0)
        self.assert_only(before, range(0))

    @invariant()
    def queue_is_short(self) -> None:
        if hasattr(self, "kernel"):
            assert self.kernel.longest < 200

    def room(self) -> bool:
        """Whether another block fits into the write that is open."""
        return self.opened.start + (self.sequence + 1) * BLOCK <= self.opened.stop

    def content(self) -> list[bytes]:
        """Return what all sectors hold near the places that are written to; everywhere else there must be nothing."""
        flash = self.soc.flash
        assert all(any(start in area and end - 1 in area for area in AREAS) for start, end in flash.touched())
        return [flash.read(offset, SECTOR) for offset in SECTORS]

    def assert_only(self, before: list[bytes], where: range) -> None:
        """Assert that no sector has changed but those in a range."""
        for offset, old, new in zip(SECTORS, before, self.content(), strict=True):
            assert new == old or offset in where, f"0x{offset:x}"


class Legacy(Loader):
    generation = Generation.LEGACY


class Modern(Loader):
    generation = Generation.MODERN


COMMON = settings(max_examples=40, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TestRom = Loader.TestCase
TestRom.settings = COMMON
TestLegacyStub = Legacy.TestCase
TestLegacyStub.settings = COMMON
TestModernStub = Modern.TestCase
TestModernStub.settings = COMMON
