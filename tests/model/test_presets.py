"""Boards and adapters as data: complete, consistent, and found by name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flashcore.errors import ScenarioError
from simulator.board.board import Board, HostBaud, HostLines
from simulator.board.bridge import BRIDGES, Driver, bridge
from simulator.board.presets import PRESETS, preset
from simulator.chip.config import ORACLE
from simulator.chip.efuse_fields import variant
from simulator.chip.firmware import profile
from simulator.chip.flash_parts import part
from simulator.chip.straps import BootTarget, boot_mode


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_names_parts_that_exist_and_boots_both_ways(name: str) -> None:
    board = preset(name)
    assert board.name == name
    variant(board.chip.efuse)
    part(board.chip.flash)
    profile(board.firmware)
    assert boot_mode(board.strap_value(io0_low=False)).target is BootTarget.FLASH
    assert boot_mode(board.strap_value(io0_low=True)).is_download
    assert board.title
    assert board.note
    assert board.bridge is bridge(board.bridge.name)


def test_every_preset_has_a_mac_of_its_own() -> None:
    assert len({board.chip.mac for board in PRESETS.values()}) == len(PRESETS)


def test_the_board_of_the_thread() -> None:
    board = preset("ttgo-lora32-v1")
    assert board.chip.efuse == "D0WDQ6-V3"
    assert variant(board.chip.efuse).revision == 3
    assert board.chip.crystal_mhz == 40
    assert part(board.chip.flash).size == 4 << 20
    assert (board.bridge.vid, board.bridge.pid) == (0x1A86, 0x55D4)
    assert board.bridge.port_name(Driver.MACOS_APPLE) == "/dev/cu.usbmodem53230050451"
    assert board.bridge.port_name(Driver.MACOS_VENDOR) == "/dev/cu.wchusbserial53230050451"


def test_the_oracle_is_the_recorded_chip_on_wires_without_delay() -> None:
    board = preset("esp32-oracle")
    assert board.chip is ORACLE
    assert (board.bridge.latency_ns, board.bridge.out_latency_ns, board.bridge.control_ns) == (0, 0, 0)


@pytest.mark.parametrize(
    ("name", "vid", "pid", "max_baud", "linux"),
    [
        ("CP2102", 0x10C4, 0xEA60, 1_000_000, "/dev/ttyUSB3"),
        ("CP2104", 0x10C4, 0xEA60, 2_000_000, "/dev/ttyUSB3"),
        ("CP2102N", 0x10C4, 0xEA60, 3_000_000, "/dev/ttyUSB3"),
        ("CH9102F", 0x1A86, 0x55D4, 4_000_000, "/dev/ttyACM3"),
        ("CH343", 0x1A86, 0x55D3, 6_000_000, "/dev/ttyACM3"),
        ("CH340C", 0x1A86, 0x7523, 2_000_000, "/dev/ttyUSB3"),
        ("FT232R", 0x0403, 0x6001, 3_000_000, "/dev/ttyUSB3"),
        ("FT231X", 0x0403, 0x6015, 3_000_000, "/dev/ttyUSB3"),
        ("FT2232H", 0x0403, 0x6010, 12_000_000, "/dev/ttyUSB3"),
        ("CP2102C", 0x10C4, 0xEA64, 3_000_000, "/dev/ttyACM3"),
        ("PL2303", 0x067B, 0x2303, 1_000_000, "/dev/ttyUSB3"),
        ("Pico", 0x2E8A, 0x000A, 921_600, "/dev/ttyACM3"),
    ],
)
def test_adapters_are_those_of_the_table(name: str, vid: int, pid: int, max_baud: int, linux: str) -> None:
    spec = bridge(name)
    assert (spec.vid, spec.pid, spec.max_baud) == (vid, pid, max_baud)
    assert spec.port_name(Driver.LINUX, 3) == linux


def test_only_ftdi_has_the_16_ms_latency_timer() -> None:
    assert {name for name, spec in BRIDGES.items() if spec.latency_ns == 16_000_000} == {"FT232R", "FT231X", "FT2232H"}


def test_only_the_cp2102c_gives_rts_to_flow_control() -> None:
    assert {name for name, spec in BRIDGES.items() if spec.flow_control} == {"CP2102C"}


def test_a_micro_controller_as_an_adapter_passes_no_lines() -> None:
    board = Board(replace(preset("esp32-devkitc"), bridge=bridge("Pico")))
    board.advance(board.submit(HostLines(dtr=False, rts=True)) + 50_000_000)
    assert board.reset_circuit.enabled
    assert board.soc.boots == 1


def test_an_adapter_goes_no_faster_than_it_can_whatever_it_is_told() -> None:
    board = Board(replace(preset("esp32-devkitc"), bridge=bridge("CP2102")))
    board.submit(HostBaud(921_600))
    assert board.adapter.baudrate == 921_600
    board.submit(HostBaud(2_000_000))
    assert board.adapter.baudrate == 1_000_000


def test_an_adapter_without_a_driver_has_no_port_there() -> None:
    assert bridge("ideal").port_name(Driver.WINDOWS) is None


@pytest.mark.parametrize(
    ("wrong", "nearest"), [("ttgo-lora-v1", "ttgo-lora32-v1"), ("ESP32-DEVKIT", "esp32-devkitc"), ("", "")]
)
def test_an_unknown_board_is_refused_with_the_nearest_and_all(wrong: str, nearest: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        preset(wrong)
    assert nearest in caught.value.hint
    assert all(name in caught.value.message for name in PRESETS)


def test_an_unknown_adapter_is_refused_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="there is no bridge 'cp2102m'") as caught:
        bridge("cp2102m")
    assert caught.value.hint.startswith("did you mean CP2102")
