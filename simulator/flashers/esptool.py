"""esptool of any release as a flasher among others: unmodified, in virtual time, an interpreter for each shard."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from simulator.chip.flash_array import SECTOR
from simulator.flashers.abilities import Abilities, Link
from simulator.flashers.adapter import Result
from simulator.flashers.images import file_of
from simulator.flashers.shards import run_shard
from simulator.flashers.task import USUAL_BAUD, Job, Task

WALL_S = 120
"""Seconds of the machine's time after which a task is ended; there for loops in which no virtual time passes."""


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

    @property
    def abilities(self) -> Abilities:
        """What it can be asked for."""
        return Abilities(link=Link.VIRTUAL, wall_s=WALL_S)

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Carry out `tasks` and yield their results in order.

        Raises:
            FlasherFailedError: The interpreter does not start, or has no such esptool.
        """
        with tempfile.TemporaryDirectory(prefix="espsim-") as name:
            folder = Path(name)
            program = {"kind": "function", "target": "esptool", "function": "_main"}
            items = [self._item(task, folder) for task in tasks]
            yield from run_shard(self.name, [self.python], program, items, folder, wall_s=self.abilities.wall_s)

    def _item(self, task: Task, folder: Path) -> dict[str, object]:
        """Return a task as the worker takes it: the commands of one session, and the files that they fill."""
        job = task.job
        head = [*(() if job.port == "auto" else ("--port", "sim://board")), *self.options]
        if job.baud != USUAL_BAUD:
            head += ["--baud", str(job.baud)]
        commands, files = self._commands(job, folder)
        return {"task": task.to_json(), "commands": [[*head, *words] for words in commands], "files": files}

    def _commands(self, job: Job, folder: Path) -> tuple[list[list[str]], list[str]]:
        """Return the words behind esptool's options, command by command, and the files that they write."""
        match job.action:
            case "write":
                words = [self._verb("write-flash"), "-z"]
                for image in job.images:
                    words += [hex(image.offset), file_of(image, folder).name]
                return [words], []
            case "read":
                files = [f"read-{number}.bin" for number in range(len(job.images))]
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
