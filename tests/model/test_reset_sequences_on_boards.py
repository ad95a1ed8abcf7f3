"""Every reset sequence of every flasher, on every wiring: in which mode a whole board is left, and who wins the races.

A board is driven as a host drives it, one control transfer per step, and judged by what its chip says. Source: docs/sources.md,
Reset circuit and Reset sequences, worked out by hand for each wiring; fault catalogue row 2.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from flashcore.loader.reset import Both, Dtr, Rts, Wait, parse_custom
from simulator.board.autoreset import Wiring
from simulator.board.board import Board, HostBaud, HostLines, HostOpen
from simulator.board.presets import preset
from simulator.chip.factory import factory_flash
from simulator.kernel import MS, US, S

DOWNLOAD, RUN, HELD, SAME = "download", "run", "held in reset", "not restarted"
"""What a sequence leaves behind."""

WIRINGS = (Wiring.TRANSISTORS, Wiring.DIRECT, Wiring.CROSSED, Wiring.INVERTED, Wiring.NONE)

CLASSIC = "D0|R1|W0.1|D1|R0|W0.05|D0"
CLASSIC_SLOW = "D0|R1|W0.1|D1|R0|W0.55|D0"
TIGHT = "U0,0|U1,1|U0,1|W0.1|U1,0|W0.05|U0,0|D0"
TIGHT_SLOW = "U0,0|U1,1|U0,1|W0.1|U1,0|W0.55|U0,0|D0"

INTO_DOWNLOAD = {
    "classic: all esptool, esptool-js": (CLASSIC, (DOWNLOAD, DOWNLOAD, RUN, HELD, SAME)),
    "classic with long delay": (CLASSIC_SLOW, (DOWNLOAD, DOWNLOAD, RUN, HELD, SAME)),
    "classic, DTR repeated: espflash": ("D0|R1|D0|W0.1|D1|R0|D1|W0.05|D0", (DOWNLOAD, DOWNLOAD, RUN, HELD, SAME)),
    "tight: esptool 4.5 and later, espflash": (TIGHT, (DOWNLOAD, DOWNLOAD, RUN, HELD, SAME)),
    "tight with long delay": (TIGHT_SLOW, (DOWNLOAD, DOWNLOAD, RUN, HELD, SAME)),
    "tight: esp-serial-flasher": ("U0,0|U1,1|U0,1|W0.1|U1,0|W0.05|U0,0", (DOWNLOAD, DOWNLOAD, RUN, HELD, SAME)),
    "custom, both lines at once": ("U0,1|W0.1|U1,0|W0.05|U0,0", (DOWNLOAD, DOWNLOAD, RUN, HELD, SAME)),
    "custom, lines exchanged": ("R0|D1|W0.1|R1|D0|W0.05|R0", (RUN, RUN, DOWNLOAD, HELD, SAME)),
    "custom, wrong: only releases": ("D0|R0|W0.1", (RUN, RUN, SAME, HELD, SAME)),
    "USB-Serial/JTAG": ("R0|D0|W0.1|D1|R0|W0.1|R1|D0|R1|W0.1|D0|R0", (RUN, RUN, DOWNLOAD, HELD, SAME)),
}
"""By name: the steps, and what they leave behind on each of `WIRINGS` with 100 nF and 1 ms per transfer. They start from both
lines asserted, as most systems open a port, on a board that runs its firmware."""

OUT_OF_DOWNLOAD = {
    "UART: esptool, espflash": ("R1|W0.1|R0", (RUN, RUN, SAME, HELD, SAME)),
    "UART, DTR held: esp-serial-flasher": ("D0|R1|W0.1|R0", (RUN, RUN, SAME, HELD, SAME)),
    "native USB: esptool": ("R1|W0.2|R0|W0.2", (RUN, RUN, SAME, HELD, SAME)),
    "CP2102C: esptool 5.3": ("D0|R1|W0.1|D1|W0.1|R0", (RUN, DOWNLOAD, HELD, HELD, SAME)),
    "CP2102C on Windows: esptool 5.3": ("D0|R1|W0.1|D1|W0.1|R0|D0", (RUN, RUN, RUN, HELD, SAME)),
    "esptool-js, which never asserts RTS": ("W0.1|R0", (SAME, SAME, SAME, HELD, SAME)),
    "esptool-js, USB-OTG": ("W0.2|R0|W0.2", (SAME, SAME, SAME, HELD, SAME)),
    "esptool-js behind a caller that asserts RTS": ("R1|W0.1|R0", (RUN, RUN, SAME, HELD, SAME)),
    "after flash, USB-JTAG: espflash": ("W0.1|D0|W0.1|R1|D0|R1|W0.1|R0", (RUN, RUN, SAME, HELD, SAME)),
}
"""The same for resets behind the work: from both lines released, on a board in download mode."""


class Bench:
    """A board with a quiet app, and a host that sets its lines."""

    def __init__(
        self, *, wiring: Wiring = Wiring.TRANSISTORS, c_farad: float = 100e-9, control_ns: int = MS, download: bool = False
    ) -> None:
        base = preset("esp32-devkitc")
        bridge = replace(base.bridge, control_ns=control_ns)
        self.board = Board(replace(base, wiring=wiring, c_farad=c_farad, bridge=bridge), download=download)
        for offset, data in factory_flash("silent"):
            self.board.soc.flash.load(offset, data)
        self.lines = [False, False]
        self.board.submit(HostBaud(115_200))
        self.board.submit(HostOpen())

    def wait(self, time_ns: int) -> None:
        self.board.advance(self.board.kernel.now + time_ns)

    def set(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Change lines by one transfer, and wait for it as a system call does."""
        self.lines = [old if new is None else new for old, new in zip(self.lines, (dtr, rts), strict=True)]
        self.board.advance(self.board.submit(HostLines(*self.lines)))

    def run(self, text: str) -> str:
        """Run a sequence and return what it leaves behind."""
        self.wait(S)
        self.board.drain(1 << 20)
        starts = self.board.soc.boots
        for step in parse_custom(text).steps:
            match step:
                case Dtr(asserted):
                    self.set(dtr=asserted)
                case Rts(asserted):
                    self.set(rts=asserted)
                case Both(dtr, rts):
                    self.set(dtr=dtr, rts=rts)
                case Wait(seconds):
                    self.wait(round(seconds * S))
        self.wait(S)
        if not self.board.reset_circuit.enabled:
            return HELD
        if self.board.soc.boots == starts:
            return SAME
        said = self.board.drain(1 << 20)
        last = re.findall(rb"boot:0x[0-9a-f]+ \((\w+)", said)[-1]
        waits = said.rpartition(b"boot:0x")[2].count(b"waiting for download") == 1
        assert waits is (last == b"DOWNLOAD_BOOT")
        return DOWNLOAD if waits else RUN


@pytest.mark.parametrize(
    ("wiring", "text", "left"),
    [
        pytest.param(wiring, text, left, id=f"{wiring.value}-{name}")
        for name, (text, row) in INTO_DOWNLOAD.items()
        for wiring, left in zip(WIRINGS, row, strict=True)
    ],
)
def test_a_reset_before_the_work_leaves_the_board_as_a_real_one(wiring: Wiring, text: str, left: str) -> None:
    bench = Bench(wiring=wiring)
    bench.set(dtr=True, rts=True)
    assert bench.run(text) == left


@pytest.mark.parametrize(
    ("wiring", "text", "left"),
    [
        pytest.param(wiring, text, left, id=f"{wiring.value}-{name}")
        for name, (text, row) in OUT_OF_DOWNLOAD.items()
        for wiring, left in zip(WIRINGS, row, strict=True)
    ],
)
def test_a_reset_behind_the_work_leaves_the_board_as_a_real_one(wiring: Wiring, text: str, left: str) -> None:
    assert Bench(wiring=wiring, download=True).run(text) == left


CAPACITORS = (0.0, 10e-9, 100e-9, 470e-9, 1e-6, 4.7e-6, 10e-6, 47e-6)
TRANSFERS_NS = (0, 100 * US, MS, 2 * MS, 10 * MS, 100 * MS)


def crossing_ns(c_farad: float) -> float:
    """When EN counts as high after its release, by the arithmetic of the data sheet: 0.75 VDD behind 10 kOhm."""
    return math.log(4) * 10_000 * c_farad * S


@pytest.mark.parametrize("c_farad", CAPACITORS, ids=lambda c: f"{c * 1e9:g}nF")
@pytest.mark.parametrize("transfer_ns", TRANSFERS_NS, ids=lambda ns: f"{ns // US}us")
@pytest.mark.parametrize(("text", "delay_ns"), [(CLASSIC, 50 * MS), (CLASSIC_SLOW, 550 * MS)], ids=["short", "long"])
def test_classic_wins_if_en_crosses_while_io0_is_low(c_farad: float, transfer_ns: int, text: str, delay_ns: int) -> None:
    """EN is released by the first write behind the hold, IO0 falls one transfer later and rises a delay and a transfer on."""
    crosses = crossing_ns(c_farad)
    wins = transfer_ns < crosses < 2 * transfer_ns + delay_ns
    assert Bench(c_farad=c_farad, control_ns=transfer_ns).run(text) == (DOWNLOAD if wins else RUN)


@pytest.mark.parametrize("c_farad", CAPACITORS, ids=lambda c: f"{c * 1e9:g}nF")
@pytest.mark.parametrize("transfer_ns", TRANSFERS_NS, ids=lambda ns: f"{ns // US}us")
@pytest.mark.parametrize(("text", "delay_ns"), [(TIGHT, 50 * MS), (TIGHT_SLOW, 550 * MS)], ids=["short", "long"])
def test_tight_loses_only_to_a_capacitor_slower_than_its_delay(
    c_farad: float, transfer_ns: int, text: str, delay_ns: int
) -> None:
    wins = crossing_ns(c_farad) < transfer_ns + delay_ns
    assert Bench(c_farad=c_farad, control_ns=transfer_ns).run(text) == (DOWNLOAD if wins else RUN)


def test_both_outcomes_of_both_races_are_in_the_tables() -> None:
    classic = {
        (transfer < crossing_ns(c), crossing_ns(c) < 2 * transfer + delay)
        for c in CAPACITORS
        for transfer in TRANSFERS_NS
        for delay in (50 * MS, 550 * MS)
    }
    assert classic == {(True, True), (False, True), (True, False)}


@pytest.mark.parametrize(
    ("wiring", "text", "c_farad", "left"),
    [
        (Wiring.CROSSED, "R0|D0|W0.1|D1|R0|W0.1|R1|D0|R1|W0.1|D0|R0", 10e-9, RUN),
        (Wiring.CROSSED, "R0|D1|W0.1|R1|D0|W0.05|R0", 10e-9, RUN),
        (Wiring.DIRECT, "D0|R1|W0.1|D1|W0.1|R0|D0", 10e-9, DOWNLOAD),
        (Wiring.DIRECT, CLASSIC, 0.0, DOWNLOAD),
        (Wiring.DIRECT, CLASSIC, 10e-6, RUN),
    ],
)
def test_other_wirings_have_races_of_their_own(wiring: Wiring, text: str, c_farad: float, left: str) -> None:
    assert Bench(wiring=wiring, c_farad=c_farad).run(text) == left


def test_a_reset_that_leaves_dtr_asserted_keeps_io0_low_and_the_next_start_is_a_download() -> None:
    bench = Bench(download=True)
    assert bench.run("D0|R1|W0.1|D1|W0.1|R0") == RUN
    assert bench.board.reset_circuit.io0_low
    bench.board.press_reset()
    bench.wait(S)
    assert b"waiting for download" in bench.board.drain(1 << 20)


def test_a_direct_board_is_held_in_reset_by_a_port_that_opens_with_both_lines_asserted() -> None:
    bench = Bench(wiring=Wiring.DIRECT)
    bench.set(dtr=True, rts=True)
    assert not bench.board.reset_circuit.enabled
    bench.set(dtr=False, rts=False)
    bench.wait(100 * MS)
    assert bench.board.reset_circuit.enabled
