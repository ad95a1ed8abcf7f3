"""The demo: one image, one virtual board, three ways to flash it, and the failure that all this started from.

What is flashed is judged by the flash array and by what the board says after a reset, never by what a flasher prints.
The exit status is 0 only if every check held.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence import Check, Content, boot_log, check_boot, compare_flash
from images import PROJECT, ImageToolError, Piece, make
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from runner import Finished, plain, progress, run
from thread import compare

from simulator.flashers.environments import FlasherEnvironmentError, environment

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "envs"
MODERN, OLD = "5.6.0", "3.3"
BOARD = "ttgo-lora32-v1"
FAULT = "mac-cdc-long-frame"
SEED = 5517
FAST = "921600"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table at the end."""

    flasher: str
    link: str
    fault: str
    outcome: str
    virtual_s: float | None
    wall_s: float
    flash: Check
    boot: Check | None
    holds: bool


@dataclass(slots=True)
class Demo:
    """The demo while it runs.

    Args:
        console: Where it is shown.
        folder: Where images and flash arrays are kept.
        seed: Of the fault's dice.
        verbose: Show all that the flashers print.
    """

    console: Console
    folder: Path
    seed: int
    verbose: bool
    pieces: tuple[Piece, ...] = ()
    rows: list[Row] = field(default_factory=list)
    step: int = 0

    def all(self) -> bool:
        """Run every step; tell whether every check held."""
        self.heading("Two releases of esptool, each in its own environment")
        modern, old = (self.environment(release) for release in (MODERN, OLD))
        self.heading(f"An ESP32 image, made by the image tools of esptool {MODERN}")
        self.make_images(modern / "esptool")
        files = [word for piece in self.pieces for word in (f"0x{piece.offset:x}", str(piece.path))]

        self.heading(f"esptool {MODERN} flashes a {BOARD} in virtual time")
        words = [str(modern / "esptool"), "--port", "{port}", "--baud", FAST, "write-flash", *files]
        self.flash(f"esptool {MODERN}", "virtual", words)

        self.heading(f"esptool {MODERN} flashes one through a pty, in real time")
        no_lines = ["--before", "no-reset", "--after", "no-reset"]
        words = [str(modern / "esptool"), "--port", "{port}", "--baud", FAST, *no_lines, "write-flash", *files]
        self.flash(f"esptool {MODERN}", "pty", words)

        self.heading("flashcore flashes one in virtual time")
        flashcore = [str(own_program("flashcore")), "-p", "{port}", "-b", FAST, "write", *files]
        self.flash("flashcore", "virtual", flashcore)

        self.heading(f"The thread's case: esptool {OLD} behind a driver that damages long writes")
        self.thread([str(old / "esptool.py"), "--port", "{port}", "write_flash", *files])

        self.heading("flashcore, same board, same fault, same dice")
        self.flash("flashcore", "virtual", flashcore, faulty=True)
        return all(row.holds for row in self.rows)

    def heading(self, text: str) -> None:
        """Begin a step."""
        self.step += 1
        self.console.print()
        self.console.print(Rule(f"[bold]{self.step}  {escape(text)}[/]", align="left", style="dim"))

    def environment(self, release: str) -> Path:
        """Return the folder of programs of esptool `release`."""
        started = time.monotonic()
        if not self.console.is_terminal and not (CACHE / f"esptool-{release}").exists():
            self.console.print(f"    making an environment for esptool {release} ...")
        with progress(self.console, f"esptool {release}") as show:
            python = environment(release, CACHE, progress=lambda text: show(f"esptool {release}: {text}"))
        took = time.monotonic() - started
        made = f"made in {took:.1f} s" if took > 1 else "there already"
        self.good(f"esptool {release} {made} [dim]{python.parent.relative_to(ROOT)}[/]")
        return python.parent

    def make_images(self, esptool: Path) -> None:
        """Make the files that are to be flashed."""
        with progress(self.console, "elf2image, image-info"):
            self.pieces = make(self.folder, esptool)
        for piece in self.pieces:
            self.good(f"0x{piece.offset:05x}  {piece.what:<15}  {len(piece.data):6} bytes  [dim]{piece.note}[/]")

    def flash(self, flasher: str, link: str, words: Sequence[str], *, faulty: bool = False) -> None:
        """Let a flasher write the files, then compare the flash array and boot from it."""
        finished, array = self.run_on_board(link, words, faulty=faulty)
        self.show(finished, everything=self.verbose or finished.status != 0)
        contents = [Content(what=piece.what, offset=piece.offset, data=piece.data) for piece in self.pieces]
        flash = compare_flash(array, contents)
        self.verdict("flash", flash)
        boot = self.boot(array)
        holds = flash.holds and boot.holds and finished.status == 0
        if faulty:
            findings = [line.strip() for line in finished.lines if is_finding(line)]
            fired = finished.fired > 0
            self.verdict("fault", Check(holds=fired, text=f"struck {finished.fired} times"))
            text = "flashcore says what is wrong with the port:" if findings else "flashcore says nothing about the port"
            self.verdict("finding", Check(holds=bool(findings), text=text))
            for line in findings:
                self.console.print(Padding(Text(line, style="yellow"), (0, 0, 0, 16)))
            holds = holds and fired and bool(findings)
        outcome = "failed" if finished.status else "flashed"
        self.rows.append(
            Row(
                flasher=flasher,
                link=link,
                fault=FAULT if faulty else "–",
                outcome=outcome,
                virtual_s=finished.virtual_s,
                wall_s=finished.wall_s,
                flash=flash,
                boot=boot,
                holds=holds,
            )
        )

    def thread(self, words: Sequence[str]) -> None:
        """Let esptool 3.3 fail as it did in the thread."""
        finished, array = self.run_on_board("virtual", words, faulty=True)
        found = compare(finished.lines)
        self.show(finished, everything=True)
        as_there = Check(
            holds=not found.difference and finished.status != 0,
            text=found.difference
            or f"all {len(found.lines)} lines are the thread's, with none between (MAC and number of dots aside)",
        )
        self.verdict("output", as_there)
        fired = Check(holds=finished.fired > 0, text=f"struck {finished.fired} times")
        self.verdict("fault", fired)
        untouched = compare_flash(array, ())
        self.verdict("flash", untouched)
        self.console.print("    Nothing timed out: the 07 in 01070000 is the ROM's code for a wrong checksum.", soft_wrap=True)
        self.rows.append(
            Row(
                flasher=f"esptool {OLD}",
                link="virtual",
                fault=FAULT,
                outcome="failed" if finished.status else "flashed",
                virtual_s=finished.virtual_s,
                wall_s=finished.wall_s,
                flash=untouched,
                boot=None,
                holds=as_there.holds and fired.holds and untouched.holds,
            )
        )

    def run_on_board(self, link: str, words: Sequence[str], *, faulty: bool) -> tuple[Finished, Path]:
        """Run a flasher on a fresh board; return what it said, and the file with the flash array that it left."""
        array = self.folder / f"flash-{self.step}.bin"
        fault = ["--fault", FAULT, "--seed", str(self.seed)] if faulty else []
        options = ["--board", BOARD, "--link", link, *fault, "--timeout", "60", "--stats", "--save-flash", str(array)]
        command = [str(own_program("espsim")), "run", *options, "--", *words]
        self.console.print(f"    [dim]$ {escape(self.short(command))}[/]", soft_wrap=True)
        finished = run(self.console, command)
        return finished, array

    def boot(self, array: Path) -> Check:
        """Reset the board with the flash array on its flash, and look at what it says."""
        lines = boot_log(BOARD, array) if array.exists() else []
        check = check_boot(lines, self.pieces[0].data, self.pieces[-1].offset, PROJECT)
        self.verdict("boot log", check)
        for line in lines if self.verbose else check.lines:
            self.console.print(f"    [dim]│ {escape(plain(line))}[/]", soft_wrap=True)
        return check

    def show(self, finished: Finished, *, everything: bool) -> None:
        """Show what a flasher printed, all of it or its last words, and what espsim says about the run."""
        said = [line for line in finished.lines if line.strip() and not is_finding(line)]
        for line in said if everything else said[-3:]:
            self.console.print(f"    [cyan]│[/] {escape(line)}", soft_wrap=True)
        for remark in finished.remarks:
            self.console.print(f"    [dim]{escape(remark)}[/]", soft_wrap=True)

    def verdict(self, what: str, check: Check) -> None:
        """Show a check."""
        mark = "[green]✓[/]" if check.holds else "[bold red]✗[/]"
        self.console.print(f"  {mark} {what:<11} {escape(check.text)}", soft_wrap=True)

    def good(self, text: str) -> None:
        """Show that something is done."""
        self.console.print(f"  [green]✓[/] {text}", soft_wrap=True)

    def short(self, command: Sequence[str]) -> str:
        """Return a command as one would type it in the project's folder, with the folder of the demo left out."""
        text = shlex.join(command).replace("'{port}'", "{port}")
        return text.replace(f"{self.folder}/", "").replace(f"{ROOT}/", "")

    def table(self) -> Table:
        """Return what the demo came to."""
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
        for title in ("flasher", "link", "fault", "outcome"):
            table.add_column(title, no_wrap=True)
        for title in ("virt s", "wall s"):
            table.add_column(title, justify="right", no_wrap=True)
        for title in ("flash", "boot log", ""):
            table.add_column(title, no_wrap=True)
        for row in self.rows:
            virtual = "–" if row.virtual_s is None else f"{row.virtual_s:.1f}"
            flash = "wrong" if not row.flash.holds else "blank" if row.boot is None else "same"
            boot = "–" if row.boot is None else "app runs" if row.boot.holds else "no boot"
            mark = "[green]✓[/]" if row.holds else "[bold red]✗[/]"
            table.add_row(row.flasher, row.link, row.fault, row.outcome, virtual, f"{row.wall_s:.1f}", flash, boot, mark)
        return table


def own_program(name: str) -> Path:
    """Return a program of this project, from the environment that runs the demo."""
    return Path(sys.executable).with_name(name)


def is_finding(line: str) -> bool:
    """Tell whether flashcore says in `line` what is wrong with the port."""
    return "the port damages" in line


def arguments() -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the folder with images and flash arrays")
    parser.add_argument("--seed", type=int, default=SEED, help="of the fault's dice (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="show all that the flashers and the board print")
    return parser.parse_args()


def main() -> int:
    """Run the demo; return its exit status."""
    asked = arguments()
    console = Console(highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="flashcore-demo-"))
    keep = asked.keep
    demo = Demo(console, folder, asked.seed, asked.verbose)
    started = time.monotonic()
    try:
        held = demo.all()
        console.print()
        console.print(Rule("[bold]Result[/]", align="left", style="dim"))
        console.print(demo.table())
        console.print("[dim]flash: the whole array, byte for byte. esptool 3.3 is to fail as in the thread.[/]")
        console.print()
        took = f"{time.monotonic() - started:.0f} s"
        console.print(f"[green]Every check held[/], in {took}." if held else f"[bold red]Not every check held[/], in {took}.")
        keep = keep or not held
        return 0 if held else 1
    except (FlasherEnvironmentError, ImageToolError) as error:
        console.print(f"[bold red]demo:[/] {escape(str(error))}", soft_wrap=True)
        hint = getattr(error, "hint", "")
        if hint:
            console.print(f"hint: {escape(hint)}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\n[yellow]Interrupted.[/]")
        return 130
    finally:
        if keep:
            console.print(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
