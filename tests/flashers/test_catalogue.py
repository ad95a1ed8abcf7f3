"""The fault catalogue run whole: every row strikes both flashers, and comes out the same for any number of processes."""

from __future__ import annotations

import functools

import pytest

from simulator.campaign import Record, Verdict
from simulator.campaign.oracle import told_by
from simulator.campaign.run import clean_cases, processes, run, run_clean
from simulator.campaign.suite import Order, Suite
from simulator.faults import presets
from simulator.flashers.known import adapter

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]

ORDER = Order(suite=Suite.CATALOGUE)


@functools.cache
def clean_record(flasher: str) -> Record:
    """Return the record of the run without faults."""
    (clean,) = run_clean([ORDER.clean(flasher)], {flasher: adapter(flasher)}, processes(1))
    return clean


@functools.cache
def records(flasher: str, jobs: int) -> tuple[Record, ...]:
    """Return the records of all rows, in their order."""
    adapters = {flasher: adapter(flasher)}
    with processes(jobs) as executor:
        cases = ORDER.cases(flasher, clean_record(flasher).result.evidence)
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


def test_what_esptool_says_when_nothing_is_wrong_is_no_diagnosis() -> None:
    messages = clean_record("esptool").result.messages
    assert "Stub flasher running." in messages
    told = {name: told_by(presets.preset(name).accept, messages) for name in presets.names()}
    assert {name: pattern for name, pattern in told.items() if pattern is not None} == {}


@pytest.mark.parametrize("flasher", ["flashcore", "esptool"])
def test_it_comes_out_the_same_for_any_number_of_processes(flasher: str) -> None:
    one, two = records(flasher, 1), records(flasher, 2)
    assert [record.case.preset for record, other in zip(one, two, strict=True) if record != other] == []
