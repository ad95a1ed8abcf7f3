"""Reset sequences: their exact edges, their text form, and what ports with fewer abilities make of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashcore.errors import LinesUnsupportedError, UsageError
from flashcore.loader import reset
from flashcore.loader.reset import Both, Dtr, Rts, Wait
from flashcore.port import NS_PER_S, LineSupport


class FakeClock:
    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, deadline_ns: int) -> None:
        self.now = max(self.now, deadline_ns)


class FakePort:
    """Records every change of the lines with its time in milliseconds."""

    def __init__(self, support: LineSupport) -> None:
        self.name = "fake"
        self.baudrate = 115200
        self.line_support = support
        self.clock = FakeClock()
        self.calls: list[tuple[float, bool | None, bool | None]] = []

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        if self.line_support is LineSupport.NONE:
            raise LinesUnsupportedError("no lines")
        self.calls.append((self.clock.now / NS_PER_S * 1000, dtr, rts))

    def set_baudrate(self, baudrate: int) -> None: ...

    def read(self, max_bytes: int, deadline_ns: int) -> bytes:
        return b""

    def write(self, data: bytes, deadline_ns: int) -> None: ...

    def discard_input(self) -> None: ...

    def close(self) -> None: ...


def edges(sequence: reset.Sequence, support: LineSupport) -> list[tuple[float, bool | None, bool | None]]:
    port = FakePort(support)
    reset.run(port, sequence)
    return port.calls


def test_classic_changes_one_line_at_a_time_with_en_low_for_100_ms() -> None:
    assert edges(reset.CLASSIC, LineSupport.SEQUENTIAL) == [
        (0, False, None),
        (0, None, True),
        (100, True, None),
        (100, None, False),
        (150, False, None),
    ]


def test_tight_sets_io0_and_releases_en_in_one_step() -> None:
    assert edges(reset.TIGHT, LineSupport.ATOMIC) == [
        (0, False, False),
        (0, True, True),
        (0, False, True),
        (100, True, False),
        (150, False, False),
        (150, False, None),
    ]


def test_the_slow_ones_hold_io0_550_ms() -> None:
    assert edges(reset.CLASSIC_SLOW, LineSupport.SEQUENTIAL)[-1] == (650, False, None)
    assert edges(reset.TIGHT_SLOW, LineSupport.ATOMIC)[-1] == (650, False, None)


def test_hard_reset_leaves_io0_high_and_pulses_en() -> None:
    assert edges(reset.HARD_RESET, LineSupport.ATOMIC) == [(0, False, None), (0, None, True), (100, None, False)]


def test_both_becomes_dtr_then_rts_on_a_sequential_port() -> None:
    adapted = reset.adapt(reset.Sequence(name="x", steps=(Both(True, False), Wait(1))), LineSupport.SEQUENTIAL)
    assert adapted.steps == (Dtr(True), Rts(False), Wait(1))


def test_an_atomic_port_runs_a_sequence_as_it_is() -> None:
    assert reset.adapt(reset.TIGHT, LineSupport.ATOMIC) is reset.TIGHT


def test_a_port_without_lines_offers_no_strategy_and_refuses_a_sequence() -> None:
    assert reset.strategies(LineSupport.NONE) == ()
    with pytest.raises(LinesUnsupportedError):
        reset.run(FakePort(LineSupport.NONE), reset.CLASSIC)


def test_a_sequential_port_is_never_given_the_tight_order() -> None:
    assert reset.TIGHT not in reset.strategies(LineSupport.SEQUENTIAL)
    assert reset.strategies(LineSupport.SEQUENTIAL)[:2] == (reset.CLASSIC, reset.CLASSIC_SLOW)


def test_the_other_order_releases_en_before_io0_falls() -> None:
    assert edges(reset.INVERSE, LineSupport.SEQUENTIAL)[2:4] == [(100, None, False), (100, True, None)]


def test_exchanged_lines_pull_en_with_dtr_and_io0_with_rts() -> None:
    assert edges(reset.EXCHANGED, LineSupport.ATOMIC) == [(0, True, False), (100, False, True), (150, True, True)]


def test_a_run_says_when_the_chip_was_let_go() -> None:
    port = FakePort(LineSupport.ATOMIC)
    timing = reset.run(port, reset.TIGHT)
    assert timing.released == 100_000_000


def test_the_text_form_of_classic_is_classic() -> None:
    assert reset.parse_custom("D0|R1|W0.1|D1|R0|W0.05|D0").steps == reset.CLASSIC.steps


def test_u_sets_both_lines_and_blanks_do_not_matter() -> None:
    assert reset.parse_custom(" U1,0 | w0.5 | u 0 , 1").steps == (Both(True, False), Wait(0.5), Both(False, True))


@pytest.mark.parametrize(
    ("text", "number", "part"),
    [
        ("D0|R2|W0.1", 2, "R2"),
        ("X1", 1, "X1"),
        ("", 1, ""),
        ("D0||D1", 2, ""),
        ("D0|Wfast", 2, "Wfast"),
        ("W-1", 1, "W-1"),
        ("W61", 1, "W61"),
        ("Wnan", 1, "Wnan"),
        ("U1", 1, "U1"),
        ("U1,2", 1, "U1,2"),
        ("U1,0,1", 1, "U1,0,1"),
        ("D01", 1, "D01"),
    ],
)
def test_a_bad_step_is_named_with_its_number(text: str, number: int, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        reset.parse_custom(text)
    assert caught.value.context == {"step": number, "text": part}
    assert repr(part) in caught.value.message


@given(st.text(alphabet="DRUW01,.|e-5 ", max_size=30))
def test_any_text_is_a_sequence_or_a_usage_error(text: str) -> None:
    try:
        sequence = reset.parse_custom(text)
    except UsageError:
        return
    assert len(sequence.steps) == text.count("|") + 1
