"""Which cases a sweep has: one for each kind of fault at each point that a clean run has counted."""

from __future__ import annotations

import dataclasses

import pytest

from flashcore.errors import PlanError
from flashcore.protocol.opcodes import Opcode
from simulator.campaign import Case, Job
from simulator.campaign.case import CLEAN
from simulator.campaign.generate import spread
from simulator.campaign.sweep import (
    BYTE_KINDS,
    FLASH_KINDS,
    FRAME_KINDS,
    LINE_KINDS,
    MOST_FRAMES,
    SMALL_KINDS,
    exhaustive,
    pairs,
    sweep,
    sweep_bytes,
)
from simulator.faults.text import parse
from simulator.flashers.adapter import Evidence

BASE = Case(flasher="flashcore", suite="sweep", preset=CLEAN, job=Job.of_size(4096))
NONE = Evidence(virtual_s=4.0, holds=True, astray=False)
DATA, MD5 = Opcode.FLASH_DEFL_DATA, Opcode.SPI_FLASH_MD5
PASSED = dataclasses.replace(
    NONE,
    passed_to_device=((Opcode.SYNC, 46), (DATA, 30), (DATA, 17), (MD5, 26)),
    passed_to_host=((Opcode.SYNC, 12), (DATA, 12), (DATA, 12), (MD5, 28)),
)


def test_a_sweep_has_each_kind_of_fault_once_at_each_point() -> None:
    counted = dataclasses.replace(NONE, frames_to_device=3, frames_to_host=2, line_edges=4, flash_ops=6)
    cases = sweep(BASE, counted)
    assert len(cases) == len(FRAME_KINDS) * 5 + len(LINE_KINDS) * 4 + len(FLASH_KINDS) * 6 == len({case.id for case in cases})
    texts = {text for case in cases for text in case.faults}
    drops = {f"h2d:nth_frame(any,{n}):drop" for n in (1, 2, 3)} | {f"d2h:nth_frame(any,{n}):drop" for n in (1, 2)}
    assert drops == {text for text in texts if text.endswith("drop")}
    assert {f"lines:nth_edge({n}):line_ignore" for n in (1, 2, 3, 4)} < texts
    assert {f"flash:flash_op(any,{n}):power_cut(0.5)" for n in range(1, 7)} < texts
    assert all(parse(text).times == 1 and parse(text).transient for text in texts)


def test_the_bytes_of_a_frame_are_struck_one_by_one() -> None:
    cases = sweep_bytes(BASE, "h2d:FLASH_DEFL_DATA,2", PASSED)
    assert len(cases) == len(BYTE_KINDS) * 17 == len({case.id for case in cases})
    texts = {text for case in cases for text in case.faults}
    assert {f"h2d:nth_frame(FLASH_DEFL_DATA,2):corrupt(mask=0x01,at={at})" for at in range(17)} < texts
    assert all(parse(text).times == 1 for text in texts)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ("h2d:FLASH_DEFL_DATA,3", "there is no frame h2d:FLASH_DEFL_DATA,3"),
        ("h2d:FLASH_DEFL_DTA,1", "unknown command 'FLASH_DEFL_DTA'"),
        ("both:SYNC,1", "names no frame"),
        ("d2h:SYNC,first", "names no frame"),
    ],
)
def test_a_frame_that_is_not_there_is_one_clear_error(frame: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        sweep_bytes(BASE, frame, PASSED)


def test_pairs_are_two_different_faults_each_drawn_by_seed_and_never_twice() -> None:
    singles = sweep(BASE, dataclasses.replace(NONE, frames_to_device=2))
    drawn = pairs(singles, 20, seed=5)
    assert [case.id for case in drawn] == [case.id for case in pairs(singles, 20, seed=5)]
    assert [case.id for case in drawn] != [case.id for case in pairs(singles, 20, seed=6)]
    assert len({case.faults for case in drawn}) == 20
    assert all(len(set(case.faults)) == 2 for case in drawn)


def test_there_are_no_more_pairs_than_there_can_be() -> None:
    singles = sweep(BASE, dataclasses.replace(NONE, frames_to_device=1))[:3]
    assert len({case.faults for case in pairs(singles, 100, seed=1)}) == 3
    assert pairs(singles[:1], 5, seed=1) == []


def test_all_that_can_happen_to_a_few_frames_happens_once() -> None:
    cases = exhaustive(BASE, PASSED)
    assert len(cases) == (len(SMALL_KINDS) + 1) ** MOST_FRAMES - 1 == len({case.id for case in cases})
    longest = max(cases, key=lambda case: len(case.faults))
    assert [text.rpartition(":")[0] for text in longest.faults] == [
        f"{place}:nth_frame({name})"
        for name in ("FLASH_DEFL_DATA,1", "FLASH_DEFL_DATA,2", "SPI_FLASH_MD5,1")
        for place in ("h2d", "d2h")
    ]
    assert {case.preset for case in cases} == {f"{number} of 6" for number in range(1, 7)}


def test_a_limit_spreads_the_cases_evenly() -> None:
    cases = sweep(BASE, dataclasses.replace(NONE, frames_to_device=10))
    assert spread(cases, None) == spread(cases, 1000) == cases
    assert spread(cases, 3) == [cases[0], cases[len(cases) // 3], cases[2 * len(cases) // 3]]
