"""The reset circuit: truth tables, the rise of EN, and who wins the race of the reset sequences."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from simulator.board.autoreset import TAP_NS, TRUTH, AutoReset, Pulls, Wiring, rise_ns
from simulator.kernel import MS, US, Kernel

RUN, RESET, BOOT, BOTH = (Pulls(en=en, io0=io0) for en, io0 in ((False, False), (True, False), (False, True), (True, True)))
NF_10, NF_100, UF_1 = 10e-9, 100e-9, 1e-6


@dataclass
class Bench:
    """A circuit on a bench, with a record of each start: the time, and whether IO0 was low then."""

    c_farad: float = NF_100
    wiring: Wiring = Wiring.TRANSISTORS
    kernel: Kernel = field(default_factory=Kernel)
    starts: list[tuple[int, bool]] = field(default_factory=list)
    stops: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.circuit = AutoReset(self.kernel, wiring=self.wiring, r_ohm=10_000, c_farad=self.c_farad, on_enable=self.on_enable)

    def on_enable(self, level: bool) -> None:
        if level:
            self.starts.append((self.kernel.now, self.circuit.io0_low))
        else:
            self.stops.append(self.kernel.now)

    def lines(self, dtr: int, rts: int, then_ns: int = 0) -> None:
        self.circuit.set_lines(dtr=bool(dtr), rts=bool(rts))
        self.kernel.advance(self.kernel.now + then_ns)

    def classic(self, between_writes_ns: int) -> bool:
        """Run esptool's sequence with one write per line; return whether the chip came up with IO0 low."""
        self.circuit.power_on()
        self.lines(0, 0, between_writes_ns)
        self.lines(0, 1, 100 * MS)
        self.lines(1, 1, between_writes_ns)
        self.lines(1, 0, 50 * MS)
        self.lines(0, 0, 50 * MS)
        return self.starts[-1][1]

    def tight(self) -> bool:
        """Run the sequence that sets both lines at once."""
        self.circuit.power_on()
        for dtr, rts, then_ns in ((0, 0, 0), (1, 1, 0), (0, 1, 100 * MS), (1, 0, 50 * MS), (0, 0, 50 * MS)):
            self.lines(dtr, rts, then_ns)
        return self.starts[-1][1]


@pytest.mark.parametrize(
    ("wiring", "expected"),
    [
        (Wiring.TRANSISTORS, (RUN, RESET, BOOT, RUN)),
        (Wiring.DIRECT, (RUN, RESET, BOOT, BOTH)),
        (Wiring.CROSSED, (RUN, BOOT, RESET, RUN)),
        (Wiring.INVERTED, (BOTH, BOOT, RESET, RUN)),
        (Wiring.NONE, (RUN, RUN, RUN, RUN)),
    ],
)
def test_each_wiring_pulls_what_its_truth_table_says(wiring: Wiring, expected: tuple[Pulls, ...]) -> None:
    states = ((False, False), (False, True), (True, False), (True, True))
    assert tuple(TRUTH[wiring][state] for state in states) == expected


@pytest.mark.parametrize("wiring", list(Wiring))
def test_the_circuit_follows_its_truth_table(wiring: Wiring) -> None:
    for (dtr, rts), pulls in TRUTH[wiring].items():
        bench = Bench(wiring=wiring)
        bench.circuit.set_lines(dtr=dtr, rts=rts)
        bench.circuit.power_on()
        assert bench.circuit.enabled is not pulls.en
        assert bench.circuit.io0_low is pulls.io0


def test_every_wiring_has_a_row_for_every_state() -> None:
    assert set(TRUTH) == set(Wiring)
    assert all(len(rows) == 4 for rows in TRUTH.values())


@pytest.mark.parametrize(("c_farad", "expected_us"), [(0.0, 0), (NF_10, 139), (NF_100, 1386), (UF_1, 13863)])
def test_en_rises_in_ln_4_rc(c_farad: float, expected_us: int) -> None:
    assert round(rise_ns(10_000, c_farad) / US) == expected_us


def test_en_falls_at_once_and_rises_late() -> None:
    bench = Bench()
    bench.circuit.power_on()
    bench.lines(0, 1, 5 * MS)
    bench.lines(0, 0, 5 * MS)
    assert bench.starts == [(0, False), (5 * MS + rise_ns(10_000, NF_100), False)]
    assert bench.stops == [0]


def test_a_pull_before_the_crossing_starts_the_rise_anew() -> None:
    bench = Bench()
    bench.circuit.power_on()
    bench.lines(0, 1, MS)
    bench.lines(0, 0, MS)
    bench.lines(0, 1, MS)
    bench.lines(0, 0, MS)
    assert len(bench.starts) == 1
    bench.kernel.advance(10 * MS)
    assert bench.starts[1:] == [(3 * MS + rise_ns(10_000, NF_100), False)]
    assert bench.stops == [0]


@pytest.mark.parametrize(
    ("c_farad", "between_ns", "download"),
    [
        (NF_100, MS, True),
        (NF_10, MS, False),
        (NF_10, 100 * US, True),
        (NF_100, 2 * MS, False),
        (UF_1, 10 * MS, True),
        (UF_1, 50 * MS, False),
        (0.0, 0, False),
        (0.0, MS, False),
    ],
)
def test_classic_sequence_wins_only_if_the_second_write_beats_the_rise(c_farad: float, between_ns: int, download: bool) -> None:
    assert Bench(c_farad=c_farad).classic(between_ns) is download


@pytest.mark.parametrize("c_farad", [0.0, NF_10, NF_100, UF_1])
def test_tight_sequence_wins_with_any_capacitor(c_farad: float) -> None:
    assert Bench(c_farad=c_farad).tight() is True


@pytest.mark.parametrize(("wiring", "download"), [(Wiring.DIRECT, True), (Wiring.CROSSED, False), (Wiring.NONE, False)])
def test_classic_sequence_on_other_wirings(wiring: Wiring, download: bool) -> None:
    assert Bench(wiring=wiring).classic(MS) is download


def test_unwired_lines_never_restart_the_chip() -> None:
    bench = Bench(wiring=Wiring.NONE)
    bench.classic(MS)
    bench.tight()
    assert bench.starts == [(0, False)]
    assert bench.stops == []


def test_inverted_wiring_holds_the_chip_while_the_lines_are_released() -> None:
    bench = Bench(wiring=Wiring.INVERTED)
    bench.circuit.power_on()
    assert bench.starts == []
    bench.lines(1, 1, 10 * MS)
    assert bench.starts == [(rise_ns(10_000, NF_100), False)]


def test_boot_held_at_power_on_and_then_released_leads_to_download_mode() -> None:
    bench = Bench()
    bench.circuit.hold_boot(True)
    bench.circuit.power_on()
    bench.circuit.hold_boot(False)
    bench.kernel.advance(10 * MS)
    assert bench.starts == [(0, True)]


def test_boot_held_during_a_tap_on_reset_leads_to_download_mode() -> None:
    bench = Bench(wiring=Wiring.NONE)
    bench.circuit.power_on()
    bench.circuit.hold_boot(True)
    bench.circuit.press_reset()
    bench.kernel.advance(TAP_NS + 10 * MS)
    assert bench.starts == [(0, False), (TAP_NS + rise_ns(10_000, NF_100), True)]


def test_the_lines_cannot_start_a_chip_whose_reset_button_is_held() -> None:
    bench = Bench()
    bench.circuit.power_on()
    bench.circuit.hold_reset(True)
    bench.lines(0, 1, MS)
    bench.lines(0, 0, 50 * MS)
    assert len(bench.starts) == 1
    bench.circuit.hold_reset(False)
    bench.kernel.advance(100 * MS)
    assert len(bench.starts) == 2


def test_without_power_nothing_starts() -> None:
    bench = Bench()
    bench.lines(0, 1, MS)
    bench.lines(0, 0, 100 * MS)
    assert bench.starts == []
    bench.circuit.power_on()
    bench.circuit.power_off()
    assert bench.stops == [bench.kernel.now]
    assert bench.circuit.enabled is False
