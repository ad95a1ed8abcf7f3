"""The parts of a campaign that need no world: what a case is, which cases there are, and how a result is judged."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from flashcore.errors import PlanError, ScenarioError
from simulator.campaign import Case, Job, Judgement, Record, Verdict, judge
from simulator.campaign.case import CLEAN
from simulator.campaign.generate import catalogue, smoke
from simulator.campaign.oracle import GRACE_S, SLOWER, STOP_GRACE_S, STOP_SLOWER, diagnosis_in, told_by, worst_first
from simulator.campaign.shrink import shrink
from simulator.campaign.store import Store, read
from simulator.campaign.suite import Order, Suite
from simulator.faults import presets
from simulator.faults.presets.preset import parse_preset
from simulator.flashers.adapter import Evidence, Result
from simulator.flashers.images import Image
from simulator.flashers.job import FaultOutcome
from simulator.flashers.known import adapter
from simulator.flashers.task import Task
from simulator.scenario import Scenario

BASE = Case(flasher="flashcore", suite="smoke", preset=CLEAN, job=Job.of_size(4096))
FAULTY = dataclasses.replace(BASE, preset="x", faults=("d2h:always:drop",), accept=("not one byte", r"\bsilent\b"))
GOOD = Evidence(virtual_s=4.0, holds=True, astray=False)
BAD = Evidence(virtual_s=4.0, holds=False, astray=False, recoverable=True)
CLEAN_S = 4.0


def result(evidence: Evidence, status: int = 0, messages: str = "", **others: object) -> Result:
    return dataclasses.replace(Result(status=status, messages=messages, evidence=evidence), **others)  # type: ignore[arg-type]


def struck(evidence: Evidence, *exercised: bool) -> Evidence:
    faults = tuple(FaultOutcome(name=f"fault {number}", fired=int(did), exercised=did) for number, did in enumerate(exercised))
    return dataclasses.replace(evidence, faults=faults)


# --- cases ---------------------------------------------------------------------------------------------------------


def test_the_id_of_a_case_depends_on_everything_in_it() -> None:
    others = [
        dataclasses.replace(BASE, **change)
        for change in (
            {"flasher": "esptool"},
            {"board": "ttgo-lora32-v1"},
            {"seed": 1},
            {"faults": ("d2h:always:drop",)},
            {"job": Job.of_size(4096, seed=1)},
            {"transient": False},
            {"accept": ("x",)},
        )
    ]
    assert len(dataclasses.fields(Case)) == len(others) + 2
    assert len({case.id for case in (BASE, *others)}) == 1 + len(others)


def test_what_reports_call_a_case_is_no_part_of_its_id() -> None:
    assert dataclasses.replace(BASE, suite="sweep", preset="x").id == BASE.id


def test_the_id_of_a_case_changes_with_what_its_preset_says(monkeypatch: pytest.MonkeyPatch) -> None:
    case = dataclasses.replace(BASE, faults=("silent-line",))
    before = case.id
    monkeypatch.setattr("simulator.faults.presets.fingerprint", lambda name: "another")
    assert case.id != before


def test_the_id_of_a_case_is_the_same_on_every_machine() -> None:
    assert BASE.id == "9fc207ca43b6ebbe"


def test_a_case_comes_back_from_json_as_it_was() -> None:
    assert Case.from_fields(json.loads(json.dumps(FAULTY.to_fields()))) == FAULTY
    with pytest.raises(ValueError, match="not the fields of a case"):
        Case.from_fields({"flasher": "x"})


def test_task_and_result_come_back_from_json_as_they_were() -> None:
    task = Task(
        scenario=Scenario(faults=("silent-line",)),
        job=Job(images=(Image(offset=0, size=4096, seed=3, kind="zeros"),), sessions=2),
        limit_s=7.5,
    )
    assert Task.from_json(task.to_json()) == task
    found = result(struck(BAD, True, False), 2, "no\n", hung=True, problem="p", earlier=("one", "two"))
    assert Result.from_json(found.to_json()) == found
    with pytest.raises(ValueError, match="not the fields of a result"):
        Result.from_json('{"status": 0}')


def test_the_command_that_repeats_a_case_names_all_that_makes_it() -> None:
    case = dataclasses.replace(FAULTY, seed=3, job=Job.of_size(4096, 3), faults=("d2h:nth_frame(any,2):drop", "silent-line"))
    assert case.repeat() == (
        "espsim score flashcore --board esp32-devkitc --seed 3 --size 4096 "
        "--fault 'd2h:nth_frame(any,2):drop' --fault silent-line"
    )


# --- which cases -----------------------------------------------------------------------------------------------------


def test_the_catalogue_has_one_case_per_row_with_its_expectation_and_its_accepted_diagnoses() -> None:
    cases = catalogue(BASE)
    assert [case.faults for case in cases] == [(name,) for name in presets.names() if not presets.preset(name).variant]
    for case in cases:
        row = presets.preset(case.preset)
        assert (case.transient, case.accept) == (row.transient, row.accept)
        assert (case.job.action, case.job.success, case.job.sessions) == (row.job.action, row.job.success, row.job.sessions)


def test_smoke_is_a_part_of_the_catalogue() -> None:
    assert {case.id for case in smoke(BASE)} < {case.id for case in catalogue(BASE)}


def test_a_fault_preset_given_by_name_is_judged_as_in_the_suite() -> None:
    (case,) = Order(faults=("silent-line",)).cases("flashcore", GOOD)
    row = presets.preset("silent-line")
    assert (case.preset, case.faults, case.transient, case.accept) == ("silent-line", ("silent-line",), False, row.accept)


@pytest.mark.parametrize(
    ("faults", "transient"),
    [
        (("d2h:every(2):drop", "h2d:every(3):drop"), True),
        (("d2h:every(2):drop", "h2d:always:drop:permanent"), False),
        (("d2h:every(2):drop", "silent-line"), False),
    ],
)
def test_faults_given_together_are_one_case_and_permanent_if_one_of_them_is(faults: tuple[str, ...], transient: bool) -> None:
    (case,) = Order(suite=Suite.SWEEP, faults=faults).cases("flashcore", GOOD)
    assert (case.faults, case.transient, case.accept) == (faults, transient, ())


# --- verdicts --------------------------------------------------------------------------------------------------------

LATE = SLOWER * CLEAN_S + GRACE_S + 1
TOO_LATE = STOP_SLOWER * CLEAN_S + STOP_GRACE_S + 1

RULES = [
    ("right in time", result(struck(GOOD, True)), Verdict.RECOVERED),
    ("right too late", result(struck(dataclasses.replace(GOOD, virtual_s=LATE), True)), Verdict.HUNG),
    ("failed late", result(struck(dataclasses.replace(BAD, virtual_s=LATE), True), 2, "silent"), Verdict.FAILED_CLEAN),
    ("says so, is not", result(struck(BAD, True)), Verdict.FALSE_SUCCESS),
    ("says so, wrote elsewhere too", result(struck(dataclasses.replace(GOOD, astray=True), True)), Verdict.FALSE_SUCCESS),
    ("says so before the fault struck", result(struck(BAD, False)), Verdict.FALSE_SUCCESS),
    ("nothing struck", result(struck(GOOD, False)), Verdict.NOT_EXERCISED),
    ("one of two struck", result(struck(GOOD, True, False)), Verdict.NOT_EXERCISED),
    ("nothing struck, failed", result(struck(BAD, False), 2, "not one byte"), Verdict.NOT_EXERCISED),
    ("right diagnosis", result(struck(BAD, True), 2, "Error: NOT ONE\n   byte came"), Verdict.FAILED_CLEAN),
    ("wrong diagnosis", result(struck(BAD, True), 2, "the flash is worn out; silently"), Verdict.FAILED_MISDIAGNOSED),
    ("no word", result(struck(BAD, True), 2), Verdict.FAILED_MISDIAGNOSED),
    (
        "only the address of a help page",
        result(struck(BAD, True), 2, "see https://x.example/silent"),
        Verdict.FAILED_MISDIAGNOSED,
    ),
    ("failed, though the flash is right", result(struck(GOOD, True), 2, "silent"), Verdict.FAILED_CLEAN),
    ("failed too late", result(struck(dataclasses.replace(BAD, virtual_s=TOO_LATE), True), 2, "silent"), Verdict.HUNG),
    ("traceback", result(struck(BAD, True), 1, "silent", traceback=True), Verdict.CRASHED),
    ("ended in a wait", result(struck(BAD, True), 124, "silent", hung=True), Verdict.HUNG),
    (
        "bricked, in a traceback",
        result(struck(dataclasses.replace(BAD, recoverable=False), True), 1, traceback=True),
        Verdict.BRICKED,
    ),
    ("model gap", result(struck(dataclasses.replace(BAD, gaps=("opcode 0xd9",)), True)), Verdict.MODEL_GAP),
    ("our own failure", result(BAD, 70, problem="it broke"), Verdict.MODEL_GAP),
]


@pytest.mark.parametrize(("found", "verdict"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_the_verdict(found: Result, verdict: Verdict) -> None:
    assert judge(FAULTY, found, CLEAN_S).verdict is verdict


def test_a_way_around_a_permanent_fault_may_take_longer_than_over_a_transient_one() -> None:
    case = dataclasses.replace(FAULTY, transient=False)
    late, too_late = (result(struck(dataclasses.replace(GOOD, virtual_s=seconds), True)) for seconds in (LATE, TOO_LATE))
    assert judge(case, late, CLEAN_S).verdict is Verdict.RECOVERED
    assert judge(case, too_late, CLEAN_S).verdict is Verdict.HUNG


def test_every_verdict_is_given_by_some_rule() -> None:
    assert {verdict for _, _, verdict in RULES} == set(Verdict)


def test_where_no_diagnosis_is_asked_for_any_will_do() -> None:
    case = dataclasses.replace(FAULTY, accept=())
    assert judge(case, result(struck(BAD, True), 2, "no idea"), CLEAN_S).verdict is Verdict.FAILED_CLEAN


def test_a_false_success_is_the_worst_and_the_two_that_show_nothing_are_not_bad() -> None:
    assert max(Verdict, key=lambda verdict: verdict.badness) is Verdict.FALSE_SUCCESS
    assert {verdict for verdict in Verdict if not verdict.is_bad} == {
        Verdict.RECOVERED,
        Verdict.FAILED_CLEAN,
        Verdict.NOT_EXERCISED,
        Verdict.MODEL_GAP,
    }


@pytest.mark.parametrize(
    ("messages", "diagnosis"),
    [
        ("Connecting...\n\nA fatal error occurred: No serial data.\nFor troubleshooting see x\n", "No serial data."),
        ("ERROR: A fatal error occurred: No more data\n", "No more data"),
        ("port.lost: it went\nhint: plug it in", "port.lost: it went"),
        ("bye", "bye"),
        ("", ""),
    ],
)
def test_the_diagnosis_is_the_line_that_speaks_of_the_error(messages: str, diagnosis: str) -> None:
    assert diagnosis_in(messages) == diagnosis


@pytest.mark.parametrize(
    ("pattern", "messages"),
    [
        ("busy", "Could not open COM3, the port is busy or doesn't exist.\n(No such file or directory)"),
        ("noise", "Serial data stream stopped: Possible serial noise or corruption."),
        (r"\bdriver", "It is likely not a problem with esptool, but with the hardware connection or drivers."),
        ("troubleshooting", "see https://docs.example/troubleshooting.html"),
    ],
)
def test_what_is_said_whatever_is_wrong_is_no_diagnosis(pattern: str, messages: str) -> None:
    assert told_by((pattern,), messages) is None


def test_a_diagnosis_may_stand_beside_what_is_always_said_and_on_two_lines() -> None:
    messages = "Could not open X, the port is busy or doesn't exist.\n([Errno 16] Resource\n  BUSY: 'X')"
    assert told_by(("denied", "resource busy"), messages) == "resource busy"
    assert told_by(("noise",), "Invalid head of packet (0x90): Possible serial noise or corruption.") == "noise"


@pytest.mark.parametrize(
    "messages",
    [
        "No more data to read from the serial port. This can have many causes, for troubleshooting steps visit: https://x",
        "Serial data stream stopped: Possible serial noise or corruption.",
    ],
)
def test_that_nothing_comes_is_a_diagnosis_only_where_the_chip_falls_silent_for_good(messages: str) -> None:
    told = [name for name in presets.names() if told_by(presets.preset(name).accept, messages)]
    assert told
    assert [name for name in told if not name.startswith("silent-from-")] == []


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_says_which_diagnoses_are_right(name: str) -> None:
    assert presets.preset(name).accept


def test_a_bad_pattern_in_a_preset_is_named_with_its_place() -> None:
    text = 'id = "x"\ntitle = "t"\nrank = 1\nclass = "c"\naccept = ["good", "(bad"]\n'
    with pytest.raises(PlanError, match=r"x\.toml: accept\[1\] is no regular expression"):
        parse_preset(text, source="x.toml")


# --- store, order, shrinking --------------------------------------------------------------------------------------


def record(case: Case, verdict: Verdict = Verdict.RECOVERED) -> Record:
    evidence = struck(GOOD, *(True for _ in case.faults))
    judgement = Judgement(verdict=verdict, diagnosis="d", reason="r")
    return Record(case=case, version="1", result=result(evidence), judgement=judgement, clean_s=CLEAN_S)


def test_a_store_gives_back_what_was_added_and_leaves_out_a_line_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    store = Store(path)
    for case in (BASE, FAULTY):
        store.add(record(case))
    store.close()
    path.write_bytes(path.read_bytes()[:-20])
    again = Store(path)
    assert list(again.records.values()) == [record(BASE)]
    again.add(record(FAULTY))
    again.close()
    assert list(read(path)) == [record(BASE), record(FAULTY)]


def test_a_store_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot use"):
        Store(tmp_path / "no" / "results.jsonl")


def test_the_worst_come_first_and_what_is_not_bad_not_at_all() -> None:
    records = [record(FAULTY, verdict) for verdict in (Verdict.CRASHED, Verdict.RECOVERED, Verdict.FALSE_SUCCESS)]
    assert [item.verdict for item in worst_first(records)] == [Verdict.FALSE_SUCCESS, Verdict.CRASHED]


@pytest.mark.parametrize("guilty", [{"c"}, {"a", "h"}, {"b", "c", "g"}, set("abcdefgh")])
def test_shrinking_keeps_exactly_the_faults_that_are_needed(guilty: set[str]) -> None:
    case = dataclasses.replace(BASE, faults=tuple("abcdefgh"))
    smallest = shrink(case, Verdict.CRASHED, lambda c: Verdict.CRASHED if guilty <= set(c.faults) else Verdict.RECOVERED)
    assert smallest.faults == tuple(sorted(guilty))


def test_shrinking_does_not_change_one_failure_for_another() -> None:
    case = dataclasses.replace(BASE, faults=("a", "b"))
    assert shrink(case, Verdict.CRASHED, lambda c: Verdict.HUNG).faults == ("a", "b")


# --- flashers by name ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["avrdude", "esptool@", "esptool@../x", "flashcore@1"])
def test_an_unknown_flasher_is_one_clear_error(name: str) -> None:
    with pytest.raises(ScenarioError, match="unknown flasher"):
        adapter(name)
