"""Connecting: how a loader is reached, and what is said when there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flashcore.errors import (
    BridgeEchoError,
    ChipMismatchError,
    ConnectError,
    NoAnswerError,
    NotAnEspDeviceError,
    UsageError,
    WrongBootModeError,
)
from flashcore.loader import After, Before, Options, parse_after, parse_before, reset
from flashcore.loader.connect import BY_HAND
from flashcore.loader.diagnosis import Attempt, diagnose
from flashcore.loader.progress import Closed, Connected
from flashcore.loader.session import SYNC_WIRE
from flashcore.port import LineSupport
from simulator.board.autoreset import Wiring
from simulator.board.board import Board
from simulator.board.presets import preset
from simulator.chip.factory import factory_flash
from simulator.chip.straps import StrapPins
from simulator.links.virtual import VirtualPort
from tests.model.loader_world import ROM_ONLY, Bench, bench

CONNECT_BOUND_S = 18.0


def test_the_first_reset_and_the_second_sync_reach_the_rom() -> None:
    desk = bench()
    with desk.open(ROM_ONLY):
        pass
    assert desk.of(Connected) == [Connected(loader="rom", strategy="tight, 0.05 s", resets=1, syncs=2)]


def test_a_sequential_port_connects_with_the_classic_sequence() -> None:
    desk = bench(lines=LineSupport.SEQUENTIAL)
    with desk.open(ROM_ONLY):
        pass
    assert desk.of(Connected)[0].strategy.startswith("classic")


def test_without_lines_a_chip_in_download_mode_is_reached_and_not_restarted() -> None:
    desk = bench(lines=LineSupport.NONE, download=True)
    with desk.open(ROM_ONLY):
        pass
    assert desk.of(Connected)[0].resets == 0
    assert desk.of(Closed) == [Closed(reset=False, in_loader=True)]


def test_a_custom_sequence_takes_the_place_of_the_usual_ones() -> None:
    desk = bench()
    with desk.open(Options(use_stub=False, before=reset.parse_custom("D0|R1|W0.2|U1,0|W0.1|D0"))):
        pass
    assert desk.of(Connected)[0].strategy == "custom"


def test_after_the_session_the_chip_runs_its_firmware() -> None:
    desk = bench()
    with desk.open(ROM_ONLY):
        pass
    assert desk.of(Closed) == [Closed(reset=True, in_loader=False)]
    device = desk.port.device
    assert isinstance(device, Board)
    assert device.soc.strap == 0x17


def test_no_reset_after_leaves_the_loader_running() -> None:
    desk = bench()
    with desk.open(Options(use_stub=False, after=After.NO_RESET)):
        pass
    again = bench()
    again.world, again.port = desk.world, type(desk.port)(desk.world.device)
    with again.open(Options(use_stub=False, before=Before.NO_RESET)):
        pass
    assert again.of(Connected)[0].resets == 0


def test_one_valid_sync_answer_of_eight_is_enough() -> None:
    desk = bench(*(f"d2h:nth_frame(SYNC,{n}):corrupt(mask=0x40,at=3)" for n in range(1, 8)))
    with desk.open(ROM_ONLY):
        pass
    assert desk.fired == 7
    assert desk.of(Connected)[0].syncs == 2


def test_a_silent_line_is_called_so_within_the_bound() -> None:
    desk = bench("silent-line")
    with pytest.raises(NoAnswerError) as caught:
        desk.open(ROM_ONLY)
    assert caught.value.code == "connect.no_answer"
    assert caught.value.message.startswith("not one byte came back from /dev/test in ")
    assert desk.seconds < CONNECT_BOUND_S
    assert desk.fired > 0


def test_a_silent_line_without_lines_asks_for_the_button() -> None:
    desk = bench(lines=LineSupport.NONE, board="heltec-wifi-lora-32-v2")
    desk.world.device.advance(5_000_000_000)
    with pytest.raises(ConnectError) as caught:
        desk.open(ROM_ONLY)
    assert "BOOT" in caught.value.hint
    assert desk.seconds < 5 + CONNECT_BOUND_S


def test_a_modem_is_called_a_modem() -> None:
    desk = bench("wrong-port-modem")
    with pytest.raises(NotAnEspDeviceError, match='answers "ERROR" like a modem'):
        desk.open(ROM_ONLY)
    assert desk.seconds < CONNECT_BOUND_S


def test_a_gps_is_called_a_gps_and_quoted() -> None:
    with pytest.raises(NotAnEspDeviceError, match=r'GPS receiver: "\$G') as caught:
        bench("wrong-port-gps").open(ROM_ONLY)
    assert caught.value.context["looks_like"] == "gps"


def test_an_echo_is_found_after_two_resets() -> None:
    desk = bench("wrong-port-echo")
    with pytest.raises(BridgeEchoError):
        desk.open(ROM_ONLY)
    assert desk.seconds < 3


def test_a_chip_that_boots_its_firmware_is_told_from_noise() -> None:
    desk = bench()
    with pytest.raises(WrongBootModeError) as caught:
        desk.open(Options(use_stub=False, before=reset.parse_custom("D0|R1|W0.1|R0|W0.3")))
    assert caught.value.context["strap"] == 0x17
    assert "SPI_FAST_FLASH_BOOT" in caught.value.message
    assert "BOOT" in caught.value.hint


def test_a_chip_that_waits_but_hears_nothing_points_at_the_tx_wire() -> None:
    desk = bench("h2d:always:drop:permanent")
    with pytest.raises(ConnectError) as caught:
        desk.open(ROM_ONLY)
    assert caught.value.code == "connect.no_way_in"
    assert "TX path to it seems to be down" in caught.value.message
    assert "RX0" in caught.value.hint


def rebuilt(strap: StrapPins | None = None, download: bool = False, **changes: object) -> Bench:
    """Return a bench whose board differs from the usual one."""
    desk = bench()
    base = preset("ttgo-lora32-v1")
    board = Board(replace(base, strap=strap or base.strap, **changes), download=download)  # type: ignore[arg-type]
    for offset, data in factory_flash("arduino"):
        board.soc.flash.load(offset, data)
    return Bench(world=desk.world, port=VirtualPort(board, name="/dev/test"))


def test_a_part_that_holds_gpio2_high_is_named() -> None:
    desk = rebuilt(strap=StrapPins(io2=True))
    with pytest.raises(WrongBootModeError, match=r"boot:0xb\), since GPIO2 was high") as caught:
        desk.open(ROM_ONLY)
    assert caught.value.code == "connect.wrong_strap"
    assert caught.value.context["pin"] == "GPIO2"


@pytest.mark.parametrize(("microfarad", "strategy"), [(0.001, "tight, 0.05 s"), (10, "tight, 0.55 s"), (100, "tight, 2 s")])
def test_some_sequence_suits_every_capacitor_at_en(microfarad: float, strategy: str) -> None:
    desk = rebuilt(c_farad=microfarad * 1e-6)
    with desk.open(ROM_ONLY):
        pass
    assert desk.of(Connected)[0].strategy == strategy


def test_exchanged_lines_are_found_out_and_the_chip_is_restarted_by_them() -> None:
    desk = rebuilt(wiring=Wiring.CROSSED)
    with desk.open(ROM_ONLY):
        pass
    assert desk.of(Connected)[0].strategy == "lines exchanged"
    device = desk.port.device
    assert isinstance(device, Board)
    device.advance(device.kernel.now + 10_000_000)
    assert device.soc.strap == 0x17
    assert device.soc.enabled


def test_an_adapter_that_moves_rts_by_itself_is_found_out_by_what_it_cuts_short() -> None:
    desk = bench(board="esp32-cp2102c")
    with desk.open(ROM_ONLY) as flasher:
        assert flasher.info().jedec_id
    assert desk.of(Connected)[0].strategy == "tight, DTR kept"
    assert desk.seconds < 4


def test_a_chip_whose_efuses_forbid_a_download_is_not_blamed_on_a_wire() -> None:
    desk = bench(board="esp32-no-download")
    with pytest.raises(ConnectError, match="does not wait for one") as caught:
        desk.open(ROM_ONLY)
    assert caught.value.code == "connect.download_disabled"
    assert "eFuses" in caught.value.hint


def test_by_hand_the_buttons_are_waited_for_and_the_chip_is_not_reset_meanwhile() -> None:
    desk = rebuilt(wiring=Wiring.NONE)
    board = desk.port.device
    assert isinstance(board, Board)
    board.kernel.after(19_000_000_000, lambda: board.reset_circuit.hold_boot(True))
    board.kernel.after(20_000_000_000, board.press_reset)
    board.kernel.after(21_000_000_000, lambda: board.reset_circuit.hold_boot(False))
    with desk.open(Options(use_stub=False, before=Before.MANUAL)):
        assert 20 < desk.port.clock.now_ns() / 1e9 < 24
    assert desk.of(Connected) == [Connected(loader="rom", strategy=BY_HAND, resets=0, syncs=desk.of(Connected)[0].syncs)]


def test_slow_lines_are_measured_and_named() -> None:
    bridge = replace(preset("ttgo-lora32-v1").bridge, control_ns=200_000_000)
    desk = rebuilt(bridge=bridge, wiring=Wiring.TRANSISTORS)
    desk.port.line_support = LineSupport.SEQUENTIAL
    with pytest.raises(WrongBootModeError) as caught:
        desk.open(ROM_ONLY)
    assert "the modem lines are slow: they take effect after 200 ms" in caught.value.hint


def test_a_chip_that_answers_late_is_not_reset_meanwhile() -> None:
    desk = bench("d2h:always:delay(0.3)")
    with desk.open(ROM_ONLY):
        pass
    assert desk.of(Connected)[0].resets <= 2


@pytest.mark.parametrize(
    ("heard", "error", "code"),
    [
        (b"\0" * 40, NoAnswerError, "connect.line_stuck"),
        (b"\xff" * 3, NoAnswerError, "connect.line_stuck"),
        (b"noise" + SYNC_WIRE, BridgeEchoError, "connect.echo"),
        (
            b"rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\nhello\r\n",
            WrongBootModeError,
            "connect.wrong_boot_mode",
        ),
        (b"\r\nOK\r\n", NotAnEspDeviceError, "connect.not_an_esp_device"),
        (b"Marlin 2.1 ready, type ?\n", NotAnEspDeviceError, "connect.not_an_esp_device"),
        (bytes(range(128, 256)), NotAnEspDeviceError, "connect.not_an_esp_device"),
        (b"", NoAnswerError, "connect.no_answer"),
    ],
)
def test_what_is_heard_decides_the_diagnosis(heard: bytes, error: type[ConnectError], code: str) -> None:
    attempt = Attempt(port="p", resets=1, syncs=5, has_lines=True, heard=heard, received=len(heard))
    found = diagnose(attempt)
    assert type(found) is error
    assert found.code == code
    assert found.hint


def test_another_chip_than_asked_for_is_refused() -> None:
    desk = bench("d2h:nth_frame(READ_REG,1):corrupt(mask=0x01,at=5):times=2")
    with pytest.raises(ChipMismatchError, match="unknown"):
        desk.open(ROM_ONLY)


def test_reset_choices_are_read_and_bad_ones_refused() -> None:
    assert parse_before("manual") is Before.MANUAL
    assert parse_before("no-reset") is Before.NO_RESET
    assert parse_before("D0|R1|W0.1") == reset.parse_custom("D0|R1|W0.1")
    assert parse_after("hard-reset") is After.HARD_RESET
    for text in ("soft", "reset", ""):
        with pytest.raises(UsageError):
            parse_before(text)
        with pytest.raises(UsageError):
            parse_after(text)
