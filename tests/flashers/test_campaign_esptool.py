"""Releases of esptool as flashers of a campaign: what a single fault on the wire does to each, and that tasks stay apart."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.campaign import Record, Verdict
from simulator.campaign.run import InTurn, processes, run, run_clean
from simulator.campaign.suite import Order
from simulator.flashers.adapter import Evidence
from simulator.flashers.esptool import EsptoolAdapter, FlasherFailedError
from simulator.flashers.task import Job, Task
from simulator.scenario import Scenario
from tests import peers

pytestmark = pytest.mark.peers

OK, FATAL, STOP = Verdict.RECOVERED, Verdict.FAILED_CLEAN, Verdict.CRASHED
"""Finished and verified; a message and exit status 2; the bare StopIteration of a retry that reads from a dead generator."""

WHO = "nth_frame(FLASH_DEFL_DATA,2)"
"""The second data block of a compressed write, or its answer."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One single fault, and what was measured of it (2025, esptool against a stand-in that answers at once).

    Args:
        fault: In text form.
        old: Verdict on esptool 3.3 and on 4.0 to 4.2, which have no retry.
        middle: On 3.3.3, and from 4.3 to 4.12.
        new: On 5.6.0.
        waits: Whether 5.6.0 waits for an answer, 6 s, before it gives up.
    """

    fault: str
    old: Verdict
    middle: Verdict
    new: Verdict
    waits: bool = False

    def of(self, version: tuple[int, ...]) -> Verdict:
        if version < (3, 3, 2) or (4,) <= version < (4, 3):
            return self.old
        return self.middle if version < (5,) else self.new


ROWS = {
    "the command is lost": Row(fault=f"h2d:{WHO}:drop", old=FATAL, middle=STOP, new=FATAL, waits=True),
    "the answer is lost": Row(fault=f"d2h:{WHO}:drop", old=FATAL, middle=STOP, new=FATAL, waits=True),
    "its first C0 becomes 40": Row(fault=f"d2h:{WHO}:corrupt(mask=0x80,at=0)", old=FATAL, middle=STOP, new=FATAL),
    "a bit flips in its length": Row(fault=f"d2h:{WHO}:corrupt(mask=0x01,at=3)", old=OK, middle=OK, new=OK),
    "the block is refused": Row(fault=f"h2d:{WHO}:corrupt(mask=0x01)", old=FATAL, middle=OK, new=OK),
    "three noise bytes come first": Row(fault=f"d2h:{WHO}:insert(data=aabbcc)", old=FATAL, middle=STOP, new=FATAL),
    "a line of text comes first": Row(fault=f"d2h:{WHO}:insert(data=68656c6c6f0d0a)", old=FATAL, middle=STOP, new=FATAL),
    # Measured: OK everywhere. Here it is fatal: with an answer in hand that belongs to the block before, esptool is one block
    # ahead of the stub, and right behind the last block it sends a command to wait for it (READ_REG; 5.6 FLASH_DEFL_END).
    # The stand-in answered both; a stub that is still writing keeps only one of two frames that come meanwhile (oracle facts
    # 63 to 65 for the legacy stub, 70 to 73 for the newer). The legacy stub loses the block, and the digest is wrong; the
    # newer one loses the command behind it.
    "the answer comes twice": Row(fault=f"d2h:{WHO}:duplicate", old=FATAL, middle=FATAL, new=FATAL, waits=True),
    # The same where nothing is in flight behind it is as measured.
    "the last answer comes twice": Row(fault="d2h:nth_frame(FLASH_DEFL_DATA,3):duplicate", old=OK, middle=OK, new=OK),
    "the answer is cut after 6 bytes": Row(
        fault=f"d2h:{WHO}:truncate(keep=6,delimiter=false)", old=FATAL, middle=STOP, new=FATAL, waits=True
    ),
    "a bad escape is in it": Row(fault=f"d2h:{WHO}:corrupt(mask=0xdb,at=5)", old=FATAL, middle=STOP, new=FATAL),
    "an empty frame comes first": Row(fault=f"d2h:{WHO}:insert(data=c0c0)", old=OK, middle=OK, new=OK),
    "it names another command": Row(fault=f"d2h:{WHO}:corrupt(mask=0x02,at=2)", old=FATAL, middle=STOP, new=FATAL, waits=True),
}


def esptool(release: str, *options: str) -> EsptoolAdapter:
    python = peers.esptool(release).words[0]
    return EsptoolAdapter(name=f"esptool@{release}", version=release, python=python, options=options)


@functools.cache
def records(release: str) -> dict[str, Record]:
    """Return the record of each row of `ROWS` for one release."""
    adapter = esptool(release)
    order = Order(faults=("silent-line",))
    (clean,) = run_clean([order.clean(adapter.name)], {adapter.name: adapter}, InTurn())
    assert clean.judgement.verdict is Verdict.RECOVERED, clean
    cases = {row.fault: Order(faults=(row.fault,)).cases(adapter.name, clean.result.evidence)[0] for row in ROWS.values()}
    clean_s = {clean.case.id: clean.result.evidence.virtual_s}
    found = run(cases.values(), {adapter.name: adapter}, clean_s, InTurn())
    return {record.case.faults[0]: record for record in found}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("release", peers.releases())
def test_what_a_single_fault_does_to_a_release_is_as_measured(release: str, name: str) -> None:
    row = ROWS[name]
    record = records(release)[row.fault]
    assert record.result.evidence.fired == 1
    assert record.judgement.verdict is row.of(peers.Esptool(release=release).version), record


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.new is FATAL])
def test_esptool_5_6_gives_up_at_once_or_after_six_seconds(name: str) -> None:
    found = records("5.6.0")
    at_once = found[ROWS["three noise bytes come first"].fault].result.evidence.virtual_s
    later = found[ROWS[name].fault].result.evidence.virtual_s - at_once
    # A digest that no answer comes to is given up after 3 s, as every ordinary command.
    least = 0.0 if not ROWS[name].waits else 2.5 if name == "the answer comes twice" else 5.0
    assert least <= later <= least + 2.0


def test_a_retry_from_a_dead_generator_is_a_crash_with_its_reason() -> None:
    record = records("4.12.0")[ROWS["the answer is lost"].fault]
    assert record.judgement.diagnosis == "The chip stopped responding."
    assert "StopIteration" in record.result.messages


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
