"""eFuses: factory words, what esptool and espefuse make of them, and burning."""

from __future__ import annotations

from typing import Any

import pytest
from esptool.targets.esp32 import ESP32ROM
from hypothesis import given
from hypothesis import strategies as st

from simulator.chip.efuse import BASE, CMD, CONF, Efuse, apb_ctrl_date, mac_crc, parse_mac
from simulator.chip.efuse_fields import FIELDS, VARIANTS, variant
from simulator.chip.memory import Memory
from simulator.chip.registers import BoardRegisters, Registers
from tests.oracle import probes

PROGRAM, RELOAD = (0x5A5A, 2), (0x5AA5, 1)


class Host(ESP32ROM):
    """esptool's chip class on top of a memory in place of a port."""

    def __init__(self, efuse: Efuse, revision: int) -> None:
        self.memory = Memory()
        Registers(self.memory, BoardRegisters(strap=3, revision=revision))
        self.memory.attach(BASE, 0x1000, efuse.read, efuse.write)
        self.secure_download_mode = False
        self.stub_is_disabled = True
        self.IS_STUB = False
        self._port = type("Port", (), {"baudrate": 115200})()

    def read_reg(self, addr: int, timeout: float = 0) -> int:
        return self.memory.read32(addr)

    def write_reg(self, addr: int, value: int, mask: int = 0xFFFFFFFF, delay_us: int = 0, delay_after_us: int = 0) -> None:
        self.memory.write32(addr, value if mask == 0xFFFFFFFF else self.read_reg(addr) & ~mask | value & mask)


def recorded_block0() -> list[int]:
    (probe,) = [p for p in probes("rom_reg") if p["name"] == "read_efuse"]
    return [int(e["frames"][0]["value"], 16) for e in probe["exchanges"][1:8]]


def run(efuse: Efuse, operation: tuple[int, int]) -> None:
    conf, command = operation
    efuse.write(CONF, conf)
    efuse.write(CMD, command)
    assert efuse.read(CMD) == 0


def test_the_default_chip_holds_the_recorded_words() -> None:
    efuse = Efuse.for_chip("D0WDQ6-V3")
    assert [efuse.read(4 * word) for word in range(7)] == recorded_block0()
    assert recorded_block0()[2] >> 16 == 0xAC
    assert mac_crc(bytes.fromhex("246f28aabbcc")) == 0xAC
    assert (efuse.mac.hex(), efuse.revision) == ("246f28aabbcc", 3)


@pytest.mark.parametrize(
    ("name", "described", "cores", "embedded"),
    [
        ("D0WDQ6", "ESP32-D0WDQ6 (revision v1.0)", "Dual Core", False),
        ("D0WD", "ESP32-D0WD (revision v1.0)", "Dual Core", False),
        ("D0WDQ6-V3", "ESP32-D0WDQ6-V3 (revision v3.0)", "Dual Core", False),
        ("D0WD-V3", "ESP32-D0WD-V3 (revision v3.0)", "Dual Core", False),
        ("S0WD", "ESP32-S0WD (revision v1.0)", "Single Core", False),
        ("U4WDH", "ESP32-U4WDH (revision v3.0)", "Dual Core", True),
        ("PICO-D4", "ESP32-PICO-D4 (revision v1.0)", "Dual Core", True),
        ("PICO-V3", "ESP32-PICO-V3 (revision v3.0)", "Dual Core", True),
    ],
)
def test_esptool_names_each_variant(name: str, described: str, cores: str, embedded: bool) -> None:
    host = Host(Efuse.for_chip(name), VARIANTS[name].revision)
    assert host.get_chip_description() == described
    features = host.get_chip_features()
    assert "BT" in features
    assert "240MHz" in features
    assert "Coding Scheme None" in features
    assert ("Embedded Flash" in features) == embedded
    assert [f for f in features if f.startswith(cores)]
    assert [f for f in features if f.casefold() == "vref calibration in efuse"]
    assert host.read_mac() == (0x24, 0x6F, 0x28, 0xAA, 0xBB, 0xCC)
    assert host.get_crystal_freq() == 40
    assert round(host.get_rom_cal_crystal_freq() / 1e6, 1) == 40.0


def test_esptool_finds_the_pads_of_in_package_flash() -> None:
    assert Host(Efuse.for_chip("PICO-D4"), 1).get_chip_spi_pads() == (6, 17, 8, 11, 16)
    assert Host(Efuse.for_chip("D0WD-V3"), 3).get_chip_spi_pads() == (0, 0, 0, 0, 0)


def test_revision_two_has_no_mark_in_the_date_word() -> None:
    assert [apb_ctrl_date(revision) for revision in range(4)] == [0x16042000] * 3 + [0x96042000]


@pytest.mark.parametrize("scheme_none", [True, False])
def test_espefuse_burns_a_key_and_a_bit_and_reads_them_back(scheme_none: bool, capsys: pytest.CaptureFixture[str]) -> None:
    fields_of_esp32: Any = pytest.importorskip("espefuse.efuse.esp32.fields")
    efuse = Efuse.for_chip("D0WDQ6-V3", fields={} if scheme_none else {"CODING_SCHEME": 1})
    host = Host(efuse, 3)
    table = fields_of_esp32.EspEfuses(host, do_not_confirm=True)
    assert str(table["MAC"].get()).startswith("24:6f:28:aa:bb:cc (CRC 0xac OK)")
    assert table["WAFER_VERSION_MAJOR"].get() == 3
    table["BLOCK1"].save(bytes(range(1, 33 if scheme_none else 25)))
    table["JTAG_DISABLE"].save(1)
    assert table.burn_all()
    again = fields_of_esp32.EspEfuses(host, do_not_confirm=True)
    assert again["JTAG_DISABLE"].get() == 1
    assert again["BLOCK1"].get_raw()[::-1] == bytes(range(1, 33 if scheme_none else 25))
    assert efuse.field("JTAG_DISABLE") == 1
    capsys.readouterr()


class TestController:
    def test_burning_sets_bits_and_never_clears_one(self) -> None:
        efuse = Efuse.for_chip("D0WDQ6-V3")
        efuse.write(0x1C + 4 * 6, 0x40)
        run(efuse, PROGRAM)
        assert efuse.read(4 * 6) == 0x04, "shown only after a read operation"
        run(efuse, RELOAD)
        assert efuse.read(4 * 6) == 0x44
        efuse.write(0x1C + 4 * 6, 0)
        run(efuse, PROGRAM)
        run(efuse, RELOAD)
        assert efuse.read(4 * 6) == 0x44
        assert efuse.burns == 2

    @pytest.mark.parametrize("operation", [(0x5AA5, 2), (0x5A5A, 1), (0, 2)])
    def test_nothing_happens_without_the_right_magic_word(self, operation: tuple[int, int]) -> None:
        efuse = Efuse()
        efuse.burn("JTAG_DISABLE", 1)
        efuse.write(0x1C, 0xFFFF)
        run(efuse, operation)
        assert efuse.burns == 0
        assert efuse.read(4 * 6) == 0

    def test_reset_shows_what_was_burnt(self) -> None:
        efuse = Efuse()
        efuse.write(0xD8 + 4, 0x1234)
        run(efuse, PROGRAM)
        efuse.reset()
        assert efuse.read(0x78 + 4) == 0x1234
        assert efuse.read(0xD8 + 4) == 0

    def test_write_protection_freezes_a_field_and_no_other(self) -> None:
        efuse = Efuse()
        efuse.burn("WR_DIS", 1 << FIELDS["BLOCK1"].write_protect)  # type: ignore[operator]
        efuse.write(0x98, 0xFFFFFFFF)
        efuse.write(0xB8, 0xFFFFFFFF)
        run(efuse, PROGRAM)
        assert efuse.field("BLOCK1") == 0
        assert efuse.field("BLOCK2") == 0xFFFFFFFF

    def test_the_write_protection_word_can_protect_itself(self) -> None:
        efuse = Efuse()
        efuse.burn("WR_DIS", 1 << 1)
        efuse.write(0x1C, 0xFFFF)
        run(efuse, PROGRAM)
        assert efuse.field("WR_DIS") == 1 << 1

    def test_read_protection_hides_a_block_from_the_next_reload_on(self) -> None:
        efuse = Efuse([[0], [0x11111111] * 8])
        assert efuse.read(0x38) == 0x11111111
        efuse.write(0x1C, 1 << 16)
        run(efuse, PROGRAM)
        assert efuse.read(0x38) == 0x11111111
        run(efuse, RELOAD)
        assert [efuse.read(0x38 + 4 * n) for n in range(8)] == [0] * 8
        assert efuse.field("BLOCK1") & 0xFFFFFFFF == 0x11111111

    def test_read_registers_and_date_ignore_stores(self) -> None:
        efuse = Efuse()
        for offset in (0x00, 0x18, 0x38, 0x94, 0x1FC):
            efuse.write(offset, 0xFFFFFFFF)
        assert [efuse.read(offset) for offset in (0x00, 0x18, 0x38, 0x94, 0x1FC)] == [0, 0, 0, 0, 0x16042600]

    @given(st.lists(st.tuples(st.integers(0, 0x7F).map(lambda n: 4 * n), st.integers(0, 0xFFFFFFFF)), max_size=30))
    def test_any_stores_only_ever_set_cells(self, writes: list[tuple[int, int]]) -> None:
        efuse = Efuse.for_chip("D0WDQ6-V3")
        before = {name: efuse.field(name) for name in FIELDS}
        for offset, value in [*writes, (CONF, 0x5A5A), (CMD, 2)]:
            efuse.write(offset, value)
        assert all(efuse.field(name) & value == value for name, value in before.items())
        assert all(0 <= efuse.read(offset) <= 0xFFFFFFFF for offset in range(0, 0x200, 4))


class TestFactory:
    def test_further_fields_and_mac(self) -> None:
        efuse = Efuse.for_chip("ESP32-D0WD-V3", mac="0A-0b-0c-0d-0e-0f", fields={"FLASH_CRYPT_CNT": 1})
        assert efuse.mac.hex() == "0a0b0c0d0e0f"
        assert efuse.read(0) == 1 << 20
        assert efuse.field("MAC_CRC") == mac_crc(bytes.fromhex("0a0b0c0d0e0f"))

    @pytest.mark.parametrize("text", ["", "24:6f:28:aa:bb", "24:6f:28:aa:bb:c", "24:6f:28:aa:bb:zz", "246f28aabbcc"])
    def test_a_malformed_mac_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"not a MAC address"):
            parse_mac(text)

    def test_an_unknown_variant_names_its_neighbours(self) -> None:
        with pytest.raises(KeyError, match="D0WDQ6-V3"):
            variant("D0WDQ6V3")

    def test_a_value_must_fit_its_field(self) -> None:
        with pytest.raises(ValueError, match="does not fit"):
            Efuse().burn("CHIP_PACKAGE", 8)

    def test_fields_do_not_overlap(self) -> None:
        for block in range(4):
            taken = 0
            for place in FIELDS.values():
                if place.block == block:
                    bits = ((1 << place.length) - 1) << (32 * place.word + place.bit)
                    assert not taken & bits, place.name
                    taken |= bits


def test_cells_go_through_a_file_and_back() -> None:
    burnt = Efuse.for_chip("D0WD-V3", fields={"UART_DOWNLOAD_DIS": 1, "RD_DIS": 1, "BLOCK1": 0x1234})
    copy = Efuse()
    copy.load(burnt.to_bytes())
    assert copy.cells == burnt.cells
    assert copy.read(0x38) == 0, "what RD_DIS hides stays hidden"
    assert copy.field("BLOCK1") == 0x1234


@pytest.mark.parametrize("size", [0, 123, 125])
def test_a_file_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"124 bytes, not {size}"):
        Efuse().load(bytes(size))
