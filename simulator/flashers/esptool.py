"""esptool of any release as a flasher among others: unmodified, in virtual time, an interpreter for each shard."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import flashcore
import simulator
from flashcore.errors import FlashcoreError
from simulator.flashers.adapter import Image, Result, Task

WORKER = Path(__file__).with_name("shard_worker.py")
"""The file with which the flasher's interpreter starts."""

WALL_S = 120
"""Seconds of the machine's time after which a task is ended; there for loops in which no virtual time passes."""


class FlasherFailedError(FlashcoreError):
    """A flasher's interpreter could not carry out its tasks at all."""

    code = "simulator.flasher"


@dataclass(frozen=True, slots=True, kw_only=True)
class EsptoolAdapter:
    """Runs one release of esptool.

    Args:
        name: What the user calls it.
        version: Its release.
        python: The interpreter that can import it.
        options: Words before the command, for example ``--no-stub``.
    """

    name: str
    version: str
    python: str
    options: tuple[str, ...] = ()

    @property
    def shard(self) -> int:
        """How many tasks make a piece of work of half a second or more."""
        return 16

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Carry out `tasks` and yield their results in order.

        Raises:
            FlasherFailedError: The interpreter does not start, or has no such esptool.
        """
        with tempfile.TemporaryDirectory(prefix="espsim-") as name:
            folder = Path(name)
            results, job = folder / "results.jsonl", folder / "job.json"
            items = [{"task": task.to_json(), "argv": self._words(task, folder)} for task in tasks]
            job.write_text(
                json.dumps(
                    {
                        "folders": {item.__name__: str(Path(str(item.__file__)).parent) for item in (flashcore, simulator)},
                        "module": "esptool",
                        "function": "_main",
                        "name": "board",
                        "results": str(results),
                        "wall_s": WALL_S,
                        "tasks": items,
                    }
                ),
                encoding="utf-8",
            )
            results.touch()
            done = subprocess.run(
                [self.python, str(WORKER), str(job)],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
            )
            lines = results.read_text(encoding="utf-8").splitlines()
            if done.returncode or len(lines) != len(tasks):
                said = (done.stderr or done.stdout).strip().splitlines()
                raise FlasherFailedError(
                    f"{self.name} did not carry out its tasks: {said[-1] if said else f'exit status {done.returncode}'}",
                    hint=f"try {self.python} -m esptool version",
                )
            yield from (Result.from_json(line) for line in lines)

    def _words(self, task: Task, folder: Path) -> list[str]:
        modern = int(re.findall(r"\d+", self.version)[0]) >= 5
        words = ["--port", "sim://board", *self.options, "write-flash" if modern else "write_flash", "-z"]
        for image in task.images:
            words += [hex(image.offset), str(_file(image, folder))]
        return words


def _file(image: Image, folder: Path) -> Path:
    path = folder / f"image-{image.size}-{image.seed}.bin"
    if not path.exists():
        path.write_bytes(image.data())
    return path


def _environment() -> dict[str, str]:
    """Return our environment without what would make this esptool another than a stock one, and with what makes runs equal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ESPTOOL")}
    return {**kept, "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "COLUMNS": "200"}
