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
from typing import assert_never

import flashcore
import simulator
from flashcore.errors import FlashcoreError
from simulator.flashers.adapter import Result
from simulator.flashers.images import Image
from simulator.flashers.task import Job, Task

WORKER = Path(__file__).with_name("shard_worker.py")
"""The file with which the flasher's interpreter starts."""

WALL_S = 120
"""Seconds of the machine's time after which a task is ended; there for loops in which no virtual time passes."""

DEFAULT_BAUD = 115200
"""Rate that esptool uses if it is not told."""
SECTOR = 4096
"""Unit in which esptool erases."""


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
            items = [self._item(task, folder) for task in tasks]
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

    def _item(self, task: Task, folder: Path) -> dict[str, object]:
        """Return a task as the worker takes it: the commands of one session, and the files that they fill."""
        job = task.job
        head = [*(() if job.port == "auto" else ("--port", "sim://board")), *self.options]
        if job.baud != DEFAULT_BAUD:
            head += ["--baud", str(job.baud)]
        commands, files = self._commands(job, folder)
        return {"task": task.to_json(), "commands": [[*head, *words] for words in commands], "files": files}

    def _commands(self, job: Job, folder: Path) -> tuple[list[list[str]], list[str]]:
        """Return the words behind esptool's options, command by command, and the files that they write."""
        match job.action:
            case "write":
                words = [self._verb("write-flash"), "-z"]
                for image in job.images:
                    words += [hex(image.offset), str(_file(image, folder))]
                return [words], []
            case "read":
                files = [str(folder / f"read-{number}.bin") for number in range(len(job.images))]
                places = [(hex(image.offset), hex(len(image.data()))) for image in job.images]
                verb = self._verb("read-flash")
                return [[verb, *place, file] for place, file in zip(places, files, strict=True)], files
            case "erase" if job.whole:
                return [[self._verb("erase-flash")]], []
            case "erase":
                sizes = [-(-len(image.data()) // SECTOR) * SECTOR for image in job.images]
                verb = self._verb("erase-region")
                return [[verb, hex(image.offset), hex(size)] for image, size in zip(job.images, sizes, strict=True)], []
            case _:
                assert_never(job.action)

    def _verb(self, name: str) -> str:
        """Return a command as this release spells it."""
        modern = int(re.findall(r"\d+", self.version)[0]) >= 5
        return name if modern else name.replace("-", "_")


def _file(image: Image, folder: Path) -> Path:
    path = folder / f"{image.kind}-{image.size}-{image.seed}.bin"
    if not path.exists():
        path.write_bytes(image.data())
    return path


def _environment() -> dict[str, str]:
    """Return our environment without what would make this esptool another than a stock one, and with what makes runs equal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ESPTOOL")}
    return {**kept, "PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "COLUMNS": "200"}
