"""``espsim score``: what flashers make of faults."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simulator.cli.forms import Forms, form_options

if TYPE_CHECKING:
    from simulator.campaign.store import Record
    from simulator.campaign.suite import Order
    from simulator.flashers.adapter import Adapter

SHRUNK = 10
"""How many bad cases of several faults are reduced, the worst first."""

INTERRUPTED = 130

EPILOG = """\b
Verdicts, from best to worst: RECOVERED, FAILED_CLEAN, FAILED_MISDIAGNOSED, CRASHED, HUNG, BRICKED, FALSE_SUCCESS.
NOT_EXERCISED and MODEL_GAP say nothing about the flasher.

\b
Examples:
  espsim score flashcore esptool
  espsim score flashcore --suite sweep --jobs 2
  espsim score esptool@3.3 esptool@4.8.1 flashcore --html score.html --json score.json
  espsim score esptool --fault d2h:nth_frame(FLASH_DEFL_DATA,2):drop
  espsim score flashcore --command 'mytool --port {port} write {address} {image}' --suite smoke
"""


@click.command("score", epilog=EPILOG)
@click.argument("flashers", metavar="FLASHER...", nargs=-1)
@click.option(
    "--command",
    "-c",
    "commands",
    multiple=True,
    metavar="CMD",
    help="Any program as a flasher, for example 'mytool --port {port} write {address} {image}'; repeatable.",
)
@click.option(
    "--link",
    "-l",
    type=click.Choice(("virtual", "pty", "rfc2217", "tcp", "websocket")),
    default="pty",
    show_default=True,
    help="How CMD reaches the board; a Python program can do it in virtual time.",
)
@click.option(
    "--suite",
    type=click.Choice(("smoke", "catalogue", "singles", "sweep", "exhaustive")),
    default="smoke",
    show_default=True,
    help="The commonest failures; each row of the fault catalogue; single faults with known effects; or every kind of fault "
    "at every point of a session.",
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
@click.option("--used", is_flag=True, help="The flash holds something else before, as it does in a sweep.")
@click.option(
    "--frame", default="", metavar="FRAME", help="In a sweep, only each byte of this frame, for example h2d:FLASH_DEFL_DATA,2."
)
@click.option(
    "--pairs", "pair_count", type=click.IntRange(0), default=0, metavar="N", help="In a sweep, N pairs of faults as well."
)
@click.option("--shrink", is_flag=True, help="Reduce the worst cases to the smallest that give the same verdict.")
@click.option("--jobs", "-j", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N", help="Processes.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N cases per flasher, spread evenly.")
@form_options
@click.option(
    "--resume",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Keep each result in FILE, one JSON object per line, and run only what is not in it.",
)
def command(
    *,
    flashers: tuple[str, ...],
    commands: tuple[str, ...],
    link: str,
    suite: str,
    faults: tuple[str, ...],
    board: str,
    seed: int,
    size: int | None,
    used: bool,
    frame: str,
    pair_count: int,
    shrink: bool,
    jobs: int,
    limit: int | None,
    resume: Path | None,
    **files: Path | None,
) -> int:
    """Run each FLASHER against faults and give a verdict on every case, from the flash and the clock.

    FLASHER is flashcore, esptool (the one installed beside espsim), esptool-js, or one of the two with a release behind an @,
    which gets an environment of its own. flashcore and esptool run in virtual time, and are the same for any number of
    processes; esptool-js, and CMD unless its link is virtual, run in real time.
    """
    forms = Forms(**files)
    forms.check()
    flashers += tuple(text if link == "pty" else f"{link}:{text}" for text in commands)
    if not flashers:
        raise click.UsageError("name a FLASHER, or give a --command")
    if len(set(flashers)) < len(flashers):
        raise click.UsageError("a flasher is named twice")
    from simulator.campaign.suite import Order, Suite
    from simulator.flashers.known import adapter
    from simulator.scenario import Scenario

    Scenario(board=board, faults=faults).check()
    order = Order(
        suite=Suite(suite),
        faults=faults,
        board=board,
        seed=seed,
        size=size,
        used=used,
        pairs=pair_count,
        frame=frame,
        limit=limit,
    )
    adapters = {name: adapter(name, progress=_say) for name in flashers}
    return _score(order, adapters, jobs=jobs, shrink=shrink, forms=forms, resume=resume)


def _score(
    order: Order,
    adapters: Mapping[str, Adapter],
    *,
    jobs: int,
    shrink: bool,
    forms: Forms,
    resume: Path | None,
) -> int:
    from simulator.campaign.run import clean_cases, interrupt, ladders, processes, run, run_clean
    from simulator.campaign.store import Store
    from simulator.cli.verdicts import show
    from simulator.scorecard.collect import collect, worth_a_ladder

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
            interrupt()
        records += sorted(finished, key=lambda record: place[record.case.id])
        shown = worth_a_ladder(records) if forms.need_ladders and not interrupted else []
        drawn = ladders(shown, adapters, executor)
    except KeyboardInterrupt:
        interrupt()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        if store is not None:
            store.close()
    card = collect(
        records,
        planned=planned,
        versions={name: adapter.version for name, adapter in adapters.items()},
        cases=place,
        complete=not interrupted,
        ladders=drawn,
    )
    # First the files: whoever reads the table may go away in the middle of it.
    forms.write(card)
    show(card, forms.before())
    if shrink and not interrupted:
        _show_shrunk(records, adapters)
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


def _show_shrunk(records: list[Record], adapters: Mapping[str, Adapter]) -> None:
    from simulator.campaign.oracle import worst_first
    from simulator.campaign.shrink import by_running, shrink

    for record in worst_first(records)[:SHRUNK]:
        smallest = shrink(record.case, record.verdict, by_running(adapters[record.case.flasher]))
        click.echo(
            f"{record.verdict} with {len(smallest.faults)} of {len(record.case.faults)} faults, {smallest.job.size} bytes:"
        )
        click.echo(f"    {smallest.repeat()}")


def _say(text: str) -> None:
    click.echo(f"espsim: {text}", err=True)
