"""Running cases through any executor, in shards that are worth sending to another process, with results as they come.

A shard is plain data in and plain data out: an adapter, and the tasks for it. Verdicts are given here, from results that
depend on the case alone, so they are the same for any number of processes. What is in the store already does not run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from simulator.campaign.case import Case
from simulator.campaign.oracle import judge, limit_s
from simulator.campaign.store import Record, Store
from simulator.flashers.adapter import NOTHING, Adapter, Result
from simulator.flashers.task import Task

if TYPE_CHECKING:
    from simulator.record.ladder import Step

CLEAN_LIMIT_S = 3600.0
"""How long a run without faults may take, in virtual seconds."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class InTurn(Executor):
    """Does everything in this process, one after the other."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Return a future of what `fn` returns, which is there already."""
        future: Future[_T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future carries it to whoever asks
            future.set_exception(error)
        return future


def processes(jobs: int) -> Executor:
    """Return an executor of `jobs` processes; with one, everything is done in this one."""
    if jobs == 1:
        return InTurn()
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_heed)


def interrupt() -> None:
    """Have the processes of `processes` end what they are doing, and all that they started for it."""
    from multiprocessing import active_children

    for worker in active_children():
        worker.terminate()


def _heed() -> None:
    """Leave a Ctrl-C to the process that asked for the work; when that one says so, clean up and end."""
    import signal
    import sys

    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def clean_cases(cases: Iterable[Case]) -> list[Case]:
    """Return the runs without faults that `cases` are measured against, each once."""
    return list({case.clean.id: case.clean for case in cases}.values())


def run_clean(cases: Sequence[Case], adapters: Mapping[str, Adapter], executor: Executor) -> list[Record]:
    """Run `cases`, which have no faults, and judge them by themselves; return their records in order.

    Args:
        cases: The cases.
        adapters: By the flashers' names.
        executor: What carries out the work.

    Raises:
        FlashcoreError: A flasher cannot be started.
    """
    by_flasher: dict[str, list[Case]] = {}
    for case in cases:
        by_flasher.setdefault(case.flasher, []).append(case)
    futures = [
        (shard, executor.submit(_shard, adapters[name], [case.task(CLEAN_LIMIT_S) for case in shard]))
        for name, some in by_flasher.items()
        for shard in _cut(some, adapters[name].shard)
    ]
    results = {case.id: result for shard, future in futures for case, result in zip(shard, future.result(), strict=True)}
    found = [(case, results[case.id]) for case in cases]
    return [_record(case, adapters, result, result.evidence.virtual_s) for case, result in found]


def run(
    cases: Iterable[Case],
    adapters: Mapping[str, Adapter],
    clean_s: Mapping[str, float],
    executor: Executor,
    *,
    store: Store | None = None,
    width: int = 4,
) -> Iterator[Record]:
    """Run `cases` and yield their records as they come, those of the store first.

    An interruption, or closing the iterator, cancels what has not begun; what is finished is in the store.

    Args:
        cases: The cases.
        adapters: By the flashers' names.
        clean_s: How long each job takes without faults, by the ids of the clean cases, in virtual seconds.
        executor: What carries out the work.
        store: Where results are kept, and taken from.
        width: How many shards are given to the executor at once.

    Raises:
        FlashcoreError: A flasher cannot be started.
    """
    known = store.records if store is not None else {}
    todo: dict[str, list[Case]] = {}
    for case in cases:
        done = known.get((case.id, adapters[case.flasher].version))
        if done is not None and done.clean_s == clean_s[case.clean.id]:
            yield done
        else:
            todo.setdefault(case.flasher, []).append(case)
    shards = iter([(adapters[name], shard) for name, some in todo.items() for shard in _cut(some, adapters[name].shard)])
    pending: dict[Future[list[Result]], list[Case]] = {}
    try:
        while True:
            for adapter, shard in shards:
                tasks = [case.task(limit_s(clean_s[case.clean.id]) + 1) for case in shard]
                pending[executor.submit(_shard, adapter, tasks)] = shard
                if len(pending) >= width:
                    break
            if not pending:
                return
            future = next(as_completed(pending))
            for case, result in zip(pending.pop(future), future.result(), strict=True):
                record = _record(case, adapters, result, clean_s[case.clean.id])
                if store is not None:
                    store.add(record)
                yield record
    finally:
        for future in pending:
            future.cancel()


def ladders(
    records: Iterable[Record], adapters: Mapping[str, Adapter], executor: Executor
) -> dict[tuple[str, str], tuple[Step, ...]]:
    """Run the cases of `records` again to see what happened on the line, and return that by the records' keys.

    Keeping it the first time would make every run slower for the sake of the few that are looked at. Only in real time, where
    no run is like another and recording costs nothing to speak of, it has been kept. A run that came out otherwise this time,
    as it may with a flasher that looks at the machine's clock, is left out.

    Args:
        records: Finished cases.
        adapters: By the flashers' names.
        executor: What carries out the work.

    Raises:
        FlashcoreError: A flasher cannot be started.
    """
    todo: dict[str, list[Record]] = {}
    found: dict[tuple[str, str], tuple[Step, ...]] = {}
    for record in records:
        if adapters[record.case.flasher].abilities.link.is_virtual:
            todo.setdefault(record.case.flasher, []).append(record)
        else:
            found[record.key] = record.result.evidence.ladder
    shards = [(adapters[name], shard) for name, some in todo.items() for shard in _cut(some, adapters[name].shard)]
    futures = [
        executor.submit(_shard, adapter, [_recorded(record.case.task(limit_s(record.clean_s) + 1)) for record in shard])
        for adapter, shard in shards
    ]
    for (_, shard), future in zip(shards, futures, strict=True):
        for record, result in zip(shard, future.result(), strict=True):
            if replace(result, evidence=replace(result.evidence, ladder=())) == record.result:
                found[record.key] = result.evidence.ladder
    return found


def _recorded(task: Task) -> Task:
    return replace(task, scenario=replace(task.scenario, keep_events=True))


def _shard(adapter: Adapter, tasks: Sequence[Task]) -> list[Result]:
    lacking = [adapter.abilities.lacks(task) for task in tasks]
    able = [task for task, reason in zip(tasks, lacking, strict=True) if not reason]
    if not adapter.abilities.link.is_virtual:
        able = [_recorded(task) for task in able]
    done = iter(adapter.run(able) if able else ())
    return [Result(status=0, messages="", evidence=NOTHING, skipped=reason) if reason else next(done) for reason in lacking]


def _cut(cases: list[_T], size: int) -> list[list[_T]]:
    return [cases[start : start + size] for start in range(0, len(cases), size)]


def _record(case: Case, adapters: Mapping[str, Adapter], result: Result, clean_s: float) -> Record:
    judgement = judge(case, result, clean_s)
    return Record(case=case, version=adapters[case.flasher].version, result=result, judgement=judgement, clean_s=clean_s)
