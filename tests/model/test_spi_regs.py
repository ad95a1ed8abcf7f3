"""The SPI controller as hosts drive it: by register writes, with esptool's own code where that says more."""

from __future__ import annotations

import pytest
from esptool.targets.esp32 import ESP32ROM
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.chip.flash_parts import MS, part
from simulator.chip.memory import Memory
from simulator.chip.nor_flash import NorFlash
from simulator.chip.spi_regs import (
    ADDR,
    CMD,
    CMD_USR,
    MISO_DLEN,
    MOSI_DLEN,
    RD_STATUS,
    SPI1_BASE,
    USER,
    USER1,
    USER2,
    USER_ADDR,
    USER_COMMAND,
    USER_MISO,
    USER_MISO_HIGH,
    USER_MOSI,
    USER_MOSI_HIGH,
    W0,
    W8,
    SpiController,
)

SFDP_SIGNATURE = 0x50444653


class Host(ESP32ROM):
    """esptool's chip class on top of a memory in place of a port."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.secure_download_mode = False
        self.cache = dict.fromkeys(("flash_id", "uart_no", "usb_pid", "chip_id"))

    def read_reg(self, addr: int, timeout: float = 0) -> int:
        return self.memory.read32(addr)

    def write_reg(self, addr: int, value: int, mask: int = 0xFFFFFFFF, delay_us: int = 0, delay_after_us: int = 0) -> None:
        if mask != 0xFFFFFFFF:
            value = self.memory.read32(addr) & ~mask | value & mask
        self.memory.write32(addr, value)


class Bench:
    def __init__(self, name: str = "W25Q32JV", *, attached: bool = True) -> None:
        self.now = 0
        self.flash = NorFlash(part(name))
        self.spi = SpiController(self.flash, lambda: self.now, attached=attached)
        self.memory = Memory()
        self.memory.attach(SPI1_BASE, 0x1000, self.spi.read, self.spi.write)
        self.host = Host(self.memory)


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestWithEsptool:
    @pytest.mark.parametrize(("name", "flash_id"), [("W25Q32JV", 0x1640EF), ("XM25QH32B", 0x164020), ("ideal-4mb", 0x1640C8)])
    def test_flash_id(self, name: str, flash_id: int) -> None:
        assert Bench(name).host.flash_id() == flash_id

    def test_sfdp_signature_and_manufacturer_of_an_xmc_part(self) -> None:
        host = Bench("XM25QH32B").host
        assert host.read_spiflash_sfdp(0, 32) == SFDP_SIGNATURE
        assert host.read_spiflash_sfdp(0x10, 8) == 0x20

    def test_unique_id_and_read_data(self, bench: Bench) -> None:
        bench.flash.load(0x12345, b"\x11\x22\x33\x44")
        assert bench.host.run_spiflash_command(0x03, read_bits=32, addr=0x12345, addr_len=24) == 0x44332211
        first = bench.flash.unique_id.to_bytes(8, "big")[:4]
        assert bench.host.run_spiflash_command(0x4B, read_bits=32, dummy_len=32) == int.from_bytes(first, "little")

    def test_status_round_trip_when_the_host_waits_for_the_chip(self, bench: Bench) -> None:
        assert bench.host.read_status(3) == 0x600200
        bench.host.write_status(0x1C, num_bytes=1, set_non_volatile=True)
        assert bench.host.read_status(1) == 0x1F, "busy and write enable while the chip writes"
        bench.now += 10 * MS
        assert bench.host.read_status(1) == 0x1C

    def test_volatile_status_takes_no_time(self, bench: Bench) -> None:
        bench.host.write_status(0x42_1C, num_bytes=2)
        assert bench.host.read_status(2) == 0x421C
        bench.host.run_spiflash_command(0x66)
        bench.host.run_spiflash_command(0x99)
        assert bench.host.read_status(2) == 0x0200

    def test_program_by_user_command(self, bench: Bench) -> None:
        bench.host.run_spiflash_command(0x06)
        bench.host.run_spiflash_command(0x02, data=bytes(range(64)), addr=0x1000, addr_len=24)
        assert bench.flash.read(0x1000, 64) == bytes(range(64))

    @pytest.mark.parametrize("name", ["W25Q32JV", "ideal-4mb"])
    def test_without_attach_nothing_answers_and_nothing_arrives(self, name: str) -> None:
        bench = Bench(name, attached=False)
        assert bench.host.flash_id() == 0xFFFFFF
        assert bench.host.read_spiflash_sfdp(0, 32) != SFDP_SIGNATURE
        bench.host.run_spiflash_command(0xB9)
        assert not bench.flash.powered_down
        assert bench.spi.transactions == 0
        bench.spi.attached = True
        assert bench.host.flash_id(cache=False) & 0xFFFF00 == 0x164000


RECORDED = """
2c<00000007 20<5c000007 1c<f0000000 24<7000005a 04<00001000 80<00000000 00<00040000 00>00000000 80>00000000 1c<80000000
24<00000000 1c>80000000 24>00000000 2c<0000001f 20<5c000007 1c<f0000000 24<7000005a 04<00000000 80<00000000 00<00040000
00>00000000 80>00000000 1c<80000000 24<00000000 1c>80000000 24>00000000 2c<00000017 1c<90000000 24<7000009f 80<00000000
00<00040000 00>00000000 80>001640c8
"""
"""Stores (<) to and loads (>) from the SPI1 block: SFDP at 0x10 and at 0, then RDID.

Source: esptool_5.6.0_wire.txt, session flash_id.
"""


def test_a_recorded_session_replays_value_for_value() -> None:
    bench = Bench("ideal-4mb")
    for step in RECORDED.split():
        offset, way, value = int(step[:2], 16), step[2], int(step[3:], 16)
        if way == "<":
            bench.memory.write32(SPI1_BASE + offset, value)
        else:
            assert bench.memory.read32(SPI1_BASE + offset) == value, step


class TestEngine:
    def user(self, bench: Bench, flags: int, **registers: int) -> None:
        names = {"addr": ADDR, "user1": USER1, "user2": USER2, "mosi": MOSI_DLEN, "miso": MISO_DLEN}
        for name, value in registers.items():
            bench.spi.write(names[name], value)
        bench.spi.write(USER, flags)
        bench.spi.write(CMD, CMD_USR)

    def test_cmd_clears_itself(self, bench: Bench) -> None:
        bench.spi.write(CMD, 0xFFFFFFFF)
        assert bench.spi.read(CMD) == 0

    def test_high_half_of_the_buffer(self, bench: Bench) -> None:
        self.user(bench, USER_COMMAND | USER_MISO | USER_MISO_HIGH, user2=0x7000009F, miso=23)
        assert (bench.spi.read(W0), bench.spi.read(W8)) == (0, 0x1640EF)
        bench.flash.command(0x06, None, b"", 0)
        bench.spi.write(W8, 0x11223344)
        self.user(
            bench,
            USER_COMMAND | USER_ADDR | USER_MOSI | USER_MOSI_HIGH,
            user2=0x70000002,
            user1=0x5C000000,
            addr=0x10 << 8,
            mosi=31,
        )
        assert bench.flash.read(0x10, 4) == bytes.fromhex("44332211")

    def test_bytes_behind_the_answer_keep_what_was_there(self, bench: Bench) -> None:
        bench.spi.write(W0, 0xAABBCCDD)
        self.user(bench, USER_COMMAND | USER_MISO, user2=0x70000005, miso=7)
        assert bench.spi.read(W0) == 0xAABBCC00

    def test_a_read_fills_at_most_the_buffer(self, bench: Bench) -> None:
        bench.flash.load(0, bytes(256))
        self.user(bench, USER_COMMAND | USER_ADDR | USER_MISO, user2=0x70000003, user1=0x5C000000, miso=0xFFFFFF)
        assert [bench.spi.read(W0 + 4 * n) for n in range(16)] == [0] * 16
        assert bench.spi.read(MISO_DLEN) == 0xFFFFFF

    def test_without_a_command_phase_the_line_floats(self, bench: Bench) -> None:
        self.user(bench, USER_MISO, miso=31)
        assert bench.spi.read(W0) == 0xFFFFFFFF
        assert bench.spi.transactions == 0

    def test_fixed_commands(self, bench: Bench) -> None:
        bench.spi.write(CMD, 1 << 28)
        assert bench.spi.read(W0) == 0x1640EF
        bench.spi.write(CMD, 1 << 30)
        bench.spi.write(CMD, 1 << 27)
        assert bench.spi.read(RD_STATUS) == 0x02
        bench.flash.load(0, bytes(16))
        bench.spi.write(CMD, 1 << 22)
        assert bench.flash.is_blank(0, bench.flash.size)

    def test_reset_restores_the_recorded_values(self, bench: Bench) -> None:
        bench.spi.write(USER, 0x80000000)
        bench.spi.write(W0, 1)
        bench.spi.write(USER1, 0)
        bench.spi.reset()
        assert (bench.spi.read(USER), bench.spi.read(W0), bench.spi.read(USER1)) == (0, 0, 0x5C000007)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([CMD, ADDR, USER, USER1, USER2, MOSI_DLEN, MISO_DLEN, W0, W8]) | st.integers(0, 0x3FF),
            st.sampled_from([CMD_USR, 0xFFFFFFFF, 0, 0xF8000000, 0x70000002]) | st.integers(0, 0xFFFFFFFF),
        ),
        max_size=40,
    )
)
def test_any_register_writes_leave_words_and_a_flash_of_the_same_size(writes: list[tuple[int, int]]) -> None:
    bench = Bench("W25Q16")
    for word, value in writes:
        bench.spi.write(word & ~3, value)
    assert all(0 <= bench.spi.read(offset) <= 0xFFFFFFFF for offset in range(0, 0x400, 4))
    assert len(bench.flash.image()) == bench.flash.size
