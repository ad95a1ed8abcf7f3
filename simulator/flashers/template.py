"""The command line of a flasher that nobody has heard of, with marks where port, addresses and files belong.

    mytool --port {port} --baud {baud} write {address} {image}

What it can be asked for follows from its marks: ``{image}`` is for writing, ``{out}`` for reading, an ``{address}`` with a
``{size}`` alone for erasing. No shell is involved: the words are split once, as a shell would, and marks are filled in later.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from flashcore.errors import ScenarioError
from simulator.faults.nearest import nearest
from simulator.faults.presets.schema import Action
from simulator.flashers.images import Image, file_of
from simulator.flashers.task import Job

MARKS = ("port", "baud", "address", "size", "image", "out")
"""What may stand in braces."""
_MARK = re.compile(r"\{(\w+)\}")
_OF_AN_IMAGE = ("address", "size", "image", "out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A command line with marks.

    Args:
        words: Its words.
    """

    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Return the template that `text` describes.

        Raises:
            ScenarioError: It cannot be split, has an unknown mark, or does nothing with any place of the flash.
        """
        try:
            words = tuple(shlex.split(text))
        except ValueError as error:
            raise ScenarioError(f"cannot split the command {text!r}: {error}") from error
        for mark in _MARK.findall(text):
            if mark not in MARKS:
                raise ScenarioError(f"unknown mark {{{mark}}} in the command", hint=nearest(mark, list(MARKS)))
        template = cls(words=words)
        if not words or not template._has("address"):
            raise ScenarioError(
                "the command has no {address}", hint="for example: 'mytool --port {port} write {address} {image}'"
            )
        return template

    @property
    def action(self) -> Action:
        """What it can be asked for."""
        return "write" if self._has("image") else "read" if self._has("out") else "erase"

    @property
    def finds_port(self) -> bool:
        """Whether it is not told a port, so that it must look for one."""
        return not self._has("port")

    @property
    def takes_baud(self) -> bool:
        """Whether it can be told a rate."""
        return self._has("baud")

    @property
    def several_images(self) -> bool:
        """Whether its words for an image may be repeated: they are marks and nothing else."""
        return all(not _MARK.sub("", word).strip("=:,@") for word in self.words[self._group()])

    def fill(self, job: Job, port: str, folder: Path) -> tuple[list[list[str]], list[str]]:
        """Return the commands that do `job`, and the files that they write.

        Args:
            job: What is to be done.
            port: The port's name.
            folder: For files.
        """
        group = self._group()
        before, mine, behind = self.words[: group.start], self.words[group], self.words[group.stop :]
        outs = [str(folder / f"read-{number}.bin") for number in range(len(job.images))]
        parts = [
            [_filled(word, _place(image, folder, out)) for word in mine] for image, out in zip(job.images, outs, strict=True)
        ]
        together = [[word for part in parts for word in part]] if self.several_images and self.action == "write" else parts
        common = {"port": port, "baud": str(job.baud)}
        commands = [[_filled(word, common) for word in (*before, *part, *behind)] for part in together]
        return commands, outs if self.action == "read" else []

    def _has(self, mark: str) -> bool:
        return any(f"{{{mark}}}" in word for word in self.words)

    def _group(self) -> slice:
        """Return which words are about one image: from the first with a mark for it to the last."""
        numbers = [
            number for number, word in enumerate(self.words) if any(mark in _OF_AN_IMAGE for mark in _MARK.findall(word))
        ]
        return slice(numbers[0], numbers[-1] + 1)


def _place(image: Image, folder: Path, out: str) -> dict[str, str]:
    return {
        "address": hex(image.offset),
        "size": hex(len(image.data())),
        "image": str(file_of(image, folder)),
        "out": out,
    }


def _filled(word: str, values: dict[str, str]) -> str:
    return _MARK.sub(lambda found: values.get(found[1], found[0]), word)
