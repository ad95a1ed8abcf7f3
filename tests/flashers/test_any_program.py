"""Any program as a flasher, by its command line: on a pty in real time, as a Python program in virtual time, and esptool-js."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.campaign import Record, Verdict
from simulator.campaign.run import InTurn, ladders, run, run_clean
from simulator.campaign.suite import Order
from simulator.flashers.adapter import Adapter
from simulator.flashers.command import CommandAdapter
from simulator.flashers.environments import FlasherEnvironmentError
from simulator.flashers.known import adapter
from simulator.flashers.node import EsptoolJsAdapter
from simulator.flashers.task import Job
from simulator.record.transits import Fate
from tests import peers

pytestmark = [pytest.mark.peers, pytest.mark.timeout(240)]

ESPTOOL = f"{sys.executable} -m esptool --port {{port}}"
WRITE = f"{ESPTOOL} --baud {{baud}} write-flash {{address}} {{image}}"
SILENT = "silent-line"


def clean(flasher: Adapter, job: Job) -> Record:
    """Return the run without faults."""
    case = replace(Order().clean(flasher.name), job=job)
    return run_clean([case], {flasher.name: flasher}, InTurn())[0]


def faulty(flasher: Adapter, *faults: str, size: int = 4096) -> Record:
    """Return a run with faults."""
    (case,) = Order(faults=faults, size=size).cases(flasher.name, _NOTHING)
    (record,) = run([case], {flasher.name: flasher}, {case.clean.id: 5.0}, InTurn())
    return record


_NOTHING = clean(adapter("flashcore"), Job.of_size(1)).result.evidence


@pytest.mark.parametrize("link", ["", "virtual:", pytest.param("rfc2217:", marks=pytest.mark.slow)])
def test_a_program_writes_over_each_link(link: str) -> None:
    record = clean(adapter(link + WRITE), Job.of_size(4096))
    assert record.judgement.verdict is Verdict.RECOVERED, record
    assert record.result.evidence.line_edges >= 4


def test_without_modem_lines_somebody_has_held_boot() -> None:
    words = (
        f"tcp:{sys.executable} -m esptool --port {{port}} --before no-reset --after no-reset write-flash {{address}} {{image}}"
    )
    record = clean(adapter(words), Job.of_size(4096))
    assert record.judgement.verdict is Verdict.RECOVERED, record
    assert record.result.evidence.line_edges == 0


@pytest.mark.parametrize(
    ("words", "action"),
    [("read-flash {address} {size} {out}", "read"), ("erase-region {address} {size}", "erase")],
)
def test_a_python_program_reads_and_erases_in_virtual_time(words: str, action: str) -> None:
    job = replace(Job.of_size(8192), action=action)  # type: ignore[arg-type]
    record = clean(adapter(f"virtual:{ESPTOOL} {words}"), job)
    assert record.judgement.verdict is Verdict.RECOVERED, record


def test_what_it_says_is_its_diagnosis_whatever_the_link() -> None:
    said = {link: faulty(adapter(link + WRITE), SILENT).judgement for link in ("virtual:", "")}
    assert {judgement.verdict for judgement in said.values()} == {Verdict.FAILED_CLEAN}, said
    assert len({judgement.diagnosis for judgement in said.values()}) == 1


def script(folder: Path, body: str) -> str:
    """Return the start of the command line of a Python program."""
    path = folder / "tool.py"
    path.write_text("import sys\n" + body)
    return f"{sys.executable} {shlex.quote(str(path))} {{port}} {{address}} {{image}}"


@pytest.mark.parametrize("link", ["", "virtual:"])
@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("print('all good')", Verdict.FALSE_SUCCESS),
        ("raise KeyError('port')", Verdict.CRASHED),
        ("sys.exit('no serial data received')", Verdict.FAILED_CLEAN),
        ("sys.exit('the moon is full')", Verdict.FAILED_MISDIAGNOSED),
    ],
)
def test_a_program_gets_the_verdict_that_it_deserves(link: str, body: str, verdict: Verdict, tmp_path: Path) -> None:
    touch = "import serial\np = serial.serial_for_url(sys.argv[1], timeout=0.1)\np.read(100)\np.close()\n"
    record = faulty(adapter(link + script(tmp_path, touch + body)), SILENT)
    assert record.judgement.verdict is verdict, record


def test_a_program_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.flashers.command.WALL_S", 0.5)
    record = faulty(adapter(script(tmp_path, "import time\ntime.sleep(60)")), SILENT)
    assert record.judgement.verdict is Verdict.HUNG


def test_a_case_that_a_program_cannot_be_given_is_not_run_and_says_why() -> None:
    found = adapter(f"virtual:{ESPTOOL} read-flash {{address}} {{size}} {{out}}")
    assert isinstance(found, CommandAdapter)
    record = faulty(found, SILENT)
    assert record.judgement.verdict is Verdict.NOT_EXERCISED
    assert record.judgement.reason == "not run: it is not known how to ask it to write"


# --- esptool-js ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def esptool_js() -> EsptoolJsAdapter:
    try:
        found = adapter("esptool-js", cache=peers.CACHE)
    except FlasherEnvironmentError as error:
        peers.or_skip(error)
    assert isinstance(found, EsptoolJsAdapter)
    return found


@pytest.mark.parametrize(
    "job", [Job.of_size(4096), replace(Job.of_size(4096), action="read", baud=230400)], ids=["write", "read"]
)
def test_esptool_js_does_a_job(esptool_js: EsptoolJsAdapter, job: Job) -> None:
    record = clean(esptool_js, job)
    assert record.judgement.verdict is Verdict.RECOVERED, record


def test_esptool_js_has_one_text_for_whatever_does_not_answer(esptool_js: EsptoolJsAdapter) -> None:
    """Source: docs/sources.md, Baselines."""
    record = faulty(esptool_js, SILENT)
    assert record.judgement.verdict is Verdict.FAILED_MISDIAGNOSED
    assert record.judgement.diagnosis == "ESPError: Failed to connect with the device"


def test_what_it_says_does_not_depend_on_where_its_files_were(tmp_path: Path) -> None:
    flasher = adapter("virtual:" + script(tmp_path, "print('cannot read', sys.argv[-1])\nsys.exit(3)\n"))
    task = Order(size=4096).clean(flasher.name).task(100.0)
    assert {result.messages for result in flasher.run([task, task])} == {"cannot read random-4096-0.bin\n"}


def test_in_real_time_the_ladder_is_of_the_run_itself() -> None:
    flasher = adapter(WRITE)
    record = faulty(flasher, SILENT)
    steps = ladders([record], {flasher.name: flasher}, InTurn())[record.key]
    assert steps == record.result.evidence.ladder
    assert any(step.fate is Fate.LOST for step in steps)


def test_the_ports_of_a_computer_are_files_for_a_program() -> None:
    record = faulty(adapter(WRITE), "twin-ports")
    assert record.judgement.verdict is Verdict.FAILED_MISDIAGNOSED, record
    assert "result was 0107" in record.judgement.diagnosis


@pytest.mark.parametrize(
    ("link", "name", "lack"),
    [
        ("", "port-busy", "cannot be refused, nor leave and come back"),
        ("", "unplug-mid-write", "cannot be refused, nor leave and come back"),
        ("rfc2217:", "twin-ports", "has no list of ports"),
    ],
)
def test_what_a_link_cannot_show_is_not_run(link: str, name: str, lack: str) -> None:
    flasher = adapter(link + WRITE)
    (case,) = Order(faults=(name,), size=4096).cases(flasher.name, _NOTHING)
    assert lack in flasher.abilities.lacks(case.task(10.0))
