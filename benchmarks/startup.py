"""Start-up of the command lines, whole processes, beside that of esptool.

What a user waits for before anything happens: the interpreter, the imports, the output. `esptool version` is the shortest
thing that esptool can do. Wall time, since a process also waits for its files.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Sampler, Table, at_most, compare, in_turn, wall_s

RELEASE = "5.6.0"
"""The esptool that serves as baseline."""
BASELINE = f"esptool {RELEASE} version"

TARGET = at_most(0.5)

COMMANDS = {
    "flashcore --help": (sys.executable, "-m", "flashcore", "--help"),
    "espsim --help": (sys.executable, "-m", "simulator", "--help"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What to start, and how often.

    Args:
        baseline: The command that the others are compared with.
        rounds: How often everything is started.
    """

    baseline: Sequence[str]
    rounds: int = 15


def measure(setup: Setup) -> Table:
    """Measure and compare."""
    commands = {**{name: _installed(name, words) for name, words in COMMANDS.items()}, BASELINE: setup.baseline}
    found = in_turn({name: _sampler(words) for name, words in commands.items()}, setup.rounds)
    rows = tuple(compare(name, "ms", found, name, BASELINE, TARGET) for name in COMMANDS)
    return Table(name="startup", title="whole processes, wall time in ms", rows=rows)


def esptool_command(python: Path) -> Sequence[str]:
    """Return the baseline's command line for the environment with the interpreter `python`."""
    return (str(python.with_name("esptool")), "version")


def _installed(name: str, module: Sequence[str]) -> Sequence[str]:
    """Return the command line of the installed script, as the baseline is one too, or else that of the module."""
    script = Path(sys.executable).with_name(name.split()[0])
    return (str(script), *name.split()[1:]) if script.exists() else module


def _sampler(words: Sequence[str]) -> Sampler:
    def start() -> None:
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    return lambda: wall_s(start) * 1e3
