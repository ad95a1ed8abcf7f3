"""Print ``compatibility.md`` from a run of the whole matrix: real flashers on every link and in every mode.

``python docs/compatibility.py`` makes the flashers' environments, runs every case of `tests.matrix` and writes the page; that
takes an hour or so on two cores. What was found is kept as JSON under ``.cache/compatibility`` while it runs: ``--resume`` goes
on from there, ``--only REGEX`` runs the cases whose name matches, ``--print`` runs nothing. Every other JSON file in that
folder is merged in, and so is each ``--merge FILE``: flashers that are no Python programs are run elsewhere, and their rows put
there. A file is a list of objects with the fields of `Row`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import matrix, peers  # noqa: E402 - the tests are a package only when their folder is on the path
from tests.matrix import Case  # noqa: E402

PAGE = ROOT / "docs" / "compatibility.md"
FOLDER = ROOT / ".cache" / "compatibility"
OWN = FOLDER / "python-clients.json"
WAITING_JOBS = 4
"""Cases at once on a link whose client mostly waits."""

OK, DEVIATES, REFUSES, UNSUPPORTED, NOT_RUN, FAILS = "ok", "deviates", "refuses", "unsupported", "not run", "fails"
SHOWN = {OK: "ok", DEVIATES: "ok, but", REFUSES: "refused", UNSUPPORTED: "-", NOT_RUN: "not run", FAILS: "**fails**"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one case.

    Args:
        client: The flasher with its release.
        link: ``virtual``, ``pty``, ``tcp``, ``rfc2217``, ``websocket``.
        mode: ``stub, compressed``, ``stub, plain``, ``ROM, compressed`` or ``ROM, plain``.
        subject: An image or an operation, by its name in `tests.matrix`.
        rate: Baud rate for the work.
        outcome: A key of `SHOWN`.
        note: Why, where the outcome is not ``ok``.
        command: How the client was started; of a link that is not in `matrix.LINKS`, espsim with it.
        again: Whether this is the second run, after one that failed beside others.
    """

    client: str
    link: str
    mode: str
    subject: str
    rate: int = 921600
    outcome: str = OK
    note: str = ""
    command: str = ""
    again: bool = False

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        return self.client, self.link, self.mode, self.subject, self.rate


def row(case: Case, outcome: str, note: str = "", command: str = "") -> Row:
    """Return the row of a case."""
    return Row(
        client=case.client,
        link=case.link,
        mode=case.mode,
        subject=case.subject,
        rate=case.rate,
        outcome=outcome,
        note=note,
        command=command,
    )


def answer(case: Case) -> Row:
    """Run a case."""
    if case.cannot:
        return row(case, UNSUPPORTED if case.cannot == matrix.NO_STUB else NOT_RUN, case.cannot)
    with tempfile.TemporaryDirectory(prefix="espsim-matrix-") as folder:
        result = matrix.run(case, Path(folder))
    command = re.sub(r"\S*/bin/python\S*", "python", result.command).replace(f"{ROOT}/", "")
    if result.problem:
        (FOLDER / "failures").mkdir(exist_ok=True)
        (FOLDER / "failures" / f"{case.name.replace('/', '_')}.txt").write_text(f"{result.problem}\n{command}\n{result.output}")
        return row(case, FAILS, result.problem.replace("|", "/"), command)
    if case.refusal:
        return row(case, REFUSES, case.refusal, command)
    return row(case, DEVIATES if case.deviation else OK, case.deviation or case.remark, command)


def run_all(cases: Sequence[Case], rows: dict[tuple[str, str, str, str, int], Row], jobs: int) -> None:
    """Run `cases` and put what comes of them into `rows`; what fails in real time is run once more, alone.

    Clients give an answer as little as 50 ms. A machine that is busy with other cases cannot always do that, which says
    nothing about the flasher.
    """
    for release in peers.releases():
        _ = peers.Esptool(release=release).words
    peers.miniesptool()
    failed: list[Case] = []
    with ThreadPoolExecutor(jobs) as working, ThreadPoolExecutor(WAITING_JOBS) as waiting:
        # In a mixed order, so that whatever fails everywhere shows soon.
        pools = {
            case: waiting if matrix.LINKS[case.link].block_cost_s else working
            for case in sorted(cases, key=lambda case: hashlib.md5(case.name.encode()).digest())
        }
        futures = {pool.submit(answer, case): case for case, pool in pools.items()}
        for number, future in enumerate(as_completed(futures), 1):
            found = future.result()
            before = rows.get(found.key)
            failed_before = before is not None and before.outcome == FAILS and found.link != "virtual"
            rows[found.key] = replace(found, again=failed_before)
            if found.outcome == FAILS:
                failed.append(futures[future])
                sys.stderr.write(f"FAILS {futures[future].name}: {found.note}\n")
            if number % 20 == 0 or number == len(futures):
                sys.stderr.write(f"{number} of {len(futures)}\n")
                save(rows.values())
    for case in failed:
        if case.link != "virtual":
            found = answer(case)
            rows[found.key] = replace(found, again=True)
            sys.stderr.write(f"again: {case.name}: {found.outcome}\n")
    save(rows.values())


def save(rows: Iterable[Row]) -> None:
    """Keep what is known so far."""
    part = OWN.with_suffix(".part")
    part.write_text(json.dumps([asdict(item) for item in rows], indent=1), encoding="utf-8")
    part.replace(OWN)


def load(path: Path) -> list[Row]:
    """Read rows back."""
    return [Row(**item) for item in json.loads(path.read_text(encoding="utf-8"))]


class Notes:
    """Reasons, numbered in the order in which they are first met."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, found: Row) -> str:
        """Return the text of a cell."""
        if not found.note:
            return SHOWN[found.outcome]
        number = self._numbers.setdefault(found.note, len(self._numbers) + 1)
        return f"{SHOWN[found.outcome]} [{number}](#notes)"

    def lines(self) -> list[str]:
        """Return the list for the end of the page."""
        return [f"{number}. {text[0].upper()}{text[1:]}." for text, number in self._numbers.items()]


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Return a table."""
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body)]


def image_table(rows: Sequence[Row], notes: Notes) -> list[str]:
    """Return the table of one client: a line for each link and mode, a column for each image."""
    subjects = list(dict.fromkeys([*matrix.IMAGES, *(item.subject for item in rows)]))
    cells = {(item.link, item.mode, item.subject): notes.mark(item) for item in rows}
    body = [
        [link, mode, *(cells.get((link, mode, subject), "") for subject in subjects)]
        for link in dict.fromkeys(item.link for item in rows)
        for mode in matrix.MODES
        if any((link, mode, subject) in cells for subject in subjects)
    ]
    return table(["link", "mode", *subjects], body)


def operation_table(rows: Sequence[Row], notes: Notes) -> list[str]:
    """Return the table of one release: a line for each operation, a column for each link and loader."""
    cells: dict[tuple[str, str, str], list[str]] = {}
    for item in sorted(rows, key=lambda item: item.rate):
        cells.setdefault((item.subject, item.link, item.mode.partition(",")[0]), []).append(notes.mark(item))
    columns = [(link, loader) for link in dict.fromkeys(item.link for item in rows) for loader in ("stub", "ROM")]
    body = [
        [f"`{subject}`", *(" / ".join(dict.fromkeys(cells.get((subject, *column), []))) for column in columns)]
        for subject in matrix.OPERATIONS
    ]
    return table(["operation", *(f"{link}, {loader}" for link, loader in columns)], body)


def page(rows: Sequence[Row], missing: int = 0) -> str:
    """Return the page about `rows`, with `missing` cases of the matrix still to be run."""
    notes = Notes()
    images = [item for item in rows if item.subject not in matrix.OPERATIONS]
    operations = [item for item in rows if item.subject in matrix.OPERATIONS]
    counts = {outcome: sum(item.outcome == outcome for item in rows) for outcome in SHOWN}
    ran = len(rows) - counts[UNSUPPORTED] - counts[NOT_RUN]
    again = sum(item.again for item in rows)
    in_real_time = sum(item.link != "virtual" and item.outcome not in (UNSUPPORTED, NOT_RUN) for item in rows)
    lines = [
        "# Compatibility",
        "",
        "<!-- Printed by docs/compatibility.py from what it ran: run that, do not edit. -->",
        "",
        f"Real flashers, unmodified, on the board `{matrix.BOARD}`: {ran} cases were run, {counts[FAILS]} of them failed.",
        f"Printed by `python docs/compatibility.py` (flashcore {metadata.version('flashcore')}, Python",
        f"{platform.python_version()}, pyserial {metadata.version('pyserial')}). The tests run the same cases, in the",
        "gate a slice and in the tox environment `peers` the whole.",
        "",
        "Before each case the flash holds 288 KiB of random data, and erased flash behind it. Images go to",
        f"{matrix.ADDRESS:#x} at 921600 baud.",
        "",
        "* **ok**: the client exits with 0, all 4 MiB of the flash array are afterwards as they must be, and the client reads",
        "  the image back as it was (miniesptool cannot read).",
        "* **ok, but**: the same, and the chip did more than it was asked for.",
        "* **refused**: client or chip cannot do this; the client says so, exits with 2, and nothing has changed.",
        "* **-**: the client has no such mode.",
        *([f"* an empty cell: {missing} cases were not run this time; `--resume` runs them."] if missing else []),
        "",
        "In real time clients give an answer as little as 50 ms; what fails beside other cases is run once more, alone:",
        f"{again} of {in_real_time} cases.",
        "",
        *_how(rows),
        "## Images",
    ]
    for client in dict.fromkeys(item.client for item in images):
        lines += ["", f"### {client}", "", *image_table([item for item in images if item.client == client], notes)]
    lines += [
        "",
        "## Operations",
        "",
        "With 115200 and with 921600 baud where the link has a rate; a cell has two entries where the rate makes a difference.",
    ]
    for client in dict.fromkeys(item.client for item in operations):
        lines += ["", f"### {client}: operations", "", *operation_table([x for x in operations if x.client == client], notes)]
    return "\n".join([*lines, "", "## Notes", "", *(notes.lines() or ["None."])]) + "\n"


def _how(rows: Sequence[Row]) -> list[str]:
    """Return how the clients were started, one example for each link and client family."""
    lines = ["How they were started, by example:", "", "```"]
    seen = set()
    for item in rows:
        family = (item.client.partition(" ")[0], item.link)
        if item.command and family not in seen:
            seen.add(family)
            link = matrix.LINKS.get(item.link)
            start = ["espsim run --board", matrix.BOARD, "--link", item.link, *link.options, "--"] if link else []
            lines.append(" ".join([*start, item.command]))
    return [*lines, "```", ""]


def main(arguments: Sequence[str]) -> int:
    """Run, and write the page; return 1 if a case failed."""
    parser = argparse.ArgumentParser(description="Run real flashers on every link and print docs/compatibility.md.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cases at once")
    parser.add_argument("--resume", action="store_true", help="run only cases of which nothing is kept, or a failure")
    parser.add_argument("--only", metavar="REGEX", help="run only cases whose name matches")
    parser.add_argument("--print", dest="just_print", action="store_true", help="run nothing")
    parser.add_argument("--merge", type=Path, action="append", default=[], metavar="FILE", help="JSON file with more rows")
    options = parser.parse_args(arguments)
    os.environ.setdefault(peers.VARIABLE, "all")
    FOLDER.mkdir(parents=True, exist_ok=True)
    kept = options.resume or options.only or options.just_print
    rows = {item.key: item for item in load(OWN)} if kept and OWN.exists() else {}
    cases = list(matrix.everything(peers.releases()))
    order = {row(case, OK).key: number for number, case in enumerate(cases)}
    rows |= {found.key: found for found in map(answer, (case for case in cases if case.cannot))}
    if options.only:
        cases = [case for case in cases if re.search(options.only, case.name)]
    if options.resume:
        cases = [case for case in cases if (found := rows.get(row(case, OK).key)) is None or found.outcome == FAILS]
    if not options.just_print:
        run_all(cases, rows, options.jobs)
    own = sorted((item for item in rows.values() if item.key in order), key=lambda item: order[item.key])
    others = [item for file in [*sorted(set(FOLDER.glob("*.json")) - {OWN}), *options.merge] for item in load(file)]
    PAGE.write_text(page([*own, *others], len(order) - len(own)), encoding="utf-8")
    return int(any(item.outcome == FAILS for item in [*own, *others]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
