"""The address space answers READ_REG and WRITE_REG as the recorded chip does."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chip import efuse as efuse_module
from simulator.chip.efuse import Efuse
from simulator.chip.flash_parts import part
from simulator.chip.memory import AHB_SHIFT, BusFault, Memory
from simulator.chip.nor_flash import NorFlash
from simulator.chip.registers import FLASHCHIP, GPIO, GPIO_STRAP, ORACLE, UART0, UART_CLKDIV, BoardRegisters, Registers
from simulator.chip.registers import rtc_calibration as calibration
from simulator.chip.registers import uart_divider as divider
from simulator.chip.spi_regs import SPI0_BASE, SPI1_BASE, SpiController
from tests.oracle import expand, probes

SYNC, WRITE_REG, READ_REG, SPI_ATTACH = 0x08, 0x09, 0x0A, 0x0D


class Bench:
    """Memory with everything attached, as a chip would have it."""

    def __init__(self, *, efuse: Efuse, board: BoardRegisters = ORACLE) -> None:
        self.memory = Memory()
        self.registers = Registers(self.memory, board)
        flash = NorFlash(part("ideal-4mb"))
        self.spi = [SpiController(flash, lambda: 0) for _ in range(2)]
        for base, spi in zip((SPI1_BASE, SPI0_BASE), self.spi, strict=True):
            self.memory.attach(base, 0x1000, spi.read, spi.write)
        self.memory.attach(efuse_module.BASE, 0x1000, efuse.read, efuse.write)

    def execute(self, opcode: int, body: bytes) -> int | None:
        """Do what the ROM does for one request; return the value of a read."""
        if opcode == READ_REG:
            return self.memory.read32(int.from_bytes(body[:4], "little"))
        if opcode == SPI_ATTACH:
            for spi in self.spi:
                spi.attached = True
        if opcode == WRITE_REG:
            for at in range(0, len(body) - 15, 16):
                address, value, mask, _delay = struct.unpack_from("<4I", body, at)
                if mask != 0xFFFFFFFF:
                    value = self.memory.read32(address) & ~mask | value & mask
                self.memory.write32(address, value)
        return None


def unslip(frame: bytes) -> bytes:
    return frame.strip(b"\xc0").replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")


def replayable() -> list[Any]:
    """Probes of rom_reg.json whose requests carry their whole body (the others show the receive buffer, not memory)."""
    return [pytest.param(p, id=p["name"]) for p in probes("rom_reg") if not p["name"].startswith("read_body_len_")]


@pytest.mark.parametrize("probe", [p for p in replayable() if p.id != "set_params_effect"])
def test_register_probe_gives_the_recorded_values(probe: dict[str, Any]) -> None:
    strap = int(probe.get("strap", "0x03"), 16)
    efuse = Efuse() if probe.get("efuse") == "blank" else Efuse.for_chip("D0WDQ6-V3")
    board = BoardRegisters(strap=strap, clkdiv=ORACLE.clkdiv, rtc_cali=ORACLE.rtc_cali)
    bench = Bench(efuse=efuse, board=board)
    dead = False
    reads = 0
    for exchange in probe["exchanges"]:
        packet = unslip(expand(exchange["send"]))
        frames = exchange.get("frames") or []
        if dead:
            assert not frames
            continue
        opcode, size = packet[1], int.from_bytes(packet[2:4], "little")
        try:
            value = bench.execute(opcode, packet[8 : 8 + size])
        except BusFault:
            dead = True
            assert not frames, f"{exchange.get('note')}: the recorded chip answers"
            continue
        assert frames, f"{exchange.get('note')}: the recorded chip is dead"
        if opcode == READ_REG:
            reads += 1
            assert f"0x{value:08x}" == frames[0]["value"], exchange.get("note")
    assert reads or dead
    assert bench.memory.unknown_reads == set()


def test_probe_strap_and_efuse_keys_are_still_what_the_replay_expects() -> None:
    named = {p["name"]: p for p in probes("rom_reg")}
    assert named["read_strap_0f"]["strap"] == "0x0f"
    assert named["read_efuse_blank"]["efuse"] == "blank"


@pytest.mark.parametrize("address", [0x3F001000, 0x3FF41000, 0, 0x80000000, 0x3F800000])
def test_what_killed_the_recorded_rom_is_a_bus_fault(address: int) -> None:
    memory = Memory()
    with pytest.raises(BusFault) as read:
        memory.read32(address)
    assert (read.value.address, read.value.write) == (address, False)
    with pytest.raises(BusFault) as written:
        memory.write32(address, 1)
    assert (written.value.address, written.value.write) == (address, True)


def test_empty_uart_fifo_reads_as_recorded_through_both_windows() -> None:
    bench = Bench(efuse=Efuse())
    assert bench.memory.read32(0x3FF40000) == 0xEE
    assert bench.memory.read32(0x60000000) == 0xEE


def test_ahb_window_shows_the_efuses_where_miniesptool_reads_them() -> None:
    bench = Bench(efuse=Efuse.for_chip("D0WDQ6-V3"))
    assert bench.memory.read32(0x6001A004) == 0x28AABBCC
    assert [bench.memory.read32(0x6001A000 + 4 * n) for n in range(7)] == [
        bench.memory.read32(0x6001A000 - AHB_SHIFT + 4 * n) for n in range(7)
    ]


def test_stores_through_the_ahb_window_reach_the_block() -> None:
    bench = Bench(efuse=Efuse())
    bench.memory.write32(UART_CLKDIV + AHB_SHIFT, 0x1C)
    assert bench.memory.read32(UART_CLKDIV) == 0x1C


def test_unaligned_access_crosses_words_as_a_little_endian_array_would() -> None:
    memory = Memory()
    memory.load(0x3FFE8000, bytes(range(16)))
    for offset in range(12):
        assert memory.read32(0x3FFE8000 + offset) == int.from_bytes(bytes(range(offset, offset + 4)), "little")
    memory.write32(0x3FFE8003, 0xAABBCCDD)
    assert memory.dump(0x3FFE8000, 8) == bytes([0, 1, 2, 0xDD, 0xCC, 0xBB, 0xAA, 7])


def test_recorded_rom_words_need_no_guess_and_others_are_noted() -> None:
    memory = Memory()
    assert memory.read32(0x40001002) == 0x413600F0
    assert memory.read32(0x4000DB00) == 0x4001C46C
    assert memory.unknown_reads == set()
    assert memory.read32(0x40002000) == 0
    assert memory.unknown_reads == {0x40002000}


def test_stores_to_rom_have_no_effect() -> None:
    memory = Memory()
    memory.write32(0x40001000, 0)
    memory.load(0x40001000, bytes(64))
    assert memory.read32(0x40001000) == 0x00F01D83


@pytest.mark.parametrize("address", [0x3FFFFFF0, 0x400C1FF0, 0x3FF81FF0, 0x50001FF0])
def test_ram_ends_where_the_manual_says(address: int) -> None:
    memory = Memory()
    memory.load(address, bytes(range(16)))
    assert memory.dump(address, 16) == bytes(range(16))
    with pytest.raises(BusFault):
        memory.dump(address, 17)


def test_load_stores_what_lies_before_the_fault() -> None:
    memory = Memory()
    with pytest.raises(BusFault) as fault:
        memory.load(0x50001FFC, b"ABCDEFGH")
    assert fault.value.address == 0x50002000
    assert memory.dump(0x50001FFC, 4) == b"ABCD"


@pytest.mark.parametrize("address", [0, 0xFFFFFFFF])
def test_mem_data_to_an_unmapped_address_faults_as_recorded(address: int) -> None:
    with pytest.raises(BusFault):
        Memory().load(address, bytes(16))


def test_rtc_fast_memory_is_one_memory_on_both_buses() -> None:
    memory = Memory()
    memory.load(0x400C0010, b"fast")
    assert memory.dump(0x3FF80010, 4) == b"fast"


def test_load_into_a_peripheral_stores_words() -> None:
    seen: list[tuple[int, int]] = []
    memory = Memory()
    memory.attach(0x3FF65000, 0x1000, lambda _offset: 0x99999999, lambda offset, value: seen.append((offset, value)))
    memory.load(0x3FF65010, bytes([1, 0, 0, 0, 2, 0, 0, 0, 3]))
    assert seen == [(0x10, 1), (0x14, 2), (0x18, 0x99999903)]


def test_an_attached_block_spans_its_pages_and_the_last_one_wins() -> None:
    def answering(value: int) -> Callable[[int], int]:
        return lambda offset: value + offset

    memory = Memory()
    memory.attach(0x3FF69000, 0x2000, answering(0x100000), lambda _offset, _value: None)
    assert memory.read32(0x3FF6A004) == 0x101004
    memory.attach(0x3FF6A000, 0x1000, answering(0x200000), lambda _offset, _value: None)
    assert memory.read32(0x3FF6A004) == 0x200004
    with pytest.raises(ValueError, match="not a multiple"):
        memory.attach(0x3FF6A004, 4, answering(0), lambda _offset, _value: None)


def test_power_on_clears_ram_but_not_attached_blocks() -> None:
    bench = Bench(efuse=Efuse())
    bench.memory.load(0x3FFE8000, b"\x55" * 64)
    bench.memory.write32(0x3FF49000, 7)
    bench.memory.clear()
    assert bench.memory.dump(0x3FFE8000, 64) == bytes(64)
    assert bench.memory.read32(0x3FF49000) == 0
    assert bench.memory.read32(GPIO_STRAP) == 3


def test_rom_start_sets_the_default_flash_geometry_again() -> None:
    bench = Bench(efuse=Efuse())
    bench.memory.load(FLASHCHIP, bytes(24))
    bench.registers.reset(ORACLE)
    assert struct.unpack("<6I", bench.memory.dump(FLASHCHIP, 24)) == (0x1540EF, 2 << 20, 65536, 4096, 256, 0xFFFF)


def test_read_only_registers_ignore_the_host_but_not_the_device() -> None:
    bench = Bench(efuse=Efuse())
    bench.memory.write32(GPIO_STRAP, 0x1F)
    assert bench.memory.read32(GPIO_STRAP) == 3
    bench.registers.poke(GPIO_STRAP, 0x13)
    assert bench.memory.read32(GPIO_STRAP) == 0x13
    with pytest.raises(KeyError):
        bench.registers.poke(SPI1_BASE, 0)


def test_a_watched_register_tells_who_models_what_follows() -> None:
    bench = Bench(efuse=Efuse())
    written: list[int] = []
    bench.registers.block(UART0).watch(UART_CLKDIV, written.append)
    bench.memory.write32(UART_CLKDIV, 0x38)
    bench.registers.block(GPIO).write(0x38, 1)
    assert written == [0x38]


def test_divider_and_calibration_follow_the_crystal() -> None:
    assert divider(26_000_000, 460_800) == 0x00600038
    assert divider(40_000_000, 115_200) & 0xFFFFF == 347
    assert calibration(40_000_000, 0x36) >> 7 == 1896
    words = BoardRegisters(strap=0x13).words()
    assert words[UART_CLKDIV] & 0xFFFFF == 347
    assert BoardRegisters(strap=0, revision=1).words()[0x3FF6607C] == 0x16042000


@given(
    st.lists(
        st.tuples(st.integers(0x3FFAE000, 0x3FFFFF00), st.binary(max_size=200)),
        max_size=8,
    ),
    st.integers(0x3FFAE000, 0x3FFFFE00),
)
def test_ram_is_an_array(writes: list[tuple[int, bytes]], at: int) -> None:
    memory = Memory()
    naive = bytearray(0x52000)
    for address, data in writes:
        memory.load(address, data)
        naive[address - 0x3FFAE000 : address - 0x3FFAE000 + len(data)] = data
    assert memory.dump(0x3FFAE000, 0x52000) == naive
    assert memory.read32(at) == int.from_bytes(naive[at - 0x3FFAE000 : at - 0x3FFAE000 + 4], "little")


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFFFFFF))
def test_any_access_gives_a_word_or_a_bus_fault(address: int, value: int) -> None:
    bench = Bench(efuse=Efuse())
    faulted = 0
    words = []
    for access in (
        lambda: bench.memory.read32(address),
        lambda: bench.memory.write32(address, value),
        lambda: bench.memory.read32(address),
    ):
        try:
            words.append(access())
        except BusFault:
            faulted += 1
    assert faulted in (0, 1, 3), "a store may fault where a load does not, but not the other way round"
    assert all(word is None or 0 <= word <= 0xFFFFFFFF for word in words)
