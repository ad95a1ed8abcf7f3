"""The fault catalogue run whole: every row strikes both flashers, and comes out the same for any number of processes."""

from __future__ import annotations

import functools

import pytest

from simulator.campaign import Record, Verdict
from simulator.campaign.run import clean_cases, processes, run, run_clean
from simulator.campaign.suite import Order, Suite
from simulator.flashers.known import adapter

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

ORDER = Order(suite=Suite.CATALOGUE)


@functools.cache
def records(flasher: str, jobs: int) -> tuple[Record, ...]:
    """Return the records of all rows, in their order."""
    adapters = {flasher: adapter(flasher)}
    with processes(jobs) as executor:
        (clean,) = run_clean([ORDER.clean(flasher)], adapters, executor)
        cases = ORDER.cases(flasher, clean.result.evidence)
        timed = run_clean(clean_cases(cases), adapters, executor)
        clean_s = {record.case.id: record.result.evidence.virtual_s for record in timed}
        found = {record.case.id: record for record in run(cases, adapters, clean_s, executor)}
    return tuple(found[case.id] for case in cases)


@pytest.mark.parametrize("flasher", ["flashcore", "esptool"])
def test_every_row_is_exercised(flasher: str) -> None:
    found = records(flasher, 2)
    nothing = (Verdict.NOT_EXERCISED, Verdict.MODEL_GAP)
    assert len(found) == 65
    assert [(record.case.preset, record.judgement) for record in found if record.judgement.verdict in nothing] == []


def test_flashcore_does_its_duty_in_every_row() -> None:
    duty = (Verdict.RECOVERED, Verdict.FAILED_CLEAN)
    found = records("flashcore", 2)
    assert [(record.case.preset, record.judgement) for record in found if record.judgement.verdict not in duty] == []


@pytest.mark.parametrize("flasher", ["flashcore", "esptool"])
def test_it_comes_out_the_same_for_any_number_of_processes(flasher: str) -> None:
    one, two = records(flasher, 1), records(flasher, 2)
    assert [record.case.preset for record, other in zip(one, two, strict=True) if record != other] == []
