"""The standard library's clocks follow the virtual one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from flashcore.port import NS_PER_S
from simulator.flashers.virtual_time import EPOCH_S, LOOK_NS, MONOTONIC_S, PATIENCE, VirtualTime


class Clock:
    """A clock moved by sleeping only."""

    def __init__(self) -> None:
        self.now = 0

    def now_ns(self) -> int:
        return self.now

    def sleep_until(self, deadline_ns: int) -> None:
        self.now = max(self.now, deadline_ns)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    shims = VirtualTime(clock)
    shims.install()
    yield clock
    shims.remove()


def test_sleeping_moves_all_clocks_alike(clock: Clock) -> None:
    time.sleep(12.5)
    assert time.time() == EPOCH_S + 12.5
    assert time.time_ns() == EPOCH_S * NS_PER_S + 12_500_000_000
    assert time.monotonic() == MONOTONIC_S + 12.5
    assert time.monotonic_ns() == MONOTONIC_S * NS_PER_S + 12_500_000_000
    assert time.perf_counter() == 12.5
    assert time.perf_counter_ns() == 12_500_000_000


def test_every_run_starts_at_the_same_date(clock: Clock) -> None:
    assert time.strftime("%Y-%m-%d", time.gmtime()) == "2023-11-14"
    assert time.gmtime(0).tm_year == 1970


def test_dates_without_an_argument_are_virtual_ones(clock: Clock) -> None:
    time.sleep(86400)
    assert time.gmtime()[:3] == (2023, 11, 15)
    assert time.strftime("%Y") == "2023"
    assert "2023" in time.ctime()
    assert "2023" in time.asctime()


def test_a_class_may_keep_a_clock_as_its_attribute(clock: Clock) -> None:
    names = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime", "gmtime", "ctime")
    holder = type("Holder", (), {name: getattr(time, name) for name in (*names, "sleep", "strftime", "asctime")})
    before = [getattr(time, name)() for name in names]
    assert [getattr(holder(), name)() for name in names] == before
    holder().sleep(0)
    assert holder().strftime("%Y") == "2023"
    assert holder().asctime() == before[-1]


def test_a_negative_sleep_is_refused_as_by_the_real_one(clock: Clock) -> None:
    with pytest.raises(ValueError, match="non-negative"):
        time.sleep(-1)


def test_looking_at_the_clock_costs_nothing(clock: Clock) -> None:
    for _ in range(PATIENCE - 1):
        time.monotonic()
    assert clock.now == 0


def test_a_loop_that_only_looks_at_the_clock_ends(clock: Clock) -> None:
    end = time.monotonic() + 0.05
    looks = 0
    while time.monotonic() < end:
        looks += 1
        assert looks < 10_000
    assert clock.now == pytest.approx(0.05 * NS_PER_S, abs=2 * LOOK_NS)


def test_another_thread_does_not_move_the_world(clock: Clock) -> None:
    def work() -> None:
        time.sleep(0)
        for _ in range(2 * PATIENCE):
            time.monotonic()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert clock.now == 0


def test_a_sleep_beyond_the_last_day_is_reported(clock: Clock) -> None:
    class TooLateError(Exception): ...

    def too_late(to_ns: int) -> None:
        raise TooLateError(to_ns)

    shims = VirtualTime(clock, too_late)
    with pytest.raises(TooLateError):
        shims.sleep(1)
    assert clock.now == 0


def test_the_real_clocks_come_back() -> None:
    before = (time.sleep, time.time, time.localtime)
    shims = VirtualTime(Clock())
    shims.install()
    assert time.sleep is not before[0]
    shims.remove()
    assert (time.sleep, time.time, time.localtime) == before
