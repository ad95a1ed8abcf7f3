"""The benchmarks: their tables are well-formed on tiny inputs, and they judge rightly. No claim here is about time."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import campaign, realtime, session, sessions, startup, workload
from benchmarks.measure import Row, Table, at_least, at_most, compare, in_turn, lines

ROOT = Path(__file__).resolve().parents[2]


def well_formed(table: Table, count: int) -> bool:
    figures = [figure for row in table.rows for figure in (row.ours, row.theirs, row.ratio)]
    assert len(table.rows) == count
    assert len({(row.figure, row.baseline) for row in table.rows}) == count
    assert all(math.isfinite(figure) and figure > 0 for figure in figures)
    assert len(lines(table)) == 3 + count
    assert json.loads(json.dumps(table.as_json()))["rows"][0]["figure"] == table.rows[0].figure
    return True


def test_codec_compares_with_sliplib_and_each_esptool() -> None:
    pytest.importorskip("esptool")
    codec = pytest.importorskip("benchmarks.codec", reason="sliplib is only there for benchmarks")
    setup = codec.Setup(pythons={codec.NEW: Path(sys.executable)}, blocks=1, packets=2, chunks=(64, 4096), rounds=1, least_s=0)
    table = codec.measure(setup)
    assert well_formed(table, 6)
    assert [row.target is None for row in table.rows] == [True, True, False, False, False, False]


def test_session_writes_compressed_and_plain() -> None:
    pytest.importorskip("esptool")
    assert well_formed(session.measure(session.Setup(size=16 * workload.KIB, rounds=1)), 2)


def test_sessions_run_on_a_board_of_their_own_each() -> None:
    assert well_formed(sessions.measure(sessions.Setup(sessions=2, rounds=1)), 1)


def test_the_kernel_runs_the_events_of_others() -> None:
    kernel = pytest.importorskip("benchmarks.kernel", reason="simpy is only there for benchmarks")
    assert well_formed(kernel.measure(kernel.Setup(timers=3, events=50, rounds=1)), 2)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="the system does not tell the CPU time of a child")
def test_a_campaign_is_run_in_one_process_in_two_and_in_many() -> None:
    pytest.importorskip("esptool")
    setup = campaign.Setup(size=16 * workload.KIB, cases=4, alone=1, swept=4, rounds=1)
    assert well_formed(campaign.measure(setup), 4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the CPU time of another process so exactly")
def test_realtime_judges_boards_by_their_flash() -> None:
    pytest.importorskip("esptool")
    python = Path(sys.executable)
    setup = realtime.Setup(python=python, size=8192, links=("tcp",), rounds=1, boards=60, clients=2, image=4096)
    assert well_formed(realtime.measure(setup), 4)


def test_realtime_wants_enough_boards_to_tell_their_memory() -> None:
    with pytest.raises(ValueError, match="take 50"):
        realtime.Setup(python=Path(sys.executable), boards=4)


def test_startup_starts_both_command_lines() -> None:
    setup = startup.Setup(baseline=(sys.executable, "-c", ""), rounds=1)
    assert well_formed(startup.measure(setup), 2)


def test_contenders_take_turns_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def sampler(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = in_turn({"a": lambda: sampler("a"), "b": lambda: sampler("b")}, 2)
    assert "".join(order) == "ababab"
    assert found == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_the_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    row = compare("speed", "MB/s", {"a": [1.0, 20.0, 6.0], "b": [1.0, 10.0, 2.0]}, "a", "b", at_least(2))
    assert (row.ours, row.theirs, row.ratio, row.met) == (6.0, 2.0, 2.0, True)


@pytest.mark.parametrize(
    ("target", "ratio", "met"),
    [
        (at_least(3), 3.0, True),
        (at_least(3), 2.99, False),
        (at_most(0.5), 0.5, True),
        (at_most(0.5), 0.51, False),
        (None, 0.0, True),
    ],
)
def test_a_target_is_met_from_its_bound_on(target: object, ratio: float, met: bool) -> None:
    row = Row(figure="f", unit="s", ours=1.0, baseline="b", theirs=1.0, ratio=ratio, target=None)
    row = replace(row, target=target)  # type: ignore[arg-type]
    table = Table(name="n", title="t", rows=(row,))
    assert (row.met, table.met) == (met, met)
    assert ("NO" in lines(table)[-1]) is not met


def test_the_image_is_the_same_each_time_and_half_of_it_compresses_like_code() -> None:
    image = workload.half_random_image()
    noise, code = image[: len(image) // 2], image[len(image) // 2 :]
    assert len(image) == workload.MIB
    assert image == workload.half_random_image()
    assert len(zlib.compress(noise, 9)) > len(noise)
    assert 0.4 < len(zlib.compress(code, 9)) / len(code) < 0.7


def test_an_unknown_benchmark_is_refused_with_the_known_ones() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "run.py"), "codek"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "codek" in done.stderr
    assert "campaign, codec, kernel, realtime, session, sessions, startup" in done.stderr
