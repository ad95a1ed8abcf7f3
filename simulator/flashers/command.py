"""Any program as a flasher among others, by its command line."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulator.flashers.abilities import Abilities, Link
from simulator.flashers.adapter import Result
from simulator.flashers.images import content
from simulator.flashers.interpreter import CommandError, locate, require_version, resolve
from simulator.flashers.real_time import Started, run_real
from simulator.flashers.shards import run_shard
from simulator.flashers.task import Task
from simulator.flashers.template import Template

WALL_S = 180.0
"""Seconds after which a session in real time is ended: esptool-like tools wait 120 s for the erase of a chip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAdapter:
    """Runs a program that a command line describes.

    Args:
        name: What the user wrote, with the link in front.
        template: The command line.
        link: How the program reaches the board.
    """

    name: str
    template: Template
    link: Link

    @property
    def version(self) -> str:
        """A hash of its file in place of its release, which nobody knows: kept results are those of this very program."""
        try:
            program = Path(locate(self.template.words[0])).read_bytes()
        except (CommandError, OSError):
            return "unknown"
        return hashlib.blake2b(program, digest_size=4).hexdigest()

    @property
    def shard(self) -> int:
        """How many tasks make a piece of work of half a second or more."""
        return 8 if self.link.is_virtual else 1

    @property
    def abilities(self) -> Abilities:
        """What it can be asked for."""
        template = self.template
        return Abilities(
            link=self.link,
            actions=(template.action,),
            finds_port=template.finds_port,
            several_images=template.several_images,
            takes_baud=template.takes_baud,
            erases_all=False,
            wall_s=WALL_S,
        )

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """Carry out `tasks` and yield their results in order.

        Raises:
            CommandError: The program cannot be started on this link.
            FlasherFailedError: Its interpreter does not carry out the tasks.
            ScenarioError: A world cannot be built.
        """
        if self.link.is_virtual:
            yield from self._virtual(tasks)
            return
        for task in tasks:
            with tempfile.TemporaryDirectory(prefix="espsim-") as name:
                yield run_real(task, self.abilities, lambda port, task=task, name=name: self._start(task, port, Path(name)))  # type: ignore[misc]

    def _start(self, task: Task, port: str, folder: Path) -> Started:
        commands, files = self.template.fill(task.job, port, folder)
        program = locate(self.template.words[0])
        return Started(commands=[[program, *words[1:]] for words in commands], read=lambda: content(files))

    def _virtual(self, tasks: Sequence[Task]) -> Iterator[Result]:
        found = resolve(self.template.words)
        require_version(found.interpreter)
        skipped = len(self.template.words) - len(found.argv)
        with tempfile.TemporaryDirectory(prefix="espsim-") as name:
            folder = Path(name)
            items = []
            for number, task in enumerate(tasks):
                own = folder / str(number)
                own.mkdir()
                commands, files = self.template.fill(task.job, "sim://board", own)
                items.append({"task": task.to_json(), "commands": [words[skipped:] for words in commands], "files": files})
            target = str(Path(found.target).resolve()) if found.kind == "script" else found.target
            program = {"kind": found.kind, "target": target}
            yield from run_shard(self.name, found.interpreter, program, items, folder, wall_s=WALL_S)
