"""An adapter that hands RTS to flow control (CP2102C): what resets the chip, what does not, and who can live with it.

Source: fault catalogue row 53; docs/sources.md, Bridges and Reset sequences. A board is driven as a host drives it.
"""

from __future__ import annotations

import pytest

from flashcore.loader import reset
from flashcore.loader.reset import parse_custom
from simulator.board.board import Board, HostClose
from simulator.board.bridge import bridge
from simulator.board.presets import preset
from simulator.chip.factory import factory_flash
from simulator.kernel import MS, S
from simulator.links.virtual import VirtualPort
from tests.conformance.rom_probes import SYNC

KEPT = "U0,0|U1,1|U0,1|W0.1|U1,0|W0.05"
"""Into download mode, DTR left asserted: esptool from 5.3 for this adapter."""
RELEASED = KEPT + "|U0,0|D0"
"""Into download mode, both lines released: every other esptool, and every other flasher."""
OUT = "D0|R1|W0.1|D1|W0.1|R0"
"""Hard reset, DTR left asserted: esptool from 5.3 for this adapter."""


class Desk:
    """The board, its app, and a host that has the port open with both lines asserted."""

    def __init__(self, name: str = "esp32-cp2102c", firmware: str = "silent") -> None:
        self.board = Board(preset(name))
        for offset, data in factory_flash(firmware):
            self.board.soc.flash.load(offset, data)
        self.port = VirtualPort(self.board, name="desk", baudrate=115_200)
        self.port.set_lines(dtr=True, rts=True)

    def run(self, sequence: str) -> None:
        reset.run(self.port, parse_custom(sequence))

    def wait(self, time_ns: int) -> None:
        self.board.advance(self.board.kernel.now + time_ns)

    def restarts(self, time_ns: int) -> int:
        """Return how often the chip starts while time passes."""
        before = self.board.soc.boots
        self.wait(time_ns)
        return self.board.soc.boots - before

    def answers(self) -> int:
        """Return how many answers a SYNC gets; the first one goes to the baud detection."""
        for _ in range(2):
            self.port.discard_input()
            self.port.write(SYNC, self.board.kernel.now + S)
            self.wait(100 * MS)
        return self.port.read(1 << 16, self.board.kernel.now).count(bytes.fromhex("c0010804"))


def test_a_sync_is_answered_while_dtr_stays_asserted() -> None:
    desk = Desk()
    desk.run(KEPT)
    assert desk.answers() == 8


def test_with_both_lines_released_the_answer_itself_resets_the_chip() -> None:
    desk = Desk()
    desk.run(RELEASED)
    before = desk.board.soc.boots
    assert desk.answers() == 0
    assert desk.board.soc.boots > before


def test_the_same_sequence_is_fine_on_an_adapter_that_leaves_rts_alone() -> None:
    desk = Desk("esp32-devkitc")
    desk.run(RELEASED)
    assert desk.answers() == 8


@pytest.mark.parametrize(("dtr", "restarts"), [(False, True), (True, False)])
def test_an_app_that_talks_resets_its_chip_again_and_again_unless_dtr_is_asserted(dtr: bool, restarts: bool) -> None:
    desk = Desk(firmware="softrf")
    desk.run(OUT)
    desk.port.set_lines(dtr=dtr, rts=False)
    assert (desk.restarts(5 * S) > 100) == restarts


def test_an_app_that_talks_to_a_closed_port_is_left_alone() -> None:
    desk = Desk(firmware="softrf")
    desk.run(OUT)
    desk.port.close(lines=None)
    desk.wait(S)
    assert desk.restarts(5 * S) == 0


def test_closing_resets_the_chip_once_and_it_runs_again() -> None:
    desk = Desk()
    desk.run(OUT)
    desk.wait(S)
    desk.port.close(lines=bridge("CP2102C").lines_on_close)
    assert desk.restarts(2 * S) == 1
    assert desk.board.reset_circuit.enabled


def test_closing_leaves_the_app_alone_if_dtr_stays_asserted() -> None:
    desk = Desk()
    desk.run(OUT)
    desk.wait(S)
    desk.port.close(lines=None)
    assert (desk.board.adapter.dtr, desk.board.adapter.rts) == (True, False)
    assert desk.restarts(2 * S) == 0


def test_closing_another_adapter_resets_nothing() -> None:
    desk = Desk("esp32-devkitc")
    desk.run(OUT)
    desk.wait(S)
    desk.port.close(lines=bridge("CP2102N").lines_on_close)
    assert desk.restarts(2 * S) == 0


def test_flow_control_comes_behind_the_lines_that_are_on_their_way() -> None:
    desk = Desk()
    desk.run(OUT)
    desk.wait(S)
    before = desk.board.soc.boots
    desk.board.adapter.set_lines(True, True)
    desk.board.submit(HostClose())
    desk.wait(2 * S)
    assert desk.board.soc.boots == before, "the twitch finds DTR asserted, as the transfer before it said"
