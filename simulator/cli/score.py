"""``espsim score``: what flashers make of faults."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simulator.campaign.oracle import Verdict
    from simulator.campaign.store import Record
    from simulator.campaign.suite import Order
    from simulator.flashers.adapter import Adapter

SHOWN = 10
"""How many bad cases are listed; the JSON file has all."""

INTERRUPTED = 130

EPILOG = """\b
Verdicts, from best to worst: RECOVERED, FAILED_CLEAN, FAILED_MISDIAGNOSED, CRASHED, HUNG, BRICKED, FALSE_SUCCESS.
NOT_EXERCISED and MODEL_GAP say nothing about the flasher.

\b
Examples:
  espsim score flashcore esptool
  espsim score flashcore --suite sweep --jobs 2
  espsim score esptool@3.3 esptool@4.8.1 flashcore --json score.json
  espsim score esptool --fault d2h:nth_frame(FLASH_DEFL_DATA,2):drop
"""


@click.command("score", epilog=EPILOG)
@click.argument("flashers", metavar="FLASHER...", nargs=-1, required=True)
@click.option(
    "--suite",
    type=click.Choice(("smoke", "catalogue", "sweep")),
    default="smoke",
    show_default=True,
    help="The commonest failures, each row of the fault catalogue, or each kind of fault at each frame.",
)
@click.option("--fault", "-f", "faults", multiple=True, metavar="FAULT", help="Only this, instead of a suite; repeatable.")
@click.option("--board", "-B", default="esp32-devkitc", show_default=True, metavar="NAME", help="Which board.")
@click.option("--seed", default=0, show_default=True, help="The runs' only randomness.")
@click.option(
    "--size",
    type=click.IntRange(1, 1 << 20),
    metavar="BYTES",
    help="How much to write.  [default: 64 KiB; in a sweep 256 KiB]",
)
@click.option(
    "--pairs", "pair_count", type=click.IntRange(0), default=0, metavar="N", help="In a sweep, N pairs of faults as well."
)
@click.option("--shrink", is_flag=True, help="Reduce bad cases of several faults to as few as give the same verdict.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Processes.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N cases per flasher, spread evenly.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all results to FILE as JSON.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep each result in FILE, one JSON object per line, and run only what is not in it.",
)
def command(
    *,
    flashers: tuple[str, ...],
    suite: str,
    faults: tuple[str, ...],
    board: str,
    seed: int,
    size: int | None,
    pair_count: int,
    shrink: bool,
    jobs: int,
    limit: int | None,
    json_file: Path | None,
    resume: Path | None,
) -> int:
    """Run each FLASHER against faults and give a verdict on every case, from the flash and the clock.

    FLASHER is flashcore, esptool (the one installed beside espsim) or esptool@RELEASE, which gets an environment of its own.
    Everything is in virtual time, and the same for any number of processes.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise click.UsageError(f"cannot write {json_file}: there is no such folder")
    if len(set(flashers)) < len(flashers):
        raise click.UsageError("a flasher is named twice")
    from simulator.campaign.suite import Order, Suite
    from simulator.flashers.known import adapter
    from simulator.scenario import Scenario

    Scenario(board=board, faults=faults).check()
    order = Order(suite=Suite(suite), faults=faults, board=board, seed=seed, size=size, pairs=pair_count, limit=limit)
    adapters = {name: adapter(name, progress=_say) for name in flashers}
    return _score(order, adapters, jobs=jobs, shrink=shrink, json_file=json_file, resume=resume)


def _score(
    order: Order,
    adapters: Mapping[str, Adapter],
    *,
    jobs: int,
    shrink: bool,
    json_file: Path | None,
    resume: Path | None,
) -> int:
    from simulator.campaign.run import clean_cases, processes, run, run_clean
    from simulator.campaign.store import Store

    store = Store(resume) if resume is not None else None
    executor = processes(jobs)
    records: list[Record] = []
    planned: dict[str, int] = {}
    interrupted = False
    try:
        records = run_clean([order.clean(name) for name in adapters], adapters, executor)
        clean = {record.case.flasher: record.result.evidence for record in records}
        planned = {name: len(order.points(name, clean[name])) for name in adapters}
        cases = [case for name in adapters for case in order.cases(name, clean[name])]
        place = {case.id: number for number, case in enumerate(cases)}
        others = run_clean(
            [case for case in clean_cases(cases) if case.job != order.clean(case.flasher).job], adapters, executor
        )
        clean_s = {record.case.id: record.result.evidence.virtual_s for record in (*records, *others)}
        finished: list[Record] = []
        try:
            width = 1 if jobs == 1 else 2 * jobs
            found = run(cases, adapters, clean_s, executor, store=store, width=width)
            for record in _shown(found, len(cases)):
                finished.append(record)
        except KeyboardInterrupt:
            interrupted = True
        records += sorted(finished, key=lambda record: place[record.case.id])
    finally:
        executor.shutdown(cancel_futures=True)
        if store is not None:
            store.close()
    _show(records, planned)
    if shrink and not interrupted:
        _show_shrunk(records, adapters)
    if json_file is not None:
        _write(json_file, order, adapters, records, planned, complete=not interrupted)
    if interrupted:
        _say("interrupted" + (f"; the same command with --resume {resume} goes on" if resume else ""))
        return INTERRUPTED
    return 0


def _shown(records: Iterable[Record], total: int) -> Iterable[Record]:
    """Pass `records` on, with a bar on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        return records
    from rich.console import Console
    from rich.progress import track

    return track(records, total=total, description="cases", console=Console(stderr=True), transient=True)


def _show(records: list[Record], planned: Mapping[str, int]) -> None:
    from simulator.campaign.oracle import Verdict
    from simulator.campaign.report import coverage, rows, worst_first
    from simulator.cli.tables import show_table

    bad = worst_first(records)
    lies = [record for record in bad if record.judgement.verdict is Verdict.FALSE_SUCCESS]
    if lies:
        click.echo(f"{len(lies)} FALSE SUCCESS" + ("ES" if len(lies) > 1 else ""))
        _list(lies)
        click.echo()
    flashers = list(planned)
    cells = {(row.preset, row.flasher): row for row in rows(records)}
    table = [
        (preset, *(_cell(cells[preset, name].verdicts) if (preset, name) in cells else "" for name in flashers))
        for preset in dict.fromkeys(preset for preset, _ in cells)
    ]
    versions = {record.case.flasher: record.version for record in records}
    show_table(("fault", *(name if "@" in name else f"{name} {versions[name]}" for name in flashers)), table)
    others = bad[len(lies) :]
    if others:
        click.echo()
        _list(others)
    click.echo()
    for name in flashers:
        own = [record for record in records if record.case.flasher == name]
        click.echo(f"{name}: {coverage(own, planned[name])}")


def _cell(verdicts: Mapping[Verdict, int]) -> str:
    ordered = sorted(verdicts, key=lambda verdict: -verdict.badness)
    if len(ordered) == 1 and verdicts[ordered[0]] == 1:
        return str(ordered[0])
    return ", ".join(f"{verdict} {verdicts[verdict]}" for verdict in ordered)


def _list(records: list[Record]) -> None:
    for record in records[:SHOWN]:
        click.echo(f"{record.judgement.verdict}  {record.case.flasher}  {record.case.preset}: {record.judgement.reason}")
        if record.judgement.diagnosis:
            click.echo(f"    it said: {record.judgement.diagnosis}")
        click.echo(f"    {record.case.repeat()}")
    if len(records) > SHOWN:
        click.echo(f"... and {len(records) - SHOWN} more")


def _show_shrunk(records: list[Record], adapters: Mapping[str, Adapter]) -> None:
    from simulator.campaign.report import worst_first
    from simulator.campaign.shrink import by_running, shrink

    several = [record for record in worst_first(records) if len(record.case.faults) > 1]
    for record in several[:SHOWN]:
        verdict_of = by_running(adapters[record.case.flasher], record.clean_s)
        smallest = shrink(record.case, record.judgement.verdict, verdict_of)
        click.echo(f"{record.judgement.verdict} with {len(smallest.faults)} of {len(record.case.faults)} faults:")
        click.echo(f"    {smallest.repeat()}")


def _write(
    path: Path,
    order: Order,
    adapters: Mapping[str, Adapter],
    records: list[Record],
    planned: Mapping[str, int],
    *,
    complete: bool,
) -> None:
    from dataclasses import asdict
    from importlib import metadata

    from flashcore.errors import ScenarioError
    from simulator.campaign.report import coverage, to_json

    meta: dict[str, object] = {
        "espsim": metadata.version("flashcore"),
        "order": asdict(order),
        "complete": complete,
        "flashers": {name: adapter.version for name, adapter in adapters.items()},
        "coverage": {
            name: coverage([record for record in records if record.case.flasher == name], planned[name]) for name in planned
        },
    }
    try:
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(to_json(records, meta), indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ScenarioError(f"cannot write {path}: {error.strerror}") from error


def _say(text: str) -> None:
    click.echo(f"espsim: {text}", err=True)
