"""Faults at every place of a running board: what they do, when, how often, and what ends them."""

from __future__ import annotations

import pytest

from flashcore.errors import DeadlineExceededError, PlanError
from flashcore.protocol import commands
from flashcore.protocol.opcodes import Opcode
from flashcore.protocol.packet import data_request
from flashcore.protocol.slip import Decoder, Frame, encode
from simulator.board.board import HostBaud, HostBytes, HostClose, HostLines, HostOpen
from simulator.chip.flash_effect import FlashOperation
from simulator.faults.bench import Bench
from simulator.faults.plan import install
from simulator.faults.text import parse
from simulator.kernel import MS, S
from simulator.links.virtual import VirtualPort
from simulator.scenario import Scenario, World
from simulator.wire import Chunk

SYNC = encode(commands.sync().pack())


def world(*faults: str, download: bool = True, firmware: str = "", seed: int = 0) -> World:
    return Scenario(faults=faults, download=download, firmware=firmware, seed=seed, keep_events=True).build()


def opened(built: World, baudrate: int = 115200) -> World:
    built.device.submit(HostOpen())
    built.device.submit(HostBaud(baudrate))
    built.device.advance(20 * MS)
    built.device.drain()
    return built


def said(built: World, data: bytes, wait_ns: int = 100 * MS) -> bytes:
    """Write `data`, wait, and return what came back."""
    device = built.device
    device.submit(HostBytes(data))
    device.advance(device.kernel.now + wait_ns)
    return device.drain()


def synced(built: World) -> World:
    """Bring the ROM to the point at which it answers: one SYNC is spent on measuring the rate."""
    opened(built)
    said(built, SYNC)
    said(built, SYNC)
    return built


def answers(data: bytes) -> list[bytes]:
    decoder = Decoder()
    return [item.packet for item in decoder.feed(data) if isinstance(item, Frame)]


def read_reg(built: World, address: int) -> int:
    (packet,) = answers(said(built, encode(commands.read_reg(address).pack())))
    return int.from_bytes(packet[4:8], "little")


MAGIC = 0x4000_1000


class TestCommands:
    def test_no_reply_leaves_one_command_undone(self) -> None:
        built = synced(world("chip:nth_frame(READ_REG,2):no_reply"))
        assert read_reg(built, MAGIC) == 0x00F01D83
        assert said(built, encode(commands.read_reg(MAGIC).pack())) == b""
        assert read_reg(built, MAGIC) == 0x00F01D83
        assert built.planned[0].fired == 1

    def test_a_status_is_the_roms_where_the_rom_runs(self) -> None:
        built = synced(world("chip:nth_frame(READ_REG,1):status(0x09)"))
        (packet,) = answers(said(built, encode(commands.read_reg(MAGIC).pack())))
        assert packet[8:10] == b"\x01\x09"

    def test_secure_download_answers_as_to_an_unknown_command_eight_times(self) -> None:
        built = synced(world("chip:always:secure_download"))
        packets = answers(said(built, encode(commands.read_reg(MAGIC).pack())))
        assert [packet[8:10] for packet in packets] == [b"\x01\x05"] * 8

    def test_a_late_reply_comes_when_it_is_due(self) -> None:
        built = synced(world("chip:nth_frame(READ_REG,1):late_reply(0.5)"))
        assert said(built, encode(commands.read_reg(MAGIC).pack()), 400 * MS) == b""
        built.device.advance(built.device.kernel.now + 200 * MS)
        assert len(answers(built.device.drain())) == 1

    def test_a_crash_prints_a_panic_and_starts_the_chip_anew(self) -> None:
        built = synced(world("chip:nth_frame(READ_REG,1):crash_stub(back=0.2)"))
        text = said(built, encode(commands.read_reg(MAGIC).pack()), 500 * MS)
        assert b"Guru Meditation Error" in text
        assert b"rst:0x10" in text


class TestTheChip:
    def test_a_word_reads_wrong_until_the_fault_is_healed(self) -> None:
        built = synced(world(f"chip:always:register(address=0x{MAGIC:x},value=0x12345678)"))
        assert read_reg(built, MAGIC) == 0x12345678
        built.planned[0].heal()
        assert read_reg(built, MAGIC) == 0x00F01D83

    def test_a_clock_that_is_too_far_off_cannot_change_its_rate(self) -> None:
        built = synced(world("chip:always:clock_error(percent=4)"))
        assert read_reg(built, MAGIC) == 0x00F01D83
        said(built, encode(commands.change_baudrate(460800, 0).pack()))
        built.device.submit(HostBaud(460800))
        assert answers(said(built, encode(commands.read_reg(MAGIC).pack()))) == []

    def test_latched_straps_keep_the_chip_in_download_mode(self) -> None:
        built = opened(world("chip:always:latch_straps"))
        for dtr, rts in ((False, True), (False, False)):
            built.device.submit(HostLines(dtr, rts))
            built.device.advance(built.device.kernel.now + 50 * MS)
        assert b"waiting for download" in built.device.drain()
        assert built.planned[0].fired == 1

    def test_the_watchdog_bites_in_the_rom_loader(self) -> None:
        built = opened(world("chip:always:watchdog(2.0)", download=False))
        for dtr, rts in ((False, True), (True, False)):
            built.device.submit(HostLines(dtr, rts))
            built.device.advance(built.device.kernel.now + 50 * MS)
        assert b"waiting for download" in built.device.drain()
        built.device.submit(HostLines(False, False))
        built.device.advance(built.device.kernel.now + 2 * S)
        assert b"rst:0x10" in built.device.drain()


class TestDeeds:
    @pytest.mark.parametrize(
        ("fault", "cause"),
        [("h2d:nth_frame(READ_REG,1):reset_chip", b"rst:0x10"), ("power:nth_edge(1):brownout", b"rst:0xf ")],
    )
    def test_any_trigger_may_set_one_off(self, fault: str, cause: bytes) -> None:
        built = synced(world(fault))
        built.device.submit(HostBytes(encode(commands.read_reg(MAGIC).pack())))
        built.device.submit(HostLines(True, True))
        built.device.advance(built.device.kernel.now + 50 * MS)
        assert cause in built.device.drain()
        assert built.planned[0].fired == 1

    def test_a_trigger_behind_another_one_waits_its_time(self) -> None:
        built = synced(world("chip:after(nth_frame(READ_REG,1),0.5):brownout"))
        assert b"rst" not in said(built, encode(commands.read_reg(MAGIC).pack()), 400 * MS)
        built.device.advance(built.device.kernel.now + 200 * MS)
        assert b"rst:0xf" in built.device.drain()

    def test_a_trigger_behind_the_nth_frame_goes_off_once(self) -> None:
        built = synced(
            world("chip:after(nth_frame(READ_REG,1),0.2):no_reply", "chip:after(nth_frame(READ_REG,1),0.2):brownout")
        )
        for _ in range(3):
            said(built, encode(commands.read_reg(MAGIC).pack()), 50 * MS)
        built.device.advance(built.device.kernel.now + S)
        assert built.planned[1].fired == 1

    def test_power_that_is_cut_comes_back(self) -> None:
        built = opened(world("power:at(0.1):power_cut(0.3)"))
        board = built.board
        assert board is not None
        built.device.advance(200 * MS)
        assert not board.powered
        built.device.advance(500 * MS)
        assert b"rst:0x1 (POWERON_RESET)" in built.device.drain()


class TestTheFlash:
    def test_the_nth_operation_of_a_kind_is_ignored(self) -> None:
        built = world("flash:flash_op(program,2):ignore")
        assert built.board is not None
        flash = built.board.soc.flash
        flash.program(0, bytes(1024))
        assert [flash.read(256 * page, 1) for page in range(4)] == [b"\0", b"\xff", b"\0", b"\0"]

    def test_several_faults_count_by_themselves(self) -> None:
        built = world("flash:flash_op(program,2):ignore", "flash:flash_op(program,3):ignore", "flash:every(2):slow_erase(2)")
        assert built.board is not None
        flash = built.board.soc.flash
        flash.program(0, bytes(1024))
        assert [flash.read(256 * page, 1) for page in range(4)] == [b"\0", b"\xff", b"\xff", b"\0"]
        assert [fault.fired for fault in built.planned] == [1, 1, 0]

    def test_stuck_bits_stay_zero_after_an_erase(self) -> None:
        built = world("flash:always:stuck_bits(offset=0x1010,mask=0x10)")
        assert built.board is not None
        flash = built.board.soc.flash
        flash.program(0x1010, b"\0")
        flash.erase_sector(0x1000)
        assert flash.read(0x100F, 3) == b"\xff\xef\xff"

    def test_a_bad_sector_keeps_what_it_holds_even_within_a_block(self) -> None:
        built = world("flash:always:bad_sector(offset=0x3000)")
        assert built.board is not None
        flash = built.board.soc.flash
        flash.load(0, bytes(0x10000))
        flash.erase_block64(0)
        assert flash.read(0x2FFF, 2) == b"\xff\0"
        assert flash.read(0x3FFF, 2) == b"\0\xff"

    def test_a_silent_chip_reads_as_ones_and_takes_nothing(self) -> None:
        built = world("flash:always:silent")
        assert built.board is not None
        flash = built.board.soc.flash
        flash.program(0, b"\0")
        assert (flash.read(0, 1), flash.command(0x9F, None, b"", 3), built.planned[0].fired) == (b"\xff", b"\xff" * 3, 1)
        built.planned[0].heal()
        assert flash.command(0x9F, None, b"", 3) == b"\x20\x40\x16"
        assert flash.image() == b"\xff" * flash.size

    @pytest.mark.parametrize(("fault", "cure"), [("power_down", (0xAB,)), ("odd_mode", (0x66, 0x99))])
    def test_an_odd_state_ends_by_its_own_command_only(self, fault: str, cure: tuple[int, ...]) -> None:
        built = world(f"flash:always:{fault}")
        assert built.board is not None
        flash = built.board.soc.flash
        assert flash.command(0x9F, None, b"", 3) == b"\xff" * 3
        for opcode in cure:
            flash.command(opcode, None, b"", 0)
        assert flash.command(0x9F, None, b"", 3) == b"\x20\x40\x16"

    @pytest.mark.parametrize(("locked", "after"), [("false", b"\0"), ("true", b"\xff")])
    def test_protection_gives_way_to_a_status_write_unless_locked(self, locked: str, after: bytes) -> None:
        built = world(f"flash:always:write_protect(locked={locked})")
        assert built.board is not None
        flash = built.board.soc.flash
        flash.unlock()
        flash.program(0, b"\0")
        assert flash.read(0, 1) == b"\xff"
        flash.command(0x06, None, b"", 0)
        flash.command(0x01, None, b"\0", 0)
        flash.program(0, b"\0")
        assert flash.read(0, 1) == after

    def test_a_weak_supply_gives_way_to_long_work_and_not_to_pauses(self) -> None:
        built = world("power:always:weak_supply(charge=0.1,recover=0.5)")
        board = built.board
        assert board is not None
        for sector in range(4):
            board.soc.flash.erase_sector(0x1000 * sector)
            built.device.advance(built.device.kernel.now + S)
        assert (built.planned[0].fired, board.soc.boots) == (0, 1)
        for sector in range(4):
            board.soc.flash.erase_sector(0x1000 * sector)
        built.device.advance(built.device.kernel.now + MS)
        assert (built.planned[0].fired, board.soc.boots) == (1, 2)

    def test_erasing_is_as_slow_as_told(self) -> None:
        plain, slow = world(), world("flash:always:slow_erase(factor=10)")
        assert plain.board is not None
        assert slow.board is not None
        assert slow.board.soc.flash.erase_sector(0) == 10 * plain.board.soc.flash.erase_sector(0)
        assert FlashOperation.SECTOR_ERASE.name.lower() == "sector_erase"


class TestLines:
    @staticmethod
    def edges(fault: str, *changes: tuple[bool, bool]) -> list[tuple[int, bool, bool]]:
        built = world(fault)
        adapter = built.device.adapter
        seen: list[tuple[int, bool, bool]] = []
        adapter.on_edge.append(lambda: seen.append((built.device.kernel.now // MS, adapter.dtr, adapter.rts)))
        for dtr, rts in changes:
            built.device.submit(HostLines(dtr, rts))
            built.device.advance(built.device.kernel.now + 100 * MS)
        return seen

    def test_a_stuck_line_does_not_move(self) -> None:
        assert self.edges("lines:always:line_stuck(line=rts)", (False, True), (True, True)) == [(101, True, False)]

    def test_swapped_lines(self) -> None:
        assert self.edges("lines:always:line_swap", (True, False)) == [(1, False, True)]

    def test_late_lines(self) -> None:
        assert self.edges("lines:always:line_delay(0.05)", (True, False)) == [(51, True, False)]

    def test_one_change_is_lost(self) -> None:
        seen = self.edges("lines:nth_edge(2):line_ignore", (True, False), (True, True), (False, True))
        assert seen == [(1, True, False), (201, False, True)]

    def test_a_change_of_both_becomes_two(self) -> None:
        assert self.edges("lines:always:line_split(0.02)", (True, True)) == [(1, True, False), (21, True, True)]

    def test_dtr_waits_for_rts(self) -> None:
        assert self.edges("lines:always:hold_dtr", (True, False), (True, True)) == [(101, True, True)]


class TestFlow:
    def test_foreign_talk_ends_when_it_is_told_to(self) -> None:
        built = opened(world("chip_to_bridge:at(0.1):chatter(source=log,period=0.05,seconds=0.2)"))
        built.device.advance(S)
        assert built.device.drain().count(b"app: heap") == built.planned[0].fired == 4

    def test_a_port_that_is_stuck_blocks_the_write_and_a_reopened_one_does_not(self) -> None:
        built = world("h2d:always:stuck(after=40):heals=reopen")
        port = VirtualPort(built.device)
        port.write(bytes(40), 1 << 60)
        with pytest.raises(DeadlineExceededError):
            port.write(bytes(40), built.device.kernel.now + S)
        port.close()
        VirtualPort(built.device).write(bytes(40), built.device.kernel.now + S)

    def test_noise_spares_lower_rates(self) -> None:
        built = opened(world("h2d:always:noise(above=115200,probability=0.5)"))
        said(built, SYNC)
        assert built.planned[0].fired == 0
        built.device.submit(HostBaud(230400))
        said(built, SYNC)
        assert built.planned[0].fired == 1

    def test_a_full_buffer_loses_the_end_of_a_long_write(self) -> None:
        built = opened(world("h2d:always:overflow(size=100,rate=1000)"))
        seen: list[int] = []

        def count(chunk: Chunk) -> tuple[Chunk]:
            seen.append(len(chunk.data))
            return (chunk,)

        built.device.adapter.taps.bridge_to_chip.append(count)
        said(built, bytes(300))
        said(built, bytes(50))
        said(built, bytes(100))
        assert seen == [100, 50, 100]

    def test_pieces_come_with_pauses(self) -> None:
        built = synced(world("d2h:session(1):chunked(size=4,seconds=0.05)"))
        built.device.advance(built.device.kernel.now + 5 * S)
        built.device.drain()
        assert 4 <= len(said(built, encode(commands.read_reg(MAGIC).pack()), 60 * MS)) <= 8

    def test_held_bytes_come_together(self) -> None:
        built = synced(world("d2h:always:hold(count=64,seconds=0.03)"))
        device = built.device
        device.submit(HostBytes(encode(commands.read_reg(MAGIC).pack())))
        device.advance(device.kernel.now + 25 * MS)
        assert device.drain() == b""
        device.advance(device.kernel.now + 25 * MS)
        assert len(answers(device.drain())) == 1

    def test_a_port_closed_while_bytes_come_is_deaf_ever_after(self) -> None:
        built = synced(world("d2h:always:deaf_after_close"))
        built.device.submit(HostBytes(encode(commands.read_reg(MAGIC).pack())))
        built.device.advance(built.device.kernel.now + 4 * MS)
        built.device.submit(HostClose())
        built.device.submit(HostOpen())
        assert said(built, encode(commands.read_reg(MAGIC).pack())) == b""
        built.planned[0].heal()
        assert read_reg(built, MAGIC) == 0x00F01D83


class TestWhen:
    def test_a_fault_from_the_second_session_on_spares_the_first(self) -> None:
        built = synced(world("d2h:session(2):drop"))
        assert read_reg(built, MAGIC) == 0x00F01D83
        built.device.submit(HostClose())
        built.device.submit(HostOpen())
        assert said(built, encode(commands.read_reg(MAGIC).pack())) == b""

    def test_a_reset_heals_what_it_is_told_to_heal(self) -> None:
        built = synced(world("d2h:nth_frame(READ_REG,1):drop:times=0:heals=reset"))
        assert said(built, encode(commands.read_reg(MAGIC).pack())) == b""
        assert built.board is not None
        built.board.press_reset()
        built.device.advance(built.device.kernel.now + 200 * MS)
        assert b"rst:0x1" in built.device.drain()
        assert built.planned[0].active[0].over

    def test_hits_heal(self) -> None:
        built = synced(world("d2h:nth_frame(READ_REG,1):drop:times=0:heals=after(2)"))
        assert [len(said(built, encode(commands.read_reg(MAGIC).pack()))) > 0 for _ in range(4)] == [False, False, True, True]

    def test_one_more_fault_changes_no_dice_of_the_others(self) -> None:
        one = world("d2h:chance(0.5):drop", seed=5)
        two = world("d2h:chance(0.5):drop", "h2d:chance(0.5):corrupt", seed=5)
        draws = [[built.planned[0].active[0]._dice.below(1000) for _ in range(5)] for built in (one, two)]  # type: ignore[attr-defined]
        assert draws[0] == draws[1]

    def test_the_same_fault_twice_has_two_dice(self) -> None:
        built = world("d2h:chance(0.5):drop", "d2h:chance(0.5):drop", seed=5)
        draws = [[planned.active[0]._dice.below(1000) for _ in range(5)] for planned in built.planned]  # type: ignore[attr-defined]
        assert draws[0] != draws[1]

    def test_what_needs_a_board_is_refused_where_there_is_none(self) -> None:
        with pytest.raises(PlanError, match="needs a board"):
            Scenario(faults=("wrong-port-modem", "power:at(1):brownout")).build()

    def test_what_needs_a_host_view_is_refused_where_there_is_none(self) -> None:
        device = world().device
        with pytest.raises(PlanError, match="host view"):
            install(Bench(kernel=device.kernel, adapter=device.adapter), [parse("usb:at(1):disconnect(back=1)")], device.rng)


class TestFailures:
    """A flash operation that fails, as each loader tells of it."""

    def test_the_rom_says_that_an_erase_failed(self) -> None:
        built = synced(world("flash:flash_op(erase,1):fail"))
        said(built, encode(commands.spi_attach(stub=False).pack()))
        begin = encode(commands.flash_begin(4096, 4, 1024, 0x10000).pack())
        (first,), (second,) = answers(said(built, begin, S)), answers(said(built, begin, S))
        assert (first[8:10], second[8:9]) == (b"\x01\x06", b"\x00")

    def test_the_rom_sees_that_a_page_was_not_programmed_by_reading_it_back(self) -> None:
        built = synced(world("flash:flash_op(program,1):fail"))
        said(built, encode(commands.spi_attach(stub=False).pack()))
        said(built, encode(commands.flash_begin(4096, 4, 1024, 0x10000).pack()), S)
        (packet,) = answers(said(built, encode(data_request(Opcode.FLASH_DATA, b"\x01" + bytes(1023), 0).pack()), S))
        assert packet[8:10] == b"\x01\x08"
