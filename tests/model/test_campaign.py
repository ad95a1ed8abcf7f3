"""Campaigns on virtual boards: broken flashers get their bad verdict, flashcore its good one, however they are run."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest

from flashcore.errors import CancelledError, ScenarioError
from simulator.campaign import Record, Verdict
from simulator.campaign.run import InTurn, ladders, processes, run, run_clean
from simulator.campaign.shrink import by_running, shrink
from simulator.campaign.store import Store
from simulator.campaign.suite import Order, Suite
from simulator.chip.soc import Soc
from simulator.flashers.adapter import Adapter, Result
from simulator.flashers.flashcore import FlashcoreAdapter
from simulator.flashers.in_process import Session
from simulator.flashers.task import Job, Task
from simulator.record.transits import Fate
from simulator.scenario import Scenario
from tests.model import broken_flashers as broken
from tests.model.broken_flashers import Broken

SIZE = 12 * 1024
UNSEEN = ("h2d:nth_frame(FLASH_DATA,2):corrupt(mask=0x01,at=100)", "h2d:nth_frame(FLASH_DATA,2):corrupt(mask=0x01,at=101)")
"""Two bits of one block flip so that its checksum stays right: only a digest of the whole shows it."""


def score(adapter: Adapter, *faults: str, clean_s: float = 3.0) -> Record:
    """Run one case and return its record."""
    (case,) = Order(faults=faults or ("d2h:nth_frame(SYNC,1):duplicate",), size=SIZE).cases("broken", _NO_COUNT)
    (record,) = run([case], {"broken": adapter}, {case.clean.id: clean_s}, InTurn())
    return record


_NO_COUNT = run_clean([Order(size=SIZE).clean("broken")], {"broken": Broken(session=broken.honest)}, InTurn())[
    0
].result.evidence


@pytest.mark.parametrize(
    ("session", "faults", "verdict"),
    [
        (broken.honest, (), Verdict.RECOVERED),
        (broken.honest, UNSEEN, Verdict.RECOVERED),
        (broken.honest, ("silent-line",), Verdict.FAILED_CLEAN),
        (broken.claims_success_early, (), Verdict.FALSE_SUCCESS),
        (broken.claims_success_without_a_look, (), Verdict.FALSE_SUCCESS),
        (broken.claims_success_without_a_look, ("wrong-port-gps",), Verdict.FALSE_SUCCESS),
        (broken.skips_a_block, (), Verdict.FALSE_SUCCESS),
        (broken.ignores_md5, (), Verdict.RECOVERED),
        (broken.ignores_md5, UNSEEN, Verdict.FALSE_SUCCESS),
        (broken.writes_at_the_wrong_offset, (), Verdict.FALSE_SUCCESS),
        (broken.writes_at_the_wrong_offset_too, (), Verdict.FALSE_SUCCESS),
        (broken.hangs, (), Verdict.HUNG),
        (broken.waits_without_end, (), Verdict.HUNG),
        (broken.dawdles, (), Verdict.HUNG),
        (broken.misdiagnoses, ("silent-line",), Verdict.FAILED_MISDIAGNOSED),
        (broken.crashes, (), Verdict.CRASHED),
        (broken.burns_a_fuse, (), Verdict.BRICKED),
        (broken.leaves_the_port_open_in_reset, ("d2h:nth_byte(1):drop",), Verdict.BRICKED),
        (broken.honest, ("d2h:nth_frame(FLASH_DEFL_DATA,1000):drop",), Verdict.NOT_EXERCISED),
    ],
)
def test_a_flasher_gets_the_verdict_that_it_deserves(session: Session, faults: tuple[str, ...], verdict: Verdict) -> None:
    record = score(Broken(session=session), *faults)
    assert record.judgement.verdict is verdict, record


def test_an_interruption_is_no_result_of_the_flasher() -> None:
    with pytest.raises(KeyboardInterrupt):
        score(Broken(session=broken.is_interrupted))


def test_an_interruption_of_the_session_after_a_failure_bricks_no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    def rescue(*_: object) -> None:
        raise CancelledError("stopped")

    monkeypatch.setattr("simulator.flashers.flashcore.rescue", rescue)
    with pytest.raises(KeyboardInterrupt):
        score(Broken(session=broken.honest), "silent-line")


def test_a_run_without_faults_is_judged_too() -> None:
    order, adapters = Order(size=SIZE), {"broken": Broken(session=broken.skips_a_block)}
    (record,) = run_clean([order.clean("broken")], adapters, InTurn())
    assert (record.case.preset, record.judgement.verdict) == ("clean", Verdict.FALSE_SUCCESS)


def test_a_board_that_nobody_can_flash_was_not_bricked_by_the_flasher() -> None:
    task = Task(scenario=Scenario(board="esp32-no-download"), job=Job.of_size(4096))
    (result,) = FlashcoreAdapter().run([task])
    assert (result.status, result.evidence.recoverable) == (4, None)


def test_a_failure_of_the_simulator_does_not_count_against_the_flasher(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("gap")

    monkeypatch.setattr(Soc, "receive", fail)
    record = score(Broken(session=broken.honest))
    assert record.judgement.verdict is Verdict.MODEL_GAP
    assert "RuntimeError: gap" in record.judgement.reason


def test_a_world_that_cannot_be_built_is_an_error_of_the_order() -> None:
    with pytest.raises(ScenarioError, match="no board 'nothing'"):
        run_clean([Order(board="nothing").clean("flashcore")], {"flashcore": FlashcoreAdapter()}, InTurn())


# --- flashcore, swept ------------------------------------------------------------------------------------------------

ADAPTERS: dict[str, Adapter] = {"flashcore": FlashcoreAdapter(use_stub=False)}
SWEEP = Order(suite=Suite.SWEEP, size=4096, pairs=10)


@pytest.fixture(scope="module")
def clean() -> Record:
    return run_clean([SWEEP.clean("flashcore")], ADAPTERS, InTurn())[0]


def swept(clean: Record, *, limit: int, jobs: int = 1, store: Store | None = None) -> list[Record]:
    order = dataclasses.replace(SWEEP, limit=limit)
    cases = order.cases("flashcore", clean.result.evidence)
    clean_s = {clean.case.id: clean.result.evidence.virtual_s}
    with processes(jobs) as executor:
        found = {record.case.id: record for record in run(cases, ADAPTERS, clean_s, executor, store=store)}
    return [found[case.id] for case in cases]


def test_a_fault_at_any_frame_is_survived_and_each_one_strikes(clean: Record) -> None:
    records = swept(clean, limit=60)
    assert len(records) == 60
    assert [record.case.faults for record in records if record.judgement.verdict is not Verdict.RECOVERED] == []
    assert all(record.result.evidence.exercised for record in records)


def test_whatever_happens_to_the_frames_of_a_block_is_survived() -> None:
    order = Order(suite=Suite.EXHAUSTIVE, size=1024, limit=80)
    (counted,) = run_clean([order.clean("flashcore")], ADAPTERS, InTurn())
    cases = order.cases("flashcore", counted.result.evidence)
    clean_s = {counted.case.id: counted.result.evidence.virtual_s}
    found = Counter(record.judgement.verdict for record in run(cases, ADAPTERS, clean_s, InTurn()))
    assert len(order.points("flashcore", counted.result.evidence)) == 4095
    # Where an answer never comes since its question was lost, the fault planned for that answer cannot strike.
    assert set(found) <= {Verdict.RECOVERED, Verdict.NOT_EXERCISED}
    assert found[Verdict.RECOVERED] > 60


def test_results_are_the_same_for_any_number_of_processes(clean: Record) -> None:
    assert swept(clean, limit=50) == swept(clean, limit=50, jobs=2)


def test_the_last_frame_counted_is_the_last_that_can_be_struck(clean: Record) -> None:
    evidence = clean.result.evidence
    for place, count in (("h2d", evidence.frames_to_device), ("d2h", evidence.frames_to_host)):
        orders = [dataclasses.replace(SWEEP, faults=(f"{place}:nth_frame(any,{count + more}):duplicate",)) for more in (0, 1)]
        tasks = [order.cases("flashcore", evidence)[0].task(100) for order in orders]
        assert count > 10
        assert [result.evidence.fired for result in ADAPTERS["flashcore"].run(tasks)] == [1, 0]


def test_an_interrupted_campaign_goes_on_where_it_was(clean: Record, tmp_path: Path) -> None:
    cases = dataclasses.replace(SWEEP, limit=60).cases("flashcore", clean.result.evidence)
    clean_s = {clean.case.id: clean.result.evidence.virtual_s}
    path = tmp_path / "results.jsonl"
    store = Store(path)
    some = run(cases, ADAPTERS, clean_s, InTurn(), store=store, width=1)
    next(some)
    some.close()  # type: ignore[attr-defined]
    store.close()
    kept = len(path.read_text().splitlines())
    assert 1 <= kept <= FlashcoreAdapter().shard

    asked: list[Task] = []

    class Counting:
        name, version, shard = "flashcore", FlashcoreAdapter().version, 1000
        abilities = FlashcoreAdapter().abilities

        def run(self, tasks: list[Task]) -> list[Result]:
            asked.extend(tasks)
            return list(ADAPTERS["flashcore"].run(tasks))

    store = Store(path)
    again = list(run(cases, {"flashcore": Counting()}, clean_s, InTurn(), store=store))  # type: ignore[dict-item]
    store.close()
    assert len(asked) == 60 - kept
    assert sorted(record.case.id for record in again) == sorted(case.id for case in cases)


def test_a_failing_plan_is_reduced_to_the_faults_that_make_it_fail() -> None:
    harmless = tuple(f"d2h:nth_frame({who}):duplicate" for who in ("SYNC,1", "READ_REG,3", "FLASH_DATA,4"))
    adapter = Broken(session=broken.ignores_md5)
    record = score(adapter, harmless[0], UNSEEN[0], *harmless[1:], UNSEEN[1])
    assert record.judgement.verdict is Verdict.FALSE_SUCCESS
    verdict_of = by_running(adapter)
    smallest = shrink(record.case, Verdict.FALSE_SUCCESS, verdict_of)
    places = [text.rpartition(":")[0] for text in smallest.faults]
    assert places == ["h2d:nth_frame(opcode=FLASH_DATA,n=1)"] * 2
    assert smallest.job.size < record.case.job.size
    assert verdict_of(smallest) is Verdict.FALSE_SUCCESS
    assert verdict_of(dataclasses.replace(smallest, faults=smallest.faults[:1])) is not Verdict.FALSE_SUCCESS


# --- ladders -----------------------------------------------------------------------------------------------------------


def test_a_case_that_is_run_again_shows_what_happened_on_the_line() -> None:
    record = score(FlashcoreAdapter(use_stub=False), "silent-line")
    assert record.result.evidence.ladder == ()
    found = ladders([record], {"broken": FlashcoreAdapter(use_stub=False)}, InTurn())
    lost = [step for step in found[record.key] if step.fate is Fate.LOST]
    assert {step.fault for step in lost} == {"d2h:always:drop:permanent"}
    assert found[record.key][-1].title == "port closed"


def test_a_run_that_comes_out_otherwise_the_second_time_has_no_ladder() -> None:
    record = score(Broken(session=broken.honest))
    assert ladders([record], {"broken": Broken(session=broken.hangs)}, InTurn()) == {}


def test_a_ladder_travels_with_its_result() -> None:
    record = score(Broken(session=broken.honest))
    task = record.case.task(100.0)
    task = dataclasses.replace(task, scenario=dataclasses.replace(task.scenario, keep_events=True))
    (result,) = Broken(session=broken.honest).run([task])
    assert result.evidence.ladder
    assert Result.from_json(result.to_json()) == result
