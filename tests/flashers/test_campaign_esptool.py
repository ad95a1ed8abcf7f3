"""Releases of esptool as flashers of a campaign: that tasks stay apart, and what counts as a right diagnosis."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.campaign import Verdict
from simulator.campaign.run import InTurn, processes, run
from simulator.campaign.suite import Order
from simulator.flashers.adapter import Evidence
from simulator.flashers.esptool import EsptoolAdapter
from simulator.flashers.shards import FlasherFailedError
from simulator.flashers.task import Job, Task
from simulator.scenario import Scenario
from tests import peers

pytestmark = pytest.mark.peers


def esptool(release: str, *options: str) -> EsptoolAdapter:
    python = peers.esptool(release).words[0]
    return EsptoolAdapter(name=f"esptool@{release}", version=release, python=python, options=options)


def test_checksum_invalid_told_as_timed_out_is_a_wrong_diagnosis_and_told_as_such_a_right_one() -> None:
    verdicts = {}
    for release in ("3.3", peers.INSTALLED):
        adapter = esptool(release)
        (case,) = Order(faults=("mac-cdc-long-frame",)).cases(adapter.name, _evidence(adapter))
        (record,) = run([case], {adapter.name: adapter}, {case.clean.id: 5.0}, InTurn())
        verdicts[release] = (record.judgement.verdict, re.findall(r"\(result was .*\)", record.judgement.diagnosis))
    assert verdicts == {
        "3.3": (Verdict.FAILED_MISDIAGNOSED, ["(result was 01070000: Operation timed out)"]),
        peers.INSTALLED: (Verdict.FAILED_CLEAN, ["(result was 0107: Checksum error)"]),
    }


def _evidence(adapter: EsptoolAdapter) -> Evidence:
    task = Task(scenario=Scenario(), job=Job.of_size(4096))
    return next(iter(adapter.run([task]))).evidence


def test_each_task_has_a_world_and_modules_of_its_own() -> None:
    job = Job.of_size(4096)
    clean, silent = (Task(scenario=Scenario(faults=faults), job=job) for faults in ((), ("silent-line",)))
    adapter = esptool(peers.INSTALLED)
    first, failed, last = adapter.run([clean, silent, clean])
    assert first == last
    assert (first.status, failed.status) == (0, 2)
    assert first.evidence.holds
    assert failed.evidence.recoverable


def test_reasons_come_from_the_flashers_own_logger_where_it_has_one() -> None:
    task = Task(scenario=Scenario(faults=("silent-line",)), job=Job.of_size(4096))
    told = {release: next(iter(esptool(release).run([task]))) for release in ("3.3", peers.INSTALLED)}
    assert told["3.3"].errors == ()
    (error,) = told[peers.INSTALLED].errors
    assert error.startswith("A fatal error occurred: Failed to connect to Espressif device: No serial data received.")
    for result in told.values():
        assert "\x1b[" not in result.messages
        assert "No serial data received." in result.messages


def test_results_are_the_same_for_any_number_of_processes() -> None:
    adapter = esptool(peers.INSTALLED)
    cases = Order().cases(adapter.name, _evidence(adapter))
    found = []
    for jobs in (1, 2):
        with processes(jobs) as executor:
            clean_s = {case.clean.id: 5.0 for case in cases}
            some = run(cases, {adapter.name: adapter}, clean_s, executor)
            found.append({record.case.preset: record for record in some})
    assert found[0] == found[1]
    assert len(found[0]) == len(cases)


def test_an_interpreter_without_the_flasher_is_one_clear_error(tmp_path: Path) -> None:
    task = Task(scenario=Scenario(), job=Job.of_size(4096))
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho 'No module named esptool' >&2\nexit 1\n")
    bare.chmod(0o755)
    broken = EsptoolAdapter(name="esptool@0", version="5.0", python=str(bare))
    with pytest.raises(FlasherFailedError, match="did not carry out its tasks: No module named esptool"):
        list(broken.run([task]))
